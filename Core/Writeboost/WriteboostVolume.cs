using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Queue;
using Weir.Core.Writeboost.Scrub;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost;

/// <summary>
/// The engine <c>writeboost</c>: a log-structured write cache, rebuilt from dm-lc and dm-writeboost (seeds 000, 001,
/// 003). This class holds what the queue threads share; their work is in <see cref="WriteboostQueue"/>.
/// </summary>
public sealed unsafe partial class WriteboostVolume : IVolume
{
    private const long ActivityGrainUs = 1000;

    private readonly WriteboostQueue?[] _queues = new WriteboostQueue?[ReaderGate.MaxQueues];
    private long _lastActivityUs;
    private int _rangesPressed;
    private int _refusedWith;
    private long _segmentsWrittenBack;
    private long _cleanOutdated;
    private long _keptEnd;
    private bool _wasAbsent;
    private long _rottenSegment;
    private long _rottenClean;
    private long _rottenDirty;

    /// <summary>Rises before anything leaves index or ranges; written by the reclaimer.</summary>
    internal long Reclaims;

    /// <summary>The superblock as last written or about to be; changed on the first queue's thread only.</summary>
    public Superblock Superblock;

    /// <inheritdoc/>
    public string Engine => "writeboost";

    /// <inheritdoc/>
    public long SizeBytes => First.ClientBytes;

    /// <inheritdoc/>
    public bool ReadOnly => Options.ReadOnly;

    /// <inheritdoc/>
    public bool CanDiscard => Layout.HasRanges;

    /// <inheritdoc/>
    public bool CanFastZero => Layout.HasRanges;

    /// <summary>Settings of this life.</summary>
    public WriteboostOptions Options { get; }

    /// <summary>The form of what lies on the cache device.</summary>
    public Layout Layout { get; }

    /// <summary>Where things are.</summary>
    public Geometry Geometry { get; }

    /// <summary>The state, and why.</summary>
    public VolumeHealth Health { get; }

    internal Device Cache { get; }

    internal SegmentLog Log { get; private set; }

    internal BlockIndex Index { get; }

    internal RangeMap Ranges { get; }

    internal VersionMap Versions { get; }

    internal StripedVersions Changes { get; }

    internal WritesAround Around { get; }

    internal RefusingDevices Refusals { get; }

    internal FlushLock FlushLock { get; }

    internal ScrubFigures Scrub { get; } = new();

    internal ReaderGate Gate { get; }

    internal WriteThrottle Throttle { get; } = new();

    internal QueueSet Queues { get; } = new(ReaderGate.MaxQueues);

    internal CounterTotals<QueueCounters> Counters { get; } = new(ReaderGate.MaxQueues);

    /// <summary>Blocks written to their backing devices in this life.</summary>
    public long BlocksWrittenBack { get; private set; }

    // Written when the first queue is opened.
    internal long WritebackBytes { get; set; }

    internal CleaningGovernor Governor { get; }

    // What a drain of an earlier life had written lies in the log until the mark passes it.
    internal bool HasKeptBlocks => Log.DirtyPosition < _keptEnd;

    internal bool RangesPressed => Volatile.Read(ref _rangesPressed) != 0;

    // Writes that need room fail with this errno; 0: they wait for it. Written on the first queue's thread.
    internal int RefusedWith { get => Volatile.Read(ref _refusedWith); set => Volatile.Write(ref _refusedWith, value); }

    /// <inheritdoc/>
    public IVolumeQueue OpenQueue(int index, IoContext io)
    {
        WriteboostQueue queue = new(this, index, io);
        Volatile.Write(ref _queues[index], queue);
        io.RegisterSlab(Log.Ram.DataStart, Log.Ram.DataBytes);
        return queue;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Log.Ram.Dispose();
        Log.Dispose();
        DisposeStructures();
        foreach (WriteboostQueue? queue in _queues) queue?.Dispose();
        foreach (BackingDevice backing in Backings.ToList())
            if (!backing.IsAbsent) backing.Device.Dispose();
        Cache.Dispose();
    }

    private void DisposeStructures()
    {
        Table.Dispose();
        Index.Dispose();
        Ranges.Dispose();
        Changes.Dispose();
        Gate.Dispose();
        _deviceTable?.Dispose();
        Fingerprints.Dispose();
        _known?.Dispose();
        _notes?.Dispose();
    }

    // Written by all queues: only when it says something new.
    internal void NoteActivity(long nowUs)
    {
        if (nowUs - Volatile.Read(ref _lastActivityUs) >= ActivityGrainUs) Volatile.Write(ref _lastActivityUs, nowUs);
    }

    // The budget of ranges is full: write-back must free some, the open segment's too.
    internal void RelieveRanges()
    {
        if (Interlocked.Exchange(ref _rangesPressed, 1) == 0) Queues.WakeAll();
    }

    internal void EndRangePressure()
    {
        Volatile.Write(ref _rangesPressed, 0);
        Queues.WakeAll();
    }

