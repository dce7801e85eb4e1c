using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Log;

/// <content>
/// After a failed flush (R6): the device may have dropped any write since D, and a later flush that succeeds says
/// nothing about it. So no flush is tried again before every record since D has been written again, from RAM, which
/// keeps it until it is durable. Bounded: flushes that fail several times in a row are the device's end. Fields belong
/// to the holder of the commit latch.
/// </content>
public sealed unsafe partial class SegmentLog
{
    private long _rewriteNext;   // tracks from here to the end are looked at
    private long _rewriteEnd;
    private long _flushFailures; // in all
    private int _flushAttempts;  // failures in a row

    /// <summary>Flushes that failed in this life: what was written before one and not flushed may be gone.</summary>
    public long FlushFailures => Volatile.Read(ref _flushFailures);

    /// <summary>The last flush has not failed.</summary>
    public bool FlushesGoWell => Volatile.Read(ref _flushAttempts) == 0;

    /// <summary>Records written once more because a flush had failed.</summary>
    public long RecordsRewritten { get; private set; }

    /// <summary>Goes on with what a full pool of operations had stopped. Called by the port.</summary>
    public void Resume(LogPort port)
    {
        Seal(port);
        Rewrite(port);
        TryFlush(port);
    }

    private void FlushFailed(LogPort port, int result, bool ofFlush)
    {
        _commit.Enter();
        // Never two at once: one that succeeds beside one that fails would speak for it.
        Invariant.Check(_flushing == ofFlush);
        _writesDurably &= ofFlush;
        _flushing = _headersFlushing = false;
        _headersInFlight = 0;
        Volatile.Write(ref _flushFailures, _flushFailures + 1);
        bool last = ++_flushAttempts >= LogPort.MaxAttempts;
        if (!Mutant.Is(WriteboostMutant.R6NotRewritten)) TakeBack();
        _commit.Exit();
        // Later, when the port comes with Resume.
        bool later = last && port.MayFlushLater(result);
        if (last && !later) Health.Worsen(VolumeState.Failed, $"cache device: flushes fail: {Errno.Text(result)}");
        if (!last) Rewrite(port);
        _wakeQueues();
        if (!last) TryFlush(port);
    }

    /// <summary>
    /// A write that should have been durable by itself has failed: perhaps the write, perhaps its flush, perhaps the
    /// device has only said that it could. All are mended as after a flush that failed, and it is not asked for such a
    /// write again in this life. Called by the port.
    /// </summary>
    public void DurableWriteFailed(LogPort port, long track, int result)
    {
        FlushFailed(port, result, ofFlush: false);
        // Taken back while it was on its way: it is written again.
        WriteDone(port, track, 0);
    }

    // Everything written since D counts as unwritten; what is on its way is written once more when it has arrived.
    private void TakeBack()
    {
        _rewriteEnd = Volatile.Read(ref _trackHead);
        for (long track = _trackDurable; track < _rewriteEnd; track++)
        {
            ref Track record = ref TrackAt(track);
            if (record.LengthBytes == 0) continue;
            record.Alone = false;
            if (record.Done) (record.Done, record.Lost) = (false, true);
            else record.Again = !record.Lost;
        }
        _rewriteNext = _trackTail = _trackDurable;
        Volatile.Write(ref _written, _durable);
        _writtenRecord = _durableRecord;
    }

    private void Rewrite(LogPort port)
    {
        _commit.Enter();
        for (; _rewriteNext < _rewriteEnd && port.HasRoom(); _rewriteNext++)
        {
            if (!TrackAt(_rewriteNext).Lost) continue;
            TrackAt(_rewriteNext).Lost = false;
            WriteAgain(port, _rewriteNext);
        }
        PassDone();
        _commit.Exit();
    }

    // Its segment is in RAM as long as it is not durable. A completion has just given back the operation this takes.
    private void WriteAgain(LogPort port, long track)
    {
        ref Track record = ref TrackAt(track);
        long position = record.End - (record.LengthBytes >> Geometry.BlockShift);
        byte* data = Ram.Data(RamOf(Geometry.SegmentOf(position)), Geometry.SlotOf(position));
        RecordsRewritten++;
        port.Write(Geometry.OffsetOf(position), data, record.LengthBytes, track, false);
    }
}
