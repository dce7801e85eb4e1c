using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Drains: everything logged up to a position goes to its backing device, in log order, as fast as that takes it. For
/// whoever wants to let a device go, empty the cache, or hand it over. From any thread.
/// </summary>
internal sealed class Drains(
    SegmentLog log, DirtyData dirty, WritebackProgress progress, VolumeHealth health, QueueSet queues)
{
    private long _end;
    private long _deviceEnd;
    private long _dropEnd;
    private long _cancelled;

    /// <summary>A drain is under way.</summary>
    public bool IsUnderWay => IsOrdered || Volatile.Read(ref _deviceEnd) != 0;

    /// <summary>One that is not for a device that leaves.</summary>
    public bool IsOrdered => Volatile.Read(ref _end) != 0;

    /// <summary>Nothing is dirty.</summary>
    public bool IsDrained => !IsUnderWay && IsWrittenBack(log.ReservedEnd);

    /// <summary>Not all of what <see cref="BeginDrop"/> is about has been forgotten.</summary>
    public bool IsDropping => Volatile.Read(ref _dropEnd) > log.Geometry.Position(log.TailSegment, 0);

    /// <summary>
    /// A drain's progress: as <see cref="DirtyData.Blocks"/>, without those of the batch under way that are written
    /// already.
    /// </summary>
    public long BlocksLeft => Math.Max(0, dirty.Blocks - progress.BlocksAhead);

    /// <summary>How often drains were called off.</summary>
    public long Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>Everything below <paramref name="position"/> is on its backing device, and the mark says so.</summary>
    public bool IsWrittenBack(long position) => position <= log.Geometry.Position(log.DirtySegment, 0);

    /// <summary>
    /// Begins to write everything back that has been acknowledged so far; what comes later may stay. Returns the
    /// position for <see cref="IsWrittenBack"/>. Drains that overlap become one.
    /// </summary>
    public long Begin()
    {
        long end = log.ReservedEnd;
        BeginTo(end);
        return end;
    }

    /// <summary>The same up to a position.</summary>
    public void BeginTo(long end)
    {
        AtomicMax.Raise(ref _end, end);
        queues.WakeAll();
    }

    /// <summary>
    /// As <see cref="Begin"/>, and then all that was cached until now is forgotten: the tail comes to the position that
    /// is returned.
    /// </summary>
    public long BeginDrop()
    {
        long end = Begin();
        AtomicMax.Raise(ref _dropEnd, end);
        queues.WakeAll();
        return end;
    }

    /// <summary>The same for the segments before one of them; on the first queue's thread, which lets nobody wait
    /// here.</summary>
    public void BeginFreeBefore(long segment)
    {
        long end = log.Geometry.Position(segment, 0);
        if (!IsWrittenBack(end)) AtomicMax.Raise(ref _end, end);
        AtomicMax.Raise(ref _dropEnd, end);
    }

    /// <summary>Lets go of all drains but those for devices that leave: write-back goes on at its own pace.</summary>
    public void Cancel()
    {
        Interlocked.Increment(ref _cancelled);
        Volatile.Write(ref _end, 0);
        Volatile.Write(ref _dropEnd, 0);
        queues.WakeAll();
    }

    /// <summary>
    /// As <see cref="Begin"/>, for a device that leaves; on the first queue's thread. Apart: calling it off ends nobody
    /// else's.
    /// </summary>
    public long BeginForDevice()
    {
        long end = log.ReservedEnd;
        health.AskRetry();
        Volatile.Write(ref _deviceEnd, end);
        queues.WakeAll();
        return end;
    }

    /// <summary>The device stays, or has nothing dirty any more.</summary>
    public void CancelForDevice() => Volatile.Write(ref _deviceEnd, 0);

    /// <summary>The mark has moved: drains that have come to their end are over, unless somebody wants more by
    /// now.</summary>
    public void EndReached()
    {
        if (IsWrittenBack(Volatile.Read(ref _deviceEnd))) CancelForDevice();
        long end = Volatile.Read(ref _end);
        if (end == 0 || !IsWrittenBack(end)) return;
        if (Interlocked.CompareExchange(ref _end, 0, end) == end) queues.WakeAll();
    }
}
