using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Frontends.Commands;
using Weir.Frontends.Nbd;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// Puts the program together: the only file that names concrete engines, devices and frontends.
/// </summary>
internal static partial class Compose
{
    /// <summary>Engines by the names that users give.</summary>
    public static IReadOnlyList<string> Engines { get; } = ["writeboost", "passthrough"];

    /// <summary>The engine has a cache device.</summary>
    public static bool HasCache(string engine) => engine != "passthrough";

    /// <summary>Throws when no layout is called <paramref name="name"/>.</summary>
    public static void CheckLayout(string? name)
    {
        if (name != null) Layout.Find(name);
    }

    /// <summary>Makes an empty cache; one line that says what was made.</summary>
    public static string Format(VolumeSpec spec, Action<string> log, Action<string, long, long>? progress)
    {
        CheckNoneWaits(spec);
        using Device cache = OpenDevice(spec.Cache!, readOnly: false, log);
        using RingContext io = new();
        Layout layout = Layout.Find(spec.Layout ?? Layout.Native.Name);
        if (!spec.Force && Look(io, cache, null, progress).Description is { } content) throw Refusal(cache, content);
        Superblock plan = WriteboostFormat.Plan(cache, layout, SegmentBytes(spec, layout), Guid.NewGuid);
        Preallocate(cache);
        WriteboostFormat.Format(io, cache, layout, plan.SegmentBytes, Guid.NewGuid);
        return $"{cache.Name}: writeboost, layout {layout.Name}, {plan.SegmentCount} segments of "
            + ByteSize.Format(plan.SegmentBytes) + (layout.Limits.Length > 0 ? $" ({layout.Limits})" : "");
    }

    /// <summary>Opens a volume and everything below it.</summary>
    public static OpenedVolume Open(
        VolumeSpec spec, Action<string> log, Action<string, long, long>? progress = null,
        Func<bool>? stopAsked = null)
    {
        CheckDistinct(spec);
        List<IDisposable> below = [];
        try
        {
            return spec.Engine == "passthrough"
                ? OpenPassthrough(spec, below, log)
                : OpenWriteboost(spec, below, log, progress, stopAsked);
        }
        catch
        {
            below.ForEach(static part => part.Dispose());
            throw;
        }
    }

    private static void CheckDistinct(VolumeSpec spec)
    {
        for (int i = 0; i < spec.Backings.Count; i++)
        {
            string path = spec.Backings[i].Path;
            if (spec.Cache != null && DeviceOpener.IsSame(spec.Cache, path))
                throw new UserErrorException(
                    $"{spec.Cache}: is the backing device too; a cache needs a device of its own");
            for (int j = 0; j < i; j++)
                if (DeviceOpener.IsSame(spec.Backings[j].Path, path))
                    throw new UserErrorException($"{path}: is backing device '{spec.Backings[j].Name}' and "
                        + $"'{spec.Backings[i].Name}'; each needs a device of its own");
        }
    }

    private static OpenedVolume OpenPassthrough(VolumeSpec spec, List<IDisposable> below, Action<string> log)
    {
        SetOptions([], spec);
        List<OpenedExport> exports = [];
        foreach (BackingArgument backing in spec.Backings) exports.Add(Uncached(backing, spec, below, log));
        List<PassthroughVolume> volumes = exports.ConvertAll(static export => (PassthroughVolume)export.Volume);
        return new OpenedVolume(exports[0].Volume, exports, PassthroughOrders.To(volumes), below);
    }

    /// <summary>A device without cache: the engine passthrough, whatever the others have.</summary>
    private static OpenedExport Uncached(
        BackingArgument backing, VolumeSpec spec, List<IDisposable> below, Action<string> log)
    {
        PassthroughVolume volume =
            new(Keep(below, OpenBacking(backing.Path, spec.ReadOnly, log)), backing.Name, spec.ReadOnly);
        return new OpenedExport(volume, volume);
    }

