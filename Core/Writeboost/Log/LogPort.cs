using Weir.Core.Io;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// One queue thread's way to the cache device for the log: record writes and flushes, and their completions.
/// </summary>
public sealed unsafe class LogPort : IIoHandler
{
    private const byte WriteStep = 1, FlushStep = 2, HeaderStep = 3;

    /// <summary>Tries of one record write: a device that fails three times in a row is not passing dust.</summary>
    public const int MaxAttempts = 3;

    private const int BackgroundReserve = 64;

    private readonly SegmentLog _log;
    private readonly Device _device;
    private readonly DeviceQueue _cache;
    private readonly byte _handler;
    private int _inFlight;
    private bool _stalled;

    /// <summary>The port of the thread that owns <paramref name="io"/>.</summary>
    public LogPort(SegmentLog log, Device device, DeviceQueue cache, IoContext io)
    {
        _device = device;
        _log = log;
        _cache = cache;
        Io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>The thread's context.</summary>
    public IoContext Io { get; }

    /// <summary>Nothing is under way or owed: the thread may end.</summary>
    public bool IsQuiet => _inFlight == 0 && !_stalled;

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

    /// <summary>Once per turn: goes on with what had no room.</summary>
    public void Poll()
    {
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
        op->UserA = track;
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

    /// <summary>Starts a device flush. <see cref="HasRoom"/> was asked.</summary>
    public void Flush()
    {
        IoOp* op = Io.Acquire(_handler, IoKind.Flush, urgent: true);
        op->Step = FlushStep;
        _inFlight++;
        _cache.Submit(op);
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
        else if (op->Result < 0 && !op->Durable && ++op->Attempts < MaxAttempts)
        {
            _cache.Submit(op);
        }
        else
        {
            (int result, long track, bool header) = (op->Result, op->UserA, op->Step == HeaderStep);
            bool durable = op->Durable;
            _inFlight--;
            _log.CountInFlight(-op->LengthBytes);
            Io.Release(op);
            if (header) _log.HeaderDone(this, result);
            else if (durable && result < 0) _log.DurableWriteFailed(this, track, result);
            else _log.WriteDone(this, track, result);
            _log.Seal(this);
        }
    }
}
