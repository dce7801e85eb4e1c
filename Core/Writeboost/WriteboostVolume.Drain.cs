using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost;

/// <content>
/// Drains: everything logged up to a position goes to its backing device, in log order, as fast as that takes it. For
/// whoever wants to let a device go, empty the cache, or hand it over. From any thread.
/// </content>
public sealed unsafe partial class WriteboostVolume
{
    private long _drainEnd;
    private long _deviceDrainEnd;
    private long _dropEnd;
    private long _blocksAhead;

    /// <summary>Nothing is dirty.</summary>
    public bool IsDrained => !IsDraining && IsWrittenBack(Log.ReservedEnd);

    /// <summary>A drain is under way.</summary>
    public bool IsDraining => Volatile.Read(ref _drainEnd) != 0 || Volatile.Read(ref _deviceDrainEnd) != 0;

    /// <summary>
    /// Versions of blocks that the mark has not passed. None once the volume goes on without its cache: then the
    /// backing devices have everything.
    /// </summary>
    public long DirtyBlocks => HasNoCache ? 0 : Index.DirtyCount;

    internal long DirtyBlocksOf(int id) => HasNoCache ? 0 : Index.DirtyOf(id);

    internal bool HasNoCache => Health.State == VolumeState.PassThrough;

    /// <summary>
    /// Discarded and zeroed ranges, or what newer ones have left of them, that the backing devices do not have yet.
    /// </summary>
    public int DirtyRanges => HasNoCache ? 0 : Ranges.CountFrom(Geometry.Position(Log.DirtySegment, 0));

    /// <summary>
    /// A drain's progress: as <see cref="DirtyBlocks"/>, without those of the batch under way that are written already.
    /// </summary>
    public long DrainBlocksLeft => Math.Max(0, DirtyBlocks - Volatile.Read(ref _blocksAhead));

    // Written from the batch under way; on the first queue's thread.
    internal long BlocksAhead
    {
        get => Volatile.Read(ref _blocksAhead);
        set => Volatile.Write(ref _blocksAhead, value);
    }

    /// <summary>
    /// Begins to write everything back that has been acknowledged so far; what comes later may stay. Returns the
    /// position for <see cref="IsWrittenBack"/>. Drains that overlap become one. A volume that is not healthy makes no
    /// progress: look at <see cref="Health"/> too.
    /// </summary>
    public long Drain()
    {
        long end = Log.ReservedEnd;
        AtomicMax.Raise(ref _drainEnd, end);
        Queues.WakeAll();
        return end;
    }

    /// <summary>Everything below <paramref name="position"/> is on its backing device, and the mark says so.</summary>
    public bool IsWrittenBack(long position) => position <= Geometry.Position(Log.DirtySegment, 0);

    /// <summary>
    /// As <see cref="Drain"/>, and then all that was cached until now is forgotten (dm-writeboost's drop_caches):
    /// the tail comes to the position that is returned.
    /// </summary>
    /// <exception cref="UserErrorException">The volume is served read-only: nothing is written back.</exception>
    public long DropCaches()
    {
        CheckWritesBack();
        long end = Drain();
        AtomicMax.Raise(ref _dropEnd, end);
        Queues.WakeAll();
        return end;
    }

    // The same for the segments before one of them. The first queue's thread, which lets nobody wait here.
    internal void OrderFreeBefore(long segment)
    {
        long end = Geometry.Position(segment, 0);
        if (!IsWrittenBack(end)) AtomicMax.Raise(ref _drainEnd, end);
        AtomicMax.Raise(ref _dropEnd, end);
    }

    /// <summary>Not all of what <see cref="DropCaches"/> is about has been forgotten.</summary>
    public bool IsDropping => Volatile.Read(ref _dropEnd) > Geometry.Position(Log.TailSegment, 0);

    /// <summary>
    /// Lets go of all drains, and of a growth that waits for one: write-back goes on at its own pace.
    /// </summary>
    public void CancelDrain()
    {
        Interlocked.Increment(ref _drainsCancelled);
        Volatile.Write(ref _segmentsWanted, 0);
        Volatile.Write(ref _drainEnd, 0);
        Volatile.Write(ref _dropEnd, 0);
        Queues.WakeAll();
    }

    // As Drain, for a device that leaves; on the first queue's thread. Apart: calling it off ends nobody else's.
    internal long DrainForDevice()
    {
        long end = Log.ReservedEnd;
        Health.AskRetry();
        Volatile.Write(ref _deviceDrainEnd, end);
        Queues.WakeAll();
        return end;
    }

    internal void CancelDeviceDrain() => Volatile.Write(ref _deviceDrainEnd, 0);

    // Unless somebody wants more by now.
    internal void EndDrain()
    {
        if (IsWrittenBack(Volatile.Read(ref _deviceDrainEnd))) CancelDeviceDrain();
        long end = Volatile.Read(ref _drainEnd);
        if (end == 0 || !IsWrittenBack(end)) return;
        if (Interlocked.CompareExchange(ref _drainEnd, 0, end) == end) Queues.WakeAll();
    }
}
