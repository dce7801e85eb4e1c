using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost;

/// <summary>
/// Writes the superblock so that one whole copy is on the device at any moment: one copy, flush, the other, flush. The
/// first is the one that may be lost: after a crash, the copy that is torn or older. One update at a time; the owner
/// calls <see cref="Poll"/> and looks at <see cref="IsBusy"/> once per turn. While a log is served its flushes are the
/// log's (R6); a copy that a failed flush may have lost is written again. Bounded tries.
/// </summary>
public sealed unsafe class SuperblockWriter : IIoHandler, IDisposable
{
    private const int Eio = 5;

    private readonly Layout _layout;
    private readonly DeviceQueue _cache;
    private readonly IoContext _io;
    private readonly byte _handler;
    private readonly byte* _buffer;
    private readonly SegmentLog? _log;
    private readonly LogPort? _port;
    private int _step;
    private int _attempts;
    private long _failuresBefore;
    private long _ticket;
    private bool _copyBFirst;

    /// <summary>A writer on the thread that owns <paramref name="io"/>, for a device that nobody else uses.</summary>
    public SuperblockWriter(Layout layout, DeviceQueue cache, IoContext io)
        : this(layout, cache, io, null, null)
    {
    }

    /// <summary>A writer beside <paramref name="log"/>, on the thread of <paramref name="port"/>.</summary>
    public SuperblockWriter(SegmentLog log, DeviceQueue cache, LogPort port)
        : this(log.Layout, cache, port.Io, log, port)
    {
    }

    private SuperblockWriter(Layout layout, DeviceQueue cache, IoContext io, SegmentLog? log, LogPort? port)
    {
        _layout = layout;
        _cache = cache;
        _io = io;
        _log = log;
        _port = port;
        _handler = io.AddHandler(this);
        _buffer = (byte*)NativeMemory.AlignedAlloc(Superblock.Bytes, Superblock.Bytes);
    }

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _step != 0;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>Starts to make <paramref name="superblock"/>, with the next generation, the durable one.</summary>
    public void Begin(ref Superblock superblock, bool copyBFirst = false)
    {
        _copyBFirst = copyBFirst && !Mutant.Is(MutantId.R12WholeCopyFirst);
        Invariant.Check(!IsBusy);
        superblock.Generation++;
        _layout.WriteSuperblock(superblock, _buffer);
        Result = 0;
        Start(1);
    }

    /// <summary>Once per turn: goes on when the log's flush is over.</summary>
    public void Poll()
    {
        if (_ticket == 0) return;
        if (_log!.IsFlushed(_ticket)) EndFlush();
        else if (_log.Health.CacheHasFailed) Finish(-Eio);
        else if (_log.FlushFailures != _failuresBefore) EndFlush();
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
    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    private void EndFlush()
    {
        _ticket = 0;
        bool failed = _log!.FlushFailures != _failuresBefore && !Mutant.Is(MutantId.R6SuperblockNotRewritten);
        if (failed) TryAgain(-Eio);
        else Start(_step + 1);
    }

    // A copy is written and flushed, or neither: after a failed flush nobody knows what became of it.
    private void TryAgain(int error)
    {
        if (++_attempts < LogPort.MaxAttempts) Run((_step - 1) | 1);
        else Finish(error);
    }

    // Steps, per copy: write it, flush.
    private void Start(int step)
    {
        bool isNewCopy = (step & 1) == 1;
        if (isNewCopy) _attempts = 0;
        if (step > 2 * _layout.SuperblockCopies) Finish(0);
        else Run(step);
    }

    private void Finish(int result)
    {
        Result = result;
        _step = _attempts = 0;
        _ticket = 0;
    }

    private void Run(int step)
    {
        _step = step;
        bool isWrite = (step & 1) == 1;
        if (isWrite && _log != null) _failuresBefore = _log.FlushFailures;
        if (!isWrite && _log != null)
        {
            _ticket = _log.RequestFlush(_port!);
            return;
        }
        IoOp* op = _io.Acquire(_handler, isWrite ? IoKind.Write : IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = _layout.SuperblockOffset((step == 1) == _copyBFirst ? _layout.SuperblockCopies - 1 : 0);
        op->LengthBytes = isWrite ? Superblock.Bytes : 0;
        op->Buffer = _buffer;
        _cache.Submit(op);
    }
}