    internal void CountWrittenBack(int blocks, int segments)
    {
        BlocksWrittenBack += blocks;
        _segmentsWrittenBack += segments;
    }

    private string NameOfDevice(ulong key) =>
        Backings.IsAbsent(key) ? $"absent device {BackingTable.IdOf(key)}" : Backings.Of(key).Device.Name;

    // Once per block: a client that reads it again and again shall not fill the log.
    internal void ReportRot(uint slot, bool isUnread = false)
    {
        if (!Index.MarkRotten(slot, out bool clean, unread: isUnread)) return;
        if (clean) Interlocked.Increment(ref _rottenClean); else Interlocked.Increment(ref _rottenDirty);
        // The next start does not know which it is.
        if (clean) OutdateClean();
        long position = Log.Table.PositionOf(slot);
        ulong key = Index.KeyOf(slot);
        Options.Log($"{Cache.Name}: block {BackingTable.OffsetOf(key) >> Geometry.BlockShift} of "
            + $"{NameOfDevice(key)} in segment {Geometry.SegmentOf(position)}, slot "
            + $"{Geometry.SlotOf(position)} {(isUnread ? "cannot be read" : "is rotten")}: it "
            + (clean ? "is read from the backing device"
                : isUnread ? "reads EIO until the cache device gives it, or it is written"
                : "reads EIO until it is written"));
    }

    // The cache device does not give the bytes of a slot that a reader has pinned. True: it is worth looking the block
    // up again, because the backing device has it, or something newer has come (R11). Of a device that has failed all
    // that it alone has is lost: no block of it need be named.
    internal bool PassOver(uint slot)
    {
        if (!Health.CacheHasFailed)
        {
            ReportRot(slot, isUnread: true);
            return !Index.TryGetDirty(slot, out _, out _);
        }
        if (Index.MarkRotten(slot, out bool clean, onlyClean: true)) Interlocked.Increment(ref _rottenClean);
        return clean || !Index.IsLinked(slot);
    }

    // Its blocks are read as they are; write-back decides what it means for the dirty ones.
    internal void ReportRottenHeader(long segment)
    {
        if (segment <= _rottenSegment) return;
        _rottenSegment = segment;
        Options.Log($"{Cache.Name}: a record header of segment {segment} is rotten"
            + (segment < Log.DirtySegment ? "; all of it has been written back" : ""));
    }

    // By whoever has the flush lock: write-back repeats what it had written, and nobody else can repeat what went
    // round.
    internal void ReportFailedFlush(int id, int errno)
    {
        if (Mutant.Is(WriteboostMutant.R6OthersFailureIgnored) || !Around.NoteFailedFlush(id)) return;
        HoldAround(id, errno);
        Queues.WakeAll();
    }

    // The device has perhaps forgotten what went round. What was read from it since may not be what it has later.
    internal void HoldAround(int id, int errno)
    {
        OutdateClean();
        Health.Hold(Trouble.AroundFlush, $"backing device {NameOfBacking(id)}: a flush failed: {Errno.Text(errno)}; up "
            + $"to {Around.Unflushed} may be lost, and flushes fail until 'weir message resume'");
    }

    // For people; empty: it has gone.
    internal string NameOfBacking(int id) =>
        Backings.Find(id) is { IsAbsent: false } device ? $"'{device.Name}' ({device.Device.Name})" : "";

    // Clean blocks logged so far may be out of date for the next start: a write goes round them.
    internal void OutdateClean() => AtomicMax.Raise(ref _cleanOutdated, Log.ReservedEnd);

    // The next start cannot see whether somebody else has written to the devices: nothing may depend on that.
    internal void OutdateUnnoted(int error)
    {
        if (Mutant.Is(WriteboostMutant.R10UnnotedIsWarm)) return;
        OutdateClean();
        Options.Log($"{Cache.Name}: writing the samples of devices failed: {Errno.Text(error)}: of what is cached only "
            + "what is dirty counts at the next start");
    }

    private void Outdate(long position)
    {
        Superblock.CleanPosition = Math.Max(Superblock.CleanPosition, position);
        Superblock.AroundPosition = Math.Max(Superblock.AroundPosition, position);
    }

    // What has left the index does not come back: a write may have gone round it. Nor what is of a device that was
    // away: it may have changed there.
    internal void SettleClean(long firstKept)
    {
        if (_wasAbsent || Backings.Absent.Length > 0) OutdateClean();
        (long sequence, uint checksum) = Log.Chain;
        if (Mutant.Is(WriteboostMutant.R10ForgottenIsWarm)) firstKept = Log.TailSegment;
        (Superblock.WarmPosition, Superblock.WarmEpoch) = (Geometry.Position(firstKept, 0), Superblock.Epoch);
        Superblock.Flags |= Superblock.CleanFlag;
        if (!Mutant.Is(WriteboostMutant.R10OutdatedKept))
            Outdate(Volatile.Read(ref _cleanOutdated));
        Superblock.Settle(Math.Max(Log.DurableRecord, Superblock.MarkPosition), sequence, checksum);
    }
}