    private static OpenedVolume OpenWriteboost(
        VolumeSpec spec, List<IDisposable> below, Action<string> log, Action<string, long, long>? progress,
        Func<bool>? stopAsked)
    {
        WriteboostOptions options = new()
        {
            VolumeName = spec.Name, ReadOnly = spec.ReadOnly, Log = log, Progress = progress,
            StopAsked = stopAsked, CachePath = Path.GetFullPath(DeviceOpener.FileOf(spec.Cache!)),
            AddsDevices = !spec.MustExist,
            Fallback = static device => new PassthroughVolume(device),
        };
        List<Tunable> tunables = WriteboostTunables.Of(options);
        SetOptions(tunables, spec);
        Device cache = Keep(below, OpenDevice(spec.Cache!, spec.ReadOnly, log));
        List<BackingSpec> cached = [];
        foreach (BackingArgument backing in spec.Backings)
            if (backing.Id != 0)
                cached.Add(new(backing.Id, backing.Name, Keep(below, OpenBacking(backing.Path, spec.ReadOnly, log))));
        List<OpenedExport> uncached = [];
        foreach (BackingArgument backing in spec.Backings)
            if (backing.Id == 0) uncached.Add(Uncached(backing, spec, below, log));
        options.Uncached = uncached.ConvertAll(
            static export => (export.Volume, ((PassthroughVolume)export.Volume).Backing));
        using RingContext io = new();
        Prepare(io, cache, cached, spec, options, log);
        WriteboostVolume volume = WriteboostVolume.Open(io, cache, cached, OpenMemory(spec.Memory, log), options);
        tunables.AddRange(WriteboostTunables.OrdersTo(volume));
        List<OpenedExport> exports = ExportsOf(volume, spec, uncached);
        return new OpenedVolume(volume, exports, tunables, below, new CacheDevices(volume, spec, log));
    }

    /// <summary>In the order of the command line: the first is the default.</summary>
    private static List<OpenedExport> ExportsOf(
        WriteboostVolume volume, VolumeSpec spec, List<OpenedExport> uncached)
    {
        Queue<OpenedExport> alone = new(uncached);
        return [.. spec.Backings.Select(backing => backing.Id == 0
            ? alone.Dequeue() : new OpenedExport(volume, volume.ExportOf(backing.Name)))];
    }

    /// <summary>Formats a blank cache; refuses what is neither blank nor ours. Checks first, writes then.</summary>
    private static void Prepare(
        RingContext io, Device cache, List<BackingSpec> backings, VolumeSpec spec, WriteboostOptions options,
        Action<string> log)
    {
        CacheContent content = Look(io, cache, spec.Layout, options.Progress);
        if (content.Foreign != null) throw Refusal(cache, content.Foreign);
        if (content.IsAmbiguous)
            throw new UserErrorException($"{cache.Name}: holds an empty dm-writeboost cache, which is the same bytes "
                + "in layouts writeboost2 and writeboost1: say which with --layout");
        options.Layout = content.Layout ?? Layout.Find(spec.Layout ?? Layout.Native.Name);
        options.CheckLayout();
        if (content.Layout != null) CheckSegmentSize(io, cache, options.Layout, spec);
        if (content.Layout != null && !spec.ReadOnly) Preallocate(cache);
        if (content.Layout != null) return;
        if (spec.MustExist) throw new UserErrorException($"{cache.Name}: is blank: no cache");
        if (spec.ReadOnly) throw new UserErrorException($"{cache.Name}: is blank, and --read-only formats nothing");
        Superblock plan =
            WriteboostFormat.Plan(cache, options.Layout, SegmentBytes(spec, options.Layout), Guid.NewGuid);
        OpenChecks.Check(cache, plan);
        _ = new Binding(null, 0, options).Bind(backings);
        Preallocate(cache);
        WriteboostFormat.Format(io, cache, options.Layout, plan.SegmentBytes, Guid.NewGuid);
        log($"{cache.Name}: was blank; formatted in layout {options.Layout.Name} with {plan.SegmentCount} segments of "
            + $"{ByteSize.Format(plan.SegmentBytes)}");
    }

    /// <summary>A cache keeps the segment size it was formatted with: asking for another one is a mistake.</summary>
    private static void CheckSegmentSize(RingContext io, Device cache, Layout layout, VolumeSpec spec)
    {
        if (spec.SegmentBytes == null) return;
        Superblock found = SuperblockReader.Read(
            layout, new BlockingIo(io), cache.OpenQueue(io), cache, out _, out _);
        if (found.SegmentBytes == spec.SegmentBytes) return;
        throw new UserErrorException($"{cache.Name}: was formatted with segments of "
            + $"{ByteSize.Format(found.SegmentBytes)}; --segment-size {ByteSize.Format(spec.SegmentBytes.Value)} "
            + "does not change that: leave it out");
    }

    private static UserErrorException Refusal(Device cache, string content) => new(content == ContentProbe.DamagedCache
        ? $"{cache.Name}: holds {content}; what was written and not yet written back is still in its log"
        : $"{cache.Name}: holds {content}{HintAtLc1(content)}; 'weir format writeboost --cache {cache.Name} --force' "
            + "would overwrite it");

