using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>The log-structured cache: how a volume of it is opened.</summary>
internal sealed partial class WriteboostKind : IEngineKind
{
    /// <inheritdoc/>
    public string Name => "writeboost";

    /// <inheritdoc/>
    public IReadOnlyList<DeviceRole> Roles { get; } = [DeviceRole.Cache, DeviceRole.Backing];

    /// <inheritdoc/>
    public IEngineTools Tools => this;

    /// <inheritdoc/>
    public void Check(VolumeSpec spec)
    {
        _ = LayoutOf(spec);
        _ = GivenSegmentBytes(spec);
        IReadOnlyList<BackingArgument> backings = spec.Devices.Backings;
        if (backings.Count > 0 && backings.All(static backing => backing.Id == 0))
            throw new UserErrorException(
                "no --backing device has a number other than 0: then 'passthrough' is the engine to use",
                Program.WrongUsage);
    }

    /// <inheritdoc/>
    public OpenedVolume Open(Opening opening)
    {
        VolumeSpec spec = opening.Spec;
        WriteboostOptions options = OptionsFor(opening);
        List<Tunable> tunables = WriteboostTunables.Of(options);
        opening.SetOptions(tunables);
        Device cache = opening.Cache();
        List<BackingSpec> cached = [];
        foreach (BackingArgument backing in spec.Devices.Backings)
            if (backing.Id != 0) cached.Add(new(backing.Id, backing.Name, opening.Backing(backing)));
        List<OpenedExport> uncached = [];
        foreach (BackingArgument backing in spec.Devices.Backings)
            if (backing.Id == 0) uncached.Add(PassthroughKind.ExportOf(backing, opening));
        options.Uncached = uncached.ConvertAll(
            static export => (export.Volume, ((PassthroughVolume)export.Volume).Backing));
        using RingContext io = new();
        Prepare(io, cache, cached, opening, options);
        WriteboostVolume volume =
            WriteboostVolume.Open(io, cache, cached, Opening.OpenMemory(spec.Memory, opening.Log), options);
        List<OpenedExport> exports = ExportsOf(volume, spec, uncached);
        OpenedVolume opened = new(volume, exports, tunables, opening.Below);
        DeviceCommands devices = new(new CacheDevices(volume, spec, opening.Log), () => opened.Serving!);
        opened.Commands = [.. WriteboostCommands.Of(volume), .. devices.All];
        return opened;
    }

    private static WriteboostOptions OptionsFor(Opening opening) => new()
    {
        VolumeName = opening.Spec.Name, ReadOnly = opening.Spec.ReadOnly, Log = opening.Log,
        ReservesSpace = true,
        Progress = opening.Progress, StopAsked = opening.StopAsked,
        CachePath = Path.GetFullPath(DeviceOpener.FileOf(opening.Spec.Devices.Cache!)),
        AddsDevices = !opening.Spec.MustExist,
        Fallback = static device => new PassthroughVolume(device),
    };

    /// <summary>In the order of the command line: the first is the default.</summary>
    private static List<OpenedExport> ExportsOf(
        WriteboostVolume volume, VolumeSpec spec, List<OpenedExport> uncached)
    {
        Queue<OpenedExport> alone = new(uncached);
        return [.. spec.Devices.Backings.Select(backing => backing.Id == 0
            ? alone.Dequeue() : new OpenedExport(volume, volume.ExportOf(backing.Name)))];
    }

    /// <summary>Formats a blank cache; refuses what is neither blank nor ours. Checks first, writes then.</summary>
    private void Prepare(
        RingContext io, Device cache, List<BackingSpec> backings, Opening opening, WriteboostOptions options)
    {
        VolumeSpec spec = opening.Spec;
        CacheContent content = Look(io, cache, spec.OwnOrNull<string>(LayoutOption), options.Progress);
        if (!content.Other.IsBlank) throw Refusal(cache, content.Other.Description!, content.Other);
        if (content.IsAmbiguous)
            throw new UserErrorException($"{cache.Name}: holds an empty dm-writeboost cache, which is the same bytes "
                + "in layouts writeboost2 and writeboost1: say which with --layout");
        options.Layout = content.Layout ?? LayoutOf(spec) ?? Layout.Native;
        options.CheckLayout();
        if (content.Layout != null) CheckSegmentSize(io, cache, options.Layout, spec);
        if (content.Layout != null) return;
        if (spec.MustExist) throw new UserErrorException($"{cache.Name}: is blank: no cache");
        if (spec.ReadOnly) throw new UserErrorException($"{cache.Name}: is blank, and --read-only formats nothing");
        Superblock plan =
            WriteboostFormat.Plan(cache, options.Layout, SegmentBytes(spec, options.Layout), Guid.NewGuid);
        OpenChecks.Check(cache, plan);
        _ = new Binding(null, 0, options).Bind(backings);
        opening.Space.Take(cache);
        WriteboostFormat.Format(io, cache, options.Layout, plan.SegmentBytes, Guid.NewGuid);
        options.Log($"{cache.Name}: was blank; formatted in layout {options.Layout.Name} with {plan.SegmentCount} "
            + $"segments of {ByteSize.Format(plan.SegmentBytes)}");
    }

    /// <summary>A cache keeps the segment size it was formatted with: asking for another one is a mistake.</summary>
    private static void CheckSegmentSize(RingContext io, Device cache, Layout layout, VolumeSpec spec)
    {
        if (GivenSegmentBytes(spec) is not { } given) return;
        Superblock found = SuperblockReader.Read(
            layout, new BlockingIo(io), cache.OpenQueue(io), cache, out _, out _);
        if (found.SegmentBytes == given) return;
        throw new UserErrorException($"{cache.Name}: was formatted with segments of "
            + $"{ByteSize.Format(found.SegmentBytes)}; {SegmentSizeOption} {ByteSize.Format(given)} "
            + "does not change that: leave it out");
    }

    private UserErrorException Refusal(Device cache, string description, Content content) =>
        new(content.Mark == s_records
            ? $"{cache.Name}: holds {description}; what was written and not yet written back is still in its log"
            : $"{cache.Name}: holds {description}{HintAtLc1(content)}; 'weir format {Name} --cache {cache.Name} "
                + "--force' would overwrite it");

    /// <summary>Nothing tells such a cache from any other bytes.</summary>
    private static string HintAtLc1(Content content) => content.Kind == ContentKind.Unknown
        ? " (if it is a cache in layout lc1, which has no magic number, say so with --layout lc1)" : "";

    private sealed class CacheDevices(WriteboostVolume volume, VolumeSpec spec, Action<string> log) : IDeviceControl
    {
        public OpenedExport Attach(string text)
        {
            BackingArgument given = BackingArgument.TryParseNamed(text)
                ?? throw new UserErrorException($"attach '{text}': expected [ID:]NAME=PATH", Program.WrongUsage);
            if (given.Id == 0)
                throw new UserErrorException($"'{given.Name}': a device without cache is given at the start: "
                    + $"weir serve --backing 0:{given.Name}={given.Path}", Program.WrongUsage);
            if (spec.Devices.Backings.Any(other => other.Id == 0 && other.Name == given.Name))
                throw new UserErrorException($"'{given.Name}': is the name of a device without cache");
            Device device = Opening.OpenBacking(given.Path, readOnly: false, log);
            try
            {
                using RingContext io = new();
                return new OpenedExport(volume, volume.Attach(new BackingSpec(given.Id, given.Name, device), io));
            }
            catch
            {
                device.Dispose();
                throw;
            }
        }

        public void Detach(string name, Func<bool> isCancelled) => volume.Detach(name, isCancelled);
    }
}
