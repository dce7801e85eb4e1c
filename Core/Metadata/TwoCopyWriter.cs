using Weir.Core.Base;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Metadata;

/// <summary>
/// Writes what lies on a device in two copies so that one whole copy is there at any moment: one copy, flush, the
/// other, flush. The first is the one that may be lost: after a crash, the copy that is torn or older. One update at a
/// time; the owner calls <see cref="Poll"/> and looks at <see cref="IsBusy"/> once per turn. Where others flush the
/// device too, flushes come from their <see cref="IFlushSource"/> (R6); a copy that a failed flush may have lost is
/// written again. Bounded tries. The copy at which an update has failed may be torn: the next update begins with it.
/// </summary>
internal sealed unsafe class TwoCopyWriter : IIoHandler, System.IDisposable
{
    /// <summary>Tries of one copy, its flush included.</summary>
    private const int MaxAttempts = 3;

    private readonly int _bytes;
    private readonly DeviceQueue _device;
    private readonly IoContext _io;
    private readonly ushort _handler;
    private readonly AlignedMemory _buffer;
    private readonly IFlushSource? _flushes;
    private long _firstOffset;
    private long _secondOffset;
    private int _copies;
    private int _step;
    private int _attempts;
    private long _failuresBefore;
    private long _ticket;
    private long _tornOffset = -1;

    /// <summary>
    /// A writer of <paramref name="bytes"/> bytes a copy on the thread that owns <paramref name="io"/>, with the
    /// flushes of <paramref name="flushes"/>; null: nobody else uses the device, and the writer flushes it.
    /// </summary>
    public TwoCopyWriter(int bytes, DeviceQueue device, IoContext io, IFlushSource? flushes = null)
    {
        Invariant.Check(bytes > 0);
        _bytes = bytes;
        _device = device;
        _io = io;
        _flushes = flushes;
        _handler = io.AddHandler(this);
        _buffer = new AlignedMemory(bytes);
    }

    /// <summary>What every copy becomes: filled before <see cref="Begin"/>, untouched until its end.</summary>
    public byte* Pointer => _buffer.Pointer;

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _step != 0;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>
    /// Starts to make what is at <see cref="Pointer"/> durable at <paramref name="firstOffset"/>, then at
    /// <paramref name="secondOffset"/>, or at the first only where there is one copy.
    /// </summary>
    public void Begin(long firstOffset, long secondOffset, int copies = 2)
    {
        Invariant.Check(!IsBusy);
        bool swaps = copies == 2 && secondOffset == _tornOffset && !Mutant.Is(SharedMutant.R12DoubtfulCopyLast);
        (_firstOffset, _secondOffset) = swaps ? (secondOffset, firstOffset) : (firstOffset, secondOffset);
        _copies = copies;
        Result = 0;
        Start(1);
    }

    /// <summary>Once per turn: goes on when the flush of others is over.</summary>
    public void Poll()
    {
        if (_ticket == 0) return;
        if (_flushes!.IsFlushed(_ticket)) EndFlush();
        else if (_flushes.HasFailed) Finish(-Errno.EIO);
        else if (_flushes.Failures != _failuresBefore) EndFlush();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int result = op->Result;
        _io.Release(op);
        if (result >= 0) Start(_step + 1);
        else TryAgain(result);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private void EndFlush()
    {
        _ticket = 0;
        bool failed = _flushes!.Failures != _failuresBefore && !Mutant.Is(SharedMutant.R6SuperblockNotRewritten);
        if (failed) TryAgain(-Errno.EIO);
        else Start(_step + 1);
    }

    // A copy is written and flushed, or neither: after a failed flush nobody knows what became of it.
    private void TryAgain(int error)
    {
        if (++_attempts < MaxAttempts) Run((_step - 1) | 1);
        else Finish(error);
    }

    // Steps, per copy: write it, flush.
    private void Start(int step)
    {
        bool isNewCopy = (step & 1) == 1;
        if (isNewCopy) _attempts = 0;
        if (step > 2 * _copies) Finish(0);
        else Run(step);
    }

    private void Finish(int result)
    {
        Result = result;
        _tornOffset = result >= 0 ? -1 : _step <= 2 ? _firstOffset : _secondOffset;
        _step = _attempts = 0;
        _ticket = 0;
    }

    private void Run(int step)
    {
        _step = step;
        bool isWrite = (step & 1) == 1;
        if (isWrite && _flushes != null) _failuresBefore = _flushes.Failures;
        if (!isWrite && _flushes != null)
        {
            _ticket = _flushes.RequestFlush();
            Invariant.Check(_ticket > 0);
            return;
        }
        IoOp* op = _io.Acquire(_handler, isWrite ? IoKind.Write : IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = step == 1 ? _firstOffset : _secondOffset;
        op->LengthBytes = isWrite ? _bytes : 0;
        op->Buffer = _buffer.Pointer;
        _device.Submit(op);
    }
}
