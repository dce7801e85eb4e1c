using System;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// One queue thread's way to the cache device for the log: record writes and flushes, and their completions. What the
/// device refuses three times in a row is tried again with growing pauses, for a while: RAM still has it all.
/// </summary>
public sealed unsafe class LogPort : IIoHandler, IFlushSource
{
    private const byte WriteStep = 1, FlushStep = 2, HeaderStep = 3;

    /// <summary>Tries of one record write at once.</summary>
    public const int MaxAttempts = 3;

    private const int BackgroundReserve = 64;

    // Of a record's write.
    private struct LogOp
    {
        public long Track;
    }

    private readonly SegmentLog _log;
    private readonly Device _device;
    private readonly DeviceQueue _cache;
    private readonly ushort _handler;
    private int _inFlight;
    private bool _stalled;
    private RetryClock _writes;
    private RetryClock _flushes;
    private IoOp* _later;
    private bool _flushLater;

    /// <summary>The port of the thread that owns <paramref name="io"/>.</summary>
    public LogPort(SegmentLog log, Device device, DeviceQueue cache, IoContext io)
    {
        _device = device;
        _log = log;
        _cache = cache;
        Io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>Says for how long refusals are borne.</summary>
    public WriteboostOptions Options { get; init; } = new();

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => Math.Min(
        _later != null ? _writes.DueUs : long.MaxValue, _flushLater ? _flushes.DueUs : long.MaxValue);

    /// <summary>The thread's context.</summary>
    public IoContext Io { get; }

    /// <summary>Nothing is under way or owed: the thread may end.</summary>
    public bool IsQuiet => _inFlight == 0 && !_stalled && !_flushLater;

    /// <summary>
    /// Room for one more operation; else remembers to try again in <see cref="Poll"/>. Leaves what write-back and the
    /// superblock need, which wait for nobody.
    /// </summary>
    public bool HasRoom()
    {
        if (Io.FreeCount > BackgroundReserve) return true;
        _stalled = true;
        return false;
    }

    /// <summary>Once per turn: goes on with what had no room, and tries again what is due.</summary>
    public void Poll()
    {
        _writes.Heed(_log.Health, Io.NowUs);
        _flushes.Heed(_log.Health, Io.NowUs);
        if (_later != null && (_log.Health.CacheHasFailed || Io.NowUs >= _writes.DueUs)) TakeLater();
        if (_flushes.IsHeldUp) PollFlush();
        if (!_stalled) return;
        _stalled = false;
        _log.Resume(this);
    }

    /// <summary>Records can be <c>durable</c>.</summary>
    public bool CanWriteDurably => _device.CanWriteDurably;

    /// <summary>
    /// Starts the one sequential write of a record, <paramref name="durable"/> by itself or not. <see cref="HasRoom"/>
    /// was asked.
    /// </summary>
    public void Write(long offsetBytes, byte* data, long lengthBytes, long track, bool durable) =>
        Write(offsetBytes, data, lengthBytes, track, WriteStep, durable);

    private void Write(long offsetBytes, byte* data, long lengthBytes, long track, byte step, bool durable = false)
    {
        IoOp* op = Io.Acquire(_handler, IoKind.Write, urgent: true);
        op->Step = step;
        op->Durable = durable;
        op->OffsetBytes = offsetBytes;
        op->Buffer = data;
        op->LengthBytes = lengthBytes;
        op->Own<LogOp>().Track = track;
        _inFlight++;
        _log.CountInFlight(lengthBytes);
        _cache.Submit(op);
    }

    /// <summary>
    /// Starts the write of a header whose data is durable (layouts without a checksum).
    /// <see cref="HasRoom"/> was asked.
    /// </summary>
    public void WriteHeader(long offsetBytes, byte* header)
    {
        Write(offsetBytes, header, Geometry.BlockBytes, 0, HeaderStep);
    }

    /// <inheritdoc/>
    public long Failures => _log.FlushFailures;

    /// <inheritdoc/>
    public bool HasFailed => _log.Health.CacheHasFailed;

    /// <inheritdoc/>
    public long RequestFlush() => _log.RequestFlush(this);

    /// <inheritdoc/>
    public bool IsFlushed(long ticket) => _log.IsFlushed(ticket);

    /// <summary>Starts a device flush. <see cref="HasRoom"/> was asked.</summary>
    public void Flush()
    {
        IoOp* op = Io.Acquire(_handler, IoKind.Flush, urgent: true);
        op->Step = FlushStep;
        _inFlight++;
        _cache.Submit(op);
    }

    /// <summary>
    /// A flush has failed as often as it is tried at once. True: <see cref="SegmentLog.Resume"/> comes after a pause.
    /// </summary>
    public bool MayFlushLater(int error)
    {
        _flushLater = MayTryLater(ref _flushes, Trouble.LogFlush, "flushing", error);
        return _flushLater;
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Step == FlushStep)
        {
            int result = op->Result;
            _inFlight--;
            Io.Release(op);
            _log.FlushDone(this, result);
        }
        else if (op->Result >= 0 || op->Durable)
        {
            if (op->Result >= 0) Passed(ref _writes, Trouble.LogWrite);
            EndWrite(op);
        }
        else if (++op->Attempts < MaxAttempts)
        {
            _cache.Submit(op);
        }
        else if (MayTryLater(ref _writes, Trouble.LogWrite, "writing the log", op->Result))
        {
            op->Next = _later;
            _later = op;
        }
        else
        {
            EndWrite(op);
        }
    }

    private void EndWrite(IoOp* op)
    {
        (int result, long track, bool header) = (op->Result, op->Own<LogOp>().Track, op->Step == HeaderStep);
        bool durable = op->Durable;
        _inFlight--;
        _log.CountInFlight(-op->LengthBytes);
        Io.Release(op);
        if (header) _log.HeaderDone(this, result);
        else if (durable && result < 0) _log.DurableWriteFailed(this, track, result);
        else _log.WriteDone(this, track, result);
        _log.Seal(this);
    }

    private bool MayTryLater(ref RetryClock clock, Trouble trouble, string what, int error)
    {
        bool isOver = clock.IsHeldUp && Io.NowUs - clock.SinceUs >= Options.CacheRetryUs;
        if (isOver || Options.CacheRetryUs == 0 || _log.Health.CacheHasFailed) return false;
        clock.Refused(Io.NowUs);
        _log.Health.Hold(trouble, $"cache device: {what} failed{VolumeHealth.TriedAgain}: {Errno.Text(error)}");
        return true;
    }

    private void Passed(ref RetryClock clock, Trouble trouble)
    {
        if (!clock.IsHeldUp) return;
        clock.Passed();
        _log.Health.Pass(trouble);
    }

    // One try each from now on, before the next pause. A device that has failed meanwhile is asked nothing more.
    private void TakeLater()
    {
        IoOp* op = _later;
        _later = null;
        while (op != null)
        {
            IoOp* next = op->Next;
            op->Next = null;
            op->Attempts = MaxAttempts - 1;
            if (_log.Health.CacheHasFailed) EndWrite(op);
            else _cache.Submit(op);
            op = next;
        }
    }

    // The flush that goes well may be another port's, and may not have covered all that this one's failure has lost.
    private void PollFlush()
    {
        bool isOver = _log.FlushesGoWell || _log.Health.CacheHasFailed;
        bool isDue = _flushLater && (isOver || Io.NowUs >= _flushes.DueUs);
        if (isOver) Passed(ref _flushes, Trouble.LogFlush);
        if (!isDue) return;
        _flushLater = false;
        if (!_log.Health.CacheHasFailed) _log.Resume(this);
    }
}
