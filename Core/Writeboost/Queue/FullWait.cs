using System;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Writeback;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Writers wait for room that write-back cannot make, because a device refuses it: not without end. As the thin pools
/// of the kernel do it (no_space_timeout). Once that time is over, writes that need room fail at once, until write-back
/// goes on. On the first queue's thread.
/// </summary>
internal sealed class FullWait(
    SegmentLog log, RangePressure pressure, RoomRefusal noRoom, QueueSet queues, WriteboostOptions options,
    WritebackEngine writeback) : IBackgroundTask
{
    private long _sinceUs = long.MaxValue;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        int errno = writeback.HeldUpBy;
        DeadlineUs = long.MaxValue;
        bool isFull = errno != 0 && (log.IsStarved || pressure.IsOn);
        if (!isFull)
        {
            _sinceUs = long.MaxValue;
            noRoom.Errno = 0;
            return;
        }
        _sinceUs = Math.Min(_sinceUs, nowUs);
        long timeoutUs = options.NoSpaceTimeoutUs;
        if (noRoom.Errno != 0 || timeoutUs == 0) return;
        long dueUs = _sinceUs + timeoutUs;
        if (nowUs < dueUs) DeadlineUs = dueUs;
        else Refuse(errno);
    }

    private void Refuse(int errno)
    {
        Invariant.Check(errno > 0);
        noRoom.Errno = errno == Errno.ENOSPC ? Errno.ENOSPC : Errno.EIO;
        options.Log("the cache is full and cannot be written back: writes that need room fail until it can");
        queues.WakeAll();
    }
}
