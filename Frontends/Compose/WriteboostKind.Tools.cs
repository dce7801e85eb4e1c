using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Tools;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

// The offline tools, and what is on a cache device.
internal sealed partial class WriteboostKind : IEngineTools
{
    /// <summary>What a cache device holds: a cache in a layout, or something else, or nothing.</summary>
    private readonly record struct CacheContent(Layout? Layout, Content Other)
    {
        /// <summary>The bytes are the same in another layout, too: an empty cache of the kernel's.</summary>
        public bool IsAmbiguous { get; init; }

        /// <summary>For people; null when it is blank.</summary>
        public string? Description => Layout == null ? Other.Description : Describe(Layout);
    }

    private const string DamagedCache = "a weir cache whose superblock copies are both damaged";

    // The first record begins at 1 MiB, and one begins in any two of the largest segments.
    private static readonly ContentMark s_records = new(
        "WEIRLOG1"u8.ToArray(), HeadOffsetBytes: 1 << 20, ApartBytes: 2 * Geometry.MaxSegmentBytes,
        DamagedCache);

    /// <inheritdoc/>
    public ContentMark Mark => s_records;

    /// <inheritdoc/>
    public string? Recognise(RingContext io, Device device, ReadOnlySpan<byte> head) =>
        LayoutProbe.Find(io, device, head) is [var layout, ..] ? Describe(layout) : null;

    /// <inheritdoc/>
    public string Format(in ToolRun run)
    {
        VolumeSpec spec = run.Spec;
        BlockDevices.CheckNoneWaits(spec);
        using Device cache = Opening.OpenDevice(spec.Devices.Cache!, readOnly: false, run.Log);
        using RingContext io = new();
        Layout layout = LayoutOf(spec) ?? Layout.Native;
        CacheContent content = spec.Force ? default : Look(io, cache, null, run.Progress);
        if (content.Description is { } description) throw Refusal(cache, description, content.Other);
        Superblock plan = WriteboostFormat.Plan(cache, layout, SegmentBytes(spec, layout), Guid.NewGuid);
        new SpaceReservation().Take(cache);
        WriteboostFormat.Format(io, cache, layout, plan.SegmentBytes, Guid.NewGuid);
        return $"{cache.Name}: {Name}, layout {layout.Name}, {plan.SegmentCount} segments of "
            + ByteSize.Format(plan.SegmentBytes) + (layout.Limits.Length > 0 ? $" ({layout.Limits})" : "");
    }

    /// <inheritdoc/>
    public long Check(in ToolRun run, IItemWriter items)
    {
        using Device device = Opening.OpenDevice(run.Spec.Devices.Cache!, readOnly: true, run.Log);
        using RingContext io = new();
        using OfflineCache cache = OpenOffline(io, device, run);
        using Checker checker = new(cache, items);
        return checker.Run(Opening.OpenMemory(null, static _ => { }));
    }

    /// <inheritdoc/>
    public void Dump(in ToolRun run, IItemWriter items)
    {
        long? segment = run.Spec.OwnValue<long>(SegmentOption);
        if (segment < 0)
            throw new UserErrorException(
                $"{SegmentOption} {segment}: expected a number from 0 on", Program.WrongUsage);
        using Device device = Opening.OpenDevice(run.Spec.Devices.Cache!, readOnly: true, run.Log);
        using RingContext io = new();
        using OfflineCache cache = OpenOffline(io, device, run);
        new Dumper(cache, items).Run(segment);
    }

    /// <inheritdoc/>
    public bool Repair(in ToolRun run, bool write, IItemWriter items)
    {
        VolumeSpec spec = run.Spec;
        if (write) BlockDevices.CheckNoneWaits(spec);
        using Device device = Opening.OpenDevice(spec.Devices.Cache!, readOnly: !write, run.Log);
        using RingContext io = new();
        RepairOptions options = RepairOptionsOf(run, write);
        // Throws when another layout is there than was named.
        CacheContent content = Look(io, device, spec.OwnOrNull<string>(LayoutOption), run.Progress);
        Layout? layout = LayoutOf(spec) ?? content.Layout;
        if (layout is SegmentLayout segments)
            return new SegmentRepairer(io, device, segments, options, items).Run();
        bool isOurs = content.Layout == Layout.Native || content.Other.Mark == s_records;
        if (!isOurs)
            throw new UserErrorException(content.Description is { } description
                ? $"{device.Name}: holds {description}, which is not repaired as layout native"
                : $"{device.Name}: is blank: there is nothing to repair");
        return new Repairer(io, device, options, items).Run();
    }