    /// <summary>Nothing tells such a cache from any other bytes.</summary>
    private static string HintAtLc1(string? content) =>
        content?.StartsWith(ContentProbe.Unknown, StringComparison.Ordinal) == true
            ? " (if it is a cache in layout lc1, which has no magic number, say so with --layout lc1)" : "";

    /// <summary>So that a full file system cannot fail a log write later (R16).</summary>
    private static void Preallocate(Device cache)
    {
        int result = cache.Preallocate();
        if (result < 0) throw new UserErrorException($"{cache.Name}: cannot reserve its space: {Errno.Text(result)}");
    }

    private static int SegmentBytes(VolumeSpec spec, Layout layout) =>
        (int)Math.Min(spec.SegmentBytes ?? layout.DefaultSegmentBytes, int.MaxValue);

    /// <summary>Shared memory where there is some; without it, acknowledgements wait for the log (R1).</summary>
    private static IRamStore OpenMemory(string? chosen, Action<string> log)
    {
        if (chosen == VolumeSpec.NoMemory) return new PrivateMemoryStore(MemoryPlaces.ToSearch(null));
        // What the user names is there, or he is told that it is not.
        if (chosen != null) return new SharedMemoryStore(Path.GetFullPath(chosen));
        try
        {
            return new SharedMemoryStore();
        }
        catch (UserErrorException e)
        {
            log($"no memory that outlives the process ({e.Message}): writes are acknowledged once they are durable");
            return new PrivateMemoryStore(MemoryPlaces.ToSearch(null));
        }
    }

    private static Device Keep(List<IDisposable> below, Device device)
    {
        below.Add(device);
        return device;
    }

    /// <summary>Takes the addresses that clients connect to, or the driver that makes block devices.</summary>
    public static IListening Listen(VolumeSpec volume, ServingSpec spec)
    {
        if (spec.Ublk != null) return ListenUblk(volume, spec);
        CheckNoneWaits(volume);
        List<Listener> listeners = [];
        try
        {
            foreach (string address in spec.Listen) listeners.Add(Listener.Open(address, spec.Insecure));
            return new NbdListening([.. listeners], spec);
        }
        catch
        {
            listeners.ForEach(static listener => listener.Dispose());
            throw;
        }
    }

    /// <summary>A file of any size: its last partial sector is served too.</summary>
    private static Device OpenBacking(string path, bool readOnly, Action<string> log) =>
        OpenDevice(path, readOnly, log, anySize: true);

    private static Device OpenDevice(string path, bool readOnly, Action<string> log, bool anySize = false)
    {
        Device device = DeviceOpener.Open(path, readOnly, anySize);
        if (DeviceOpener.Warning(device) is { } warning) log(warning);
        return device;
    }

    private static void SetOptions(List<Tunable> tunables, VolumeSpec spec)
    {
        foreach ((string key, string value) in spec.Options) Tunable.Find(tunables, key).Set(value, atStart: true);
    }

    private sealed class CacheDevices(WriteboostVolume volume, VolumeSpec spec, Action<string> log) : IDeviceControl
    {
        public OpenedExport Attach(string text)
        {
            BackingArgument given = BackingArgument.TryParseNamed(text)
                ?? throw new UserErrorException($"attach '{text}': expected [ID:]NAME=PATH", Program.WrongUsage);
            if (given.Id == 0)
                throw new UserErrorException($"'{given.Name}': a device without cache is given at the start: "
                    + $"weir serve --backing 0:{given.Name}={given.Path}", Program.WrongUsage);
            if (spec.Backings.Any(other => other.Id == 0 && other.Name == given.Name))
                throw new UserErrorException($"'{given.Name}': is the name of a device without cache");
            Device device = OpenBacking(given.Path, readOnly: false, log);
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

    private sealed class NbdListening(Listener[] listeners, ServingSpec spec) : IListening
    {
        private bool _serving;

        public IServing Serve(OpenedVolume volume, int queues, Action<Exception> onFailure)
        {
            NbdServer server = NbdServer.Start(new NbdServerOptions
            {
                Exports = [.. volume.Exports.Select(Export.Of)],
                Listeners = listeners,
                Queues = queues,
                MaxConnections = spec.MaxConnections,
                MemoryBytes = spec.RequestMemoryBytes,
                Log = Program.Log,
                OnFailure = onFailure,
            });
            _serving = true;
            return server;
        }

        public void Dispose()
        {
            if (_serving) return;
            foreach (Listener listener in listeners) listener.Dispose();
        }
    }
}
