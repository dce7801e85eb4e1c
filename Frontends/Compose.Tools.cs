using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Tools;
using Weir.Frontends.Commands;

namespace Weir.Frontends;

// The offline tools, and what is on a cache device.
internal static partial class Compose
{
    /// <summary>What a cache device holds: a cache in a layout, something else, or nothing.</summary>
    private readonly record struct CacheContent(Layout? Layout, string? Foreign)
    {
        /// <summary>The bytes are the same in another layout, too: an empty cache of the kernel's.</summary>
        public bool IsAmbiguous { get; init; }

        /// <summary>For people; null when it is blank.</summary>
        public string? Description => Layout == null ? Foreign
            : Layout == Layout.Native ? "a weir cache" : $"a dm-writeboost cache (layout {Layout.Name})";
    }

    /// <summary>Reads everything that counts; the number of problems found.</summary>
    public static long Check(
        VolumeSpec spec, IItemWriter items, Action<string> log, Action<string, long, long>? progress)
    {
        using Device device = OpenDevice(spec.Cache!, readOnly: true, log);
        using RingContext io = new();
        using OfflineCache cache = OpenOffline(io, device, spec, progress);
        using Checker checker = new(cache, items);
        return checker.Run(OpenMemory(null, static _ => { }));
    }

    /// <summary>Shows what lies on the device: all, or the place <paramref name="segment"/>.</summary>
    public static void Dump(
        VolumeSpec spec, long? segment, IItemWriter items, Action<string> log, Action<string, long, long>? progress)
    {
        using Device device = OpenDevice(spec.Cache!, readOnly: true, log);
        using RingContext io = new();
        using OfflineCache cache = OpenOffline(io, device, spec, progress);
        new Dumper(cache, items).Run(segment);
    }

    /// <summary>Repairs, or says what it would do; false when more must be decided first.</summary>
    public static bool Repair(VolumeSpec spec, RepairSpec repair, IItemWriter items, Action<string> log,
        Action<string, long, long>? progress)
    {
        if (repair.Write) CheckNoneWaits(spec);
        using Device device = OpenDevice(spec.Cache!, readOnly: !repair.Write, log);
        using RingContext io = new();
        RepairOptions options = new() { Write = repair.Write, DropAfter = repair.DropAfter, CacheId = repair.CacheId,
            Damaged = repair.KeepsDamaged is not { } keeps ? null : keeps ? DamagedData.Keep : DamagedData.Drop,
            Segment = repair.Segment, Mark = repair.Mark, Progress = progress };
        // Throws when another layout is there than was named.
        CacheContent content = Look(io, device, spec.Layout, progress);
        Layout? layout = spec.Layout == null ? content.Layout : Layout.Find(spec.Layout);
        if (layout is SegmentLayout segments)
            return new SegmentRepairer(io, device, segments, options, items).Run();
        bool isOurs = content.Layout == Layout.Native || content.Foreign == ContentProbe.DamagedCache;
        if (!isOurs)
            throw new UserErrorException(content.Description is { } description
                ? $"{device.Name}: holds {description}, which is not repaired as layout native"
                : $"{device.Name}: is blank: there is nothing to repair");
        return new Repairer(io, device, options, items).Run();
    }