    /// <inheritdoc/>
    public int Drain(in ToolRun run, Func<bool> stopAsked)
    {
        string? cache = run.Spec.Devices.Cache;
        Action<string, long, long>? progress = run.Progress;
        BlockDevices.CheckNoneWaits(run.Spec);
        using OpenedVolume opened = Opening.Run(run.Spec, run.Log, progress, stopAsked);
        using RingContext io = new();
        IDrainable volume = (IDrainable)opened.Volume;
        Drainer drainer = new(volume, io) { GivesUp = GiveUpOption.ValuesOf(run.Spec) };
        int result = drainer.Run(
            stopAsked, at => progress?.Invoke(at.Unit, at.TotalBlocks - at.DirtyBlocks, at.TotalBlocks));
        return result == 1 ? throw GiveUpOption.Unfinished(drainer, volume, cache)
            : result == 0 && volume.LeftOfAbsent is { } left ? throw new UserErrorException(
                $"{cache}: not drained: {left} stay: give it too, with --backing NAME=PATH")
            : result;
    }

    private static RepairOptions RepairOptionsOf(in ToolRun run, bool write) => new()
    {
        Write = write, DropAfter = run.Spec.OwnValue<long>(DropAfterOption),
        CacheId = run.Spec.OwnValue<Guid>(UuidOption),
        Damaged = run.Spec.OwnOrNull<string>(DamagedOption) is not { } word ? null
            : word == "keep" ? DamagedData.Keep : DamagedData.Drop,
        Segment = run.Spec.OwnValue<long>(SegmentOption), Mark = run.Spec.OwnValue<long>(MarkOption),
        Progress = run.Progress,
    };

    private OfflineCache OpenOffline(RingContext io, Device device, in ToolRun run)
    {
        CacheContent content = Look(io, device, run.Spec.OwnOrNull<string>(LayoutOption), run.Progress);
        if (content.Other.Mark == s_records)
            throw new UserErrorException($"{device.Name}: holds {DamagedCache}; 'weir repair {Name} --cache "
                + $"{device.Name}' can rebuild the superblock");
        Layout layout = content.Layout ?? throw new UserErrorException(content.Other.IsBlank
            ? $"{device.Name}: is blank: no cache"
            : $"{device.Name}: holds {content.Other.Description}, not a cache{HintAtLc1(content.Other)}");
        BlockingIo blocking = new(io);
        Superblock superblock = SuperblockReader.Read(layout, blocking, device.OpenQueue(io), device, out _, out _);
        return new OfflineCache(io, device, layout, superblock) { Progress = run.Progress, ReadsPastErrors = true };
    }

    /// <summary>
    /// Looks what is there; <paramref name="asked"/> is the layout that the user named, or null. Throws when a cache is
    /// there in another one.
    /// </summary>
    private CacheContent Look(
        RingContext io, Device cache, string? asked, Action<string, long, long>? progress = null)
    {
        (byte[] head, byte[] tail) = ContentProbe.Read(io, cache);
        Layout? wanted = asked == null ? null : Layout.Find(asked);
        IReadOnlyList<Layout> found = LayoutProbe.Find(io, cache, head);
        foreach (Layout layout in found)
            if (wanted == null || layout == wanted)
                return new CacheContent(layout, default) { IsAmbiguous = wanted == null && found.Count > 1 };
        if (found.Count > 0)
            throw new UserErrorException(
                $"{cache.Name}: holds {Describe(found[0])}, not one in layout {asked}; leave --layout out");
        Content other = Contents.Of(io, cache, head, tail, progress, except: this);
        // Nothing marks a cache of this layout; recovery looks whether the segments' ids can be those of one.
        bool isUnmarked = wanted is SegmentLayout { Magic.Length: 0 } && other.Kind == ContentKind.Unknown;
        return isUnmarked ? new CacheContent(wanted, default) : new CacheContent(null, other);
    }

    private static string Describe(Layout layout) =>
        layout == Layout.Native ? "a weir cache" : $"a dm-writeboost cache (layout {layout.Name})";
}
