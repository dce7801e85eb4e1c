using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Volume;

/// <content>Opening, and what the steps of recovery are made of.</content>
public sealed unsafe partial class WriteboostVolume
{
    internal WriteboostVolume(
        Layout layout, Device cache, DeviceTable? deviceTable, bool isTableDue, Fingerprints fingerprints,
        List<BackingDevice> backings, IRamStore ram, WriteboostOptions options, Superblock superblock)
    {
        Layout = layout;
        Cache = cache;
        Devices = new DeviceRecords(deviceTable, isTableDue, options);
        Fingerprints = fingerprints;
        foreach (BackingDevice backing in backings) Backings.Set(backing);
        if (deviceTable is { IsComplete: true }) Backings.ForgetUnknown();
        First = backings.Find(static backing => !backing.IsAbsent)!;
        Options = options;
        options.SetDeviceThreshold = SetThreshold;
        options.Changed = Queues.WakeAll;
        Health = new VolumeHealth(options.Log);
        State = new SuperblockState(superblock);
        Memory = new LogMemory(layout, State, cache, ram, options);
        Geometry = layout.GeometryOf(superblock);
        SegmentTable table = new(Geometry);
        Index = new BlockIndex(Geometry, table, options.VerifyReads);
        Ranges = new RangeMap(options.RangeBudget);
        Versions = new VersionMap(Geometry, table, Index, Ranges);
        Changes = new StripedVersions(Geometry.SlotCount);
        Around = new WritesAround(Queues.WakeAll);
        FlushLock = new FlushLock(Queues.WakeAll);
        Readers = new ReaderEpoch();
        RangePressure = new RangePressure(Queues);
        Holdings = new LogHoldings(Index, Ranges);
        Evidence = new LogEvidence(cache, State, Backings, Holdings, fingerprints, options);
        Identity = new IdentityCheck(cache, Backings, Holdings, fingerprints, Evidence, options);
        Hangs = new Hangs(cache, Backings);
        Alone = new ServedAlone(Backings, options);
        Commits = new SuperblockOrders(options, Health, Queues);
        Growth = new GrowthOrders(cache, Geometry, Backings, Health, Queues, options);
        Log = null!;
        Table = table;
    }

    private SegmentTable Table { get; }

    /// <summary>
    /// Opens a formatted cache over its backing devices: finds the log's end, replays it, finishes what a life that
    /// died in this boot had acknowledged, flushes both devices, raises the epoch. Synchronous, on the thread that owns
    /// <paramref name="io"/>. Can be cut at any point and started again.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// Not a cache, not this backing device's, damaged below what was flushed: nothing was written. Or a device fails.
    /// </exception>
    public static WriteboostVolume Open(
        IoContext io, Device cache, IReadOnlyList<BackingSpec> backings, IRamStore ram, WriteboostOptions options)
    {
        using LifeSteps life = new(io, cache, backings, ram, options);
        return life.Run();
    }

    // With what it was opened: its steps are taken back at the end.
    private LifeSteps? _life;

    private Replay NewReplay() => new(Geometry, Table, Index, Ranges)
    {
        CleanPosition = CleanPositionAtStart(),
        AroundPosition = Superblock.AroundPosition,
        IsHere = IsHere,
        KeptPosition = Superblock.HasKept && !Options.Rebind ? Superblock.KeptPosition : 0,
        KeptKey = Superblock.KeptKey,
        FirstPositions = DeviceTable?.FirstPositions(),
    };

    // R10: what was read from the backing device is still there after an orderly stop only, and on the same device.
    private long CleanPositionAtStart() => Mutant.Is(WriteboostMutant.R10CleanAfterCrash) ? 0
        : Superblock.IsClean && !Options.Rebind && !AnyHasShrunk && !Identity.AnyDiffers && !Identity.AnyWasWritten
            ? Superblock.CleanPosition
        : long.MaxValue;

    // A device that is away may change there.
    private bool IsHere(int id, long position) =>
        Backings.Find(id) is { IsAbsent: false } backing && position >= backing.FirstPosition;

    // The oldest segment whose blocks serve reads although the backing device has them (R10).
    private long Warm(BlockingIo io, DeviceQueue queue, Replay replay, long tail, out long blocks)
    {
        blocks = 0;
        bool counts = CleanPositionAtStart() != long.MaxValue || Mutant.Is(WriteboostMutant.R10WarmAfterCrash);
        // What is kept is in no index: what is older would come back over it.
        if (!counts || !Superblock.IsWarm || Superblock.HasKept || replay.HasPoison) return tail;
        using WarmScan scan = new(Superblock, Geometry, io, queue, Cache, replay);
        long first = Geometry.SegmentOf(Math.Max(Superblock.WarmPosition, Superblock.AroundPosition));
        long last = Geometry.SegmentOf(Superblock.SettledPosition - 1);
        first = Math.Max(first, last + 1 - Geometry.SegmentCount);
        if (first >= tail) return tail;
        long oldest = scan.Run(first, Options.WarmUs);
        blocks = scan.Blocks;
        return oldest;
    }

    // The module's mark may lie behind its log.
    private void MoveTail(long tail)
    {
        if (Layout.HasEpochs) return;
        Superblock.MarkPosition = Geometry.Position(tail, 0);
        Superblock.MarkSequence = tail;
    }

    // R4: the new epoch, before the first append.
    private void BeginEpoch(BlockingIo io, DeviceQueue queue, bool copyBFirst)
    {
        if (!Layout.HasEpochs) return;
        Superblock.RaiseEpoch();
        if (CleanPositionAtStart() == long.MaxValue) Superblock.CleanPosition = Superblock.SettledPosition;
        Superblock.Flags &= ~Superblock.CleanFlag;
        using SuperblockWriter writer = new(Layout, queue, io.Context);
        writer.Begin(ref Superblock, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{Cache.Name}: writing the superblock failed: {Errno.Text(writer.Result)}");
    }

    // Durable with the flush that follows.
    private void WriteNotes(SegmentNotes notes, BlockingIo io, DeviceQueue queue)
    {
        io.Start(queue, IoKind.Write, SegmentLayout.NotesOffset, notes.Pointer, Geometry.BlockBytes);
        io.WaitOrFail("writing the notes about its backing devices", Cache);
    }

    private SegmentLog StartLog(in LogEnd end)
    {
        RamSegments segments = Memory.Take(MostRamSegments);
        segments.NoteSealed(Geometry.SegmentOf(end.Position - 1), end.HeaderChecksum);
        return new SegmentLog(Layout, Superblock, Geometry, segments, Table, Readers, Health, end, Queues.WakeAll);
    }

    // A segment that no header proves must be found again among those that memory still had.
    private int MostRamSegments => Layout.HasEpochs ? Geometry.SegmentCount - 2
        : Math.Min(SegmentScan.MaxUnproven, Geometry.SegmentCount - 2);
}