    /// <summary>
    /// Writes everything back. <paramref name="progress"/> is told of what, how many are done, of how many. 0, 1 when
    /// it was stopped before the end, or a negative errno. <paramref name="givesUp"/> is given up where it is lost.
    /// </summary>
    public static int Drain(
        VolumeSpec spec, string[] givesUp, Func<bool> stopAsked, Action<string, long, long> progress,
        Action<string> log)
    {
        CheckNoneWaits(spec);
        using OpenedVolume opened = Open(spec, log, progress, stopAsked);
        using RingContext io = new();
        WriteboostVolume volume = (WriteboostVolume)opened.Volume;
        Drainer drainer = new(volume, io) { GivesUp = givesUp };
        int result = drainer.Run(
            stopAsked, at => progress(at.Unit, at.TotalBlocks - at.DirtyBlocks, at.TotalBlocks));
        if (result == 0 && drainer.LeftBehind is { } left)
            throw new UserErrorException(
                $"{spec.Cache}: not drained: {left} stay: give it too, with --backing NAME=PATH");
        if (result == 1 && volume.Health.State != VolumeState.Healthy)
            throw new UserErrorException($"stopped: the volume became {VolumeHealth.NameOf(volume.Health.State)}: "
                + $"{volume.Health.Reason}; what is not written back stays on the cache device"
                + (volume.LostSentence is { } also ? $"; {also}; {GiveUpHint}" : ""));
        if (result == 1 && drainer.HasReachedEnd && volume.LostSentence is { } lost)
            throw new UserErrorException($"{spec.Cache}: all else is written back, but {lost}; {GiveUpHint}");
        if (result == 1)
            throw new UserErrorException(
                $"interrupted: {drainer.Left} left in {spec.Cache}; start again to go on");
        return result;
    }

    private const string GiveUpHint = "--give-up NAME:OFFSET+LENGTH, or --give-up all, gives them up";

    /// <summary>Throws when one of the devices holds something that a benchmark would write over; names it.</summary>
    public static void CheckNothingIsThere(VolumeSpec spec, Action<string, long, long>? progress)
    {
        List<string> paths = [.. spec.Backings.Select(static backing => backing.Path)];
        if (spec.Cache != null) paths.Add(spec.Cache);
        using RingContext io = new();
        foreach (string path in paths)
        {
            using Device device = DeviceOpener.Open(path, readOnly: true, anySize: true);
            if (Look(io, device, null, progress).Description is { } found)
                throw new UserErrorException(
                    $"{path}: holds {found}; 'weir bench' would write over it: expected a blank one, or --force");
        }
    }

    private static OfflineCache OpenOffline(
        RingContext io, Device device, VolumeSpec spec, Action<string, long, long>? progress)
    {
        CacheContent content = Look(io, device, spec.Layout, progress);
        if (content.Foreign == ContentProbe.DamagedCache)
            throw new UserErrorException($"{device.Name}: holds {content.Foreign}; 'weir repair writeboost --cache "
                + $"{device.Name}' can rebuild the superblock");
        Layout layout = content.Layout ?? throw new UserErrorException(content.Foreign == null
            ? $"{device.Name}: is blank: no cache"
            : $"{device.Name}: holds {content.Foreign}, not a cache{HintAtLc1(content.Foreign)}");
        BlockingIo blocking = new(io);
        Superblock superblock = SuperblockReader.Read(layout, blocking, device.OpenQueue(io), device, out _, out _);
        return new OfflineCache(io, device, layout, superblock) { Progress = progress, ReadsPastErrors = true };
    }

    /// <summary>
    /// Looks what is there; <paramref name="asked"/> is the layout that the user named, or null. Throws when a cache is
    /// there in another one.
    /// </summary>
    private static CacheContent Look(
        RingContext io, Device cache, string? asked, Action<string, long, long>? progress = null)
    {
        (byte[] head, byte[] tail) = ContentProbe.Read(io, cache);
        Layout? wanted = asked == null ? null : Layout.Find(asked);
        IReadOnlyList<Layout> found = LayoutProbe.Find(io, cache, head);
        foreach (Layout layout in found)
            if (wanted == null || layout == wanted)
                return new CacheContent(layout, null) { IsAmbiguous = wanted == null && found.Count > 1 };
        if (found.Count > 0)
            throw new UserErrorException($"{cache.Name}: holds {new CacheContent(found[0], null).Description}, not one "
                + $"in layout {asked}; leave --layout out");
        string? foreign = ContentProbe.Describe(head, tail) ?? ContentProbe.DescribeMiddle(io, cache, progress);
        // Nothing marks a cache of this layout; recovery looks whether the segments' ids can be those of one.
        bool isUnmarked = wanted is SegmentLayout { Magic.Length: 0 }
            && foreign?.StartsWith(ContentProbe.Unknown, StringComparison.Ordinal) == true;
        return isUnmarked ? new CacheContent(wanted, null) : new CacheContent(null, foreign);
    }
}
