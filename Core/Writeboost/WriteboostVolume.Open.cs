using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost;

/// <content>Recovery, as a list of steps: everything is read and decided before anything is written (R12).</content>
public sealed unsafe partial class WriteboostVolume
{
    private WriteboostVolume(
        Layout layout, Device cache, Device backing, IRamStore ram, WriteboostOptions options, Superblock superblock)
    {
        Layout = layout;
        Cache = cache;
        Backing = backing;
        Backings.Add(new BackingDevice(BackingTable.MinId, backing));
        Options = options;
        _ram = options.ReadOnly ? new HeapRamStore() : ram;
        Health = new VolumeHealth(options.Log);
        Superblock = superblock;
        Geometry = new Geometry(superblock.SegmentBytes, superblock.SegmentCount);
        SegmentTable table = new(Geometry);
        Index = new BlockIndex(Geometry, table, options.VerifyReads);
        Ranges = new RangeMap(options.RangeBudget);
        Gate = new ReaderGate();
        Log = null!;
        Table = table;
    }

    private SegmentTable Table { get; }

    private string RamName => RamSegments.NameOf(Superblock, Cache.Identity);

    /// <summary>
    /// Opens a formatted cache over its backing device: finds the log's end, replays it, finishes what a life that died
    /// in this boot had acknowledged, flushes both devices, raises the epoch. Synchronous, on the thread that owns
    /// <paramref name="io"/>. Can be cut at any point and started again.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// Not a cache, not this backing device's, damaged below what was flushed: nothing was written. Or a device fails.
    /// </exception>
    public static WriteboostVolume Open(
        IoContext io, Device cache, Device backing, IRamStore ram, WriteboostOptions options)
    {
        DeviceQueue queue = cache.OpenQueue(io);
        BlockingIo blocking = new(io);
        Layout layout = Layout.Native;
        Superblock superblock = SuperblockReader.Read(blocking, queue, cache, out string? damaged, out bool copyBFirst);
        OpenChecks.Check(cache, backing, superblock, options);
        if (damaged != null) options.Log($"{cache.Name}: superblock copy {damaged} is damaged; using the other one");
        WriteboostVolume volume = new(layout, cache, backing, ram, options, superblock);
        volume.Recover(blocking, queue, ram, io, copyBFirst);
        return volume;
    }

    private void Recover(BlockingIo io, DeviceQueue queue, IRamStore ram, IoContext context, bool copyBFirst)
    {
        Replay replay = new(Geometry, Table, Index, Ranges);
        using LogScan scan = new(Superblock, Geometry, io, queue, Cache, replay);
        scan.Run();
        (long position, long sequence, uint checksum) = (scan.EndPosition, scan.NextSequence, scan.PreviousChecksum);
        using (RamSegments? old = RamSegments.Open(ram, RamName, Superblock))
        {
            if (old != null && RamFinish.HasWork(old, Geometry, position))
            {
                if (ReadOnly)
                    throw new UserErrorException(
                        $"{Cache.Name}: its last run died and left data in memory: start once without --read-only");
                RamFinish finish = new(Layout, Superblock, Geometry, old, io, queue, Cache, replay);
                finish.Run(scan);
                (position, sequence, checksum) = (finish.EndPosition, finish.NextSequence, finish.PreviousChecksum);
            }
        }
        string before = Superblock.IsClean ? "an orderly stop" : Superblock.Epoch == 0 ? "format" : "a crash";
        Superblock.Settle(position, sequence, checksum);
        if (!ReadOnly || Mutant.Is(MutantId.R16ReadOnlyWrites))
        {
            scan.RewriteUnproven();
            AbandonedFuture.Erase(Superblock, Geometry, io, queue, Cache);
            BeginEpoch(io, queue, context, copyBFirst);
        }
        LogEnd end = EndAt(position, sequence, checksum);
        Log = StartLog(end);
        Options.Log($"recovered {replay.EntryCount} entries of {end.LastSegment - end.TailSegment + 1} segments after "
            + $"{before}, epoch {Superblock.Epoch}");
    }

    // R12: what the scan believed must be durable before anybody is told; R4: the new epoch, before the first append.
    private void BeginEpoch(BlockingIo io, DeviceQueue queue, IoContext context, bool copyBFirst)
    {
        if (!Mutant.Is(MutantId.R12NoFlush))
        {
            io.StartFlush(queue);
            io.WaitOrFail("flush", Cache);
            if (Backing.CanFlush) io.StartFlush(Backing.OpenQueue(context));
            io.WaitOrFail("flush", Backing);
        }
        if (!Mutant.Is(MutantId.R4EpochNotRaised)) Superblock.Epoch++;
        Superblock.Flags &= ~Superblock.CleanFlag;
        Superblock.BackingBytes = Backing.SizeBytes;
        Superblock.BackingIdentity = Backing.Identity;
        using SuperblockWriter writer = new(queue, context);
        writer.Begin(ref Superblock, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{Cache.Name}: writing the superblock failed with errno {-writer.Result}");
    }

    private LogEnd EndAt(long position, long sequence, uint checksum)
    {
        long tail = Geometry.SegmentOf(Superblock.MarkPosition);
        return new LogEnd
        {
            Position = position,
            TailSegment = tail,
            LastSegment = position > Superblock.MarkPosition ? Geometry.SegmentOf(position - 1) : tail - 1,
            NextSequence = sequence,
            PreviousChecksum = checksum,
        };
    }

    private SegmentLog StartLog(in LogEnd end)
    {
        int count = Math.Clamp(Options.RamSegments, 2, Math.Max(2, Geometry.SegmentCount - 2));
        RamSegments segments = RamSegments.Create(_ram, RamName, Superblock, count);
        return new SegmentLog(Layout, Superblock, Geometry, segments, Table, Gate, Health, end, WakeQueues);
    }
}
