using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Passthrough;

// One flush of the device at a time, whichever queue's: of two beside each other the system may tell one alone of a
// failure, and the other would be believed (R6). Whoever waits for a flush when one begins is answered by it.
internal sealed unsafe partial class PassthroughQueue
{
    // Each holds its operation. Those of the second are answered by the flush that is under way.
    private RequestList _toFlush;
    private RequestList _flushing;

    private void SubmitFlush(IoOp* op)
    {
        op->Step = (byte)Step.Flush;
        op->Kind = IoKind.Flush;
        Own(op->Request)->Op = op;
        _toFlush.Add(op->Request);
        BeginFlush();
    }

    private void BeginFlush()
    {
        if (_toFlush.IsEmpty || !_flushing.IsEmpty || !TryTakeFlush()) return;
        (_flushing, _toFlush) = (_toFlush, default);
        _device.Submit(Own(_flushing.First)->Op);
    }

    private bool TryTakeFlush() =>
        Mutant.Is(PassthroughMutant.R6FlushesBeside) || _volume.FlushLock.TryTake();

    // Known to all before the next one begins.
    private void EndFlush(IoOp* op)
    {
        int result = op->Result;
        bool isForgotten = op->Request != null && Mutant.Is(PassthroughMutant.R6FailureForgotten);
        if (result < 0 && !isForgotten) _volume.FailFlushes(result);
        if (!Mutant.Is(PassthroughMutant.R6FlushesBeside)) _volume.FlushLock.GiveBack();
        if (op->Request == null)
        {
            FinishStop(op);
            return;
        }
        RequestList flushed = _flushing;
        _flushing = default;
        while (!flushed.IsEmpty)
        {
            Request* request = flushed.Take();
            End(Own(request)->Op, request, result);
        }
        BeginFlush();
    }

    /// <summary>R15: when the last request is done, one more flush.</summary>
    private void TryFinishStop()
    {
        if (!_stopping || StopStatus.IsOver || _inFlight > 0 || !_parked.IsEmpty) return;
        bool flushes = !_volume.ReadOnly || Mutant.Is(PassthroughMutant.R16ReadOnlyFlushes);
        if (!flushes || Mutant.Is(PassthroughMutant.R15StopWithoutFlush)) EndStop(0);
        else BeginLastFlush();
    }

    private void BeginLastFlush()
    {
        if (!TryTakeFlush()) return;
        IoOp* op = _io.Acquire(_handler, IoKind.Flush, urgent: true);
        if (op == null)
        {
            _volume.FlushLock.GiveBack();
            return;
        }
        _inFlight++;
        op->Step = (byte)Step.Flush;
        _device.Submit(op);
    }

    private void FinishStop(IoOp* op)
    {
        _io.Release(op);
        _inFlight--;
        EndStop(_volume.FlushError);
    }

    private void EndStop(int result)
    {
        _waker.Leave();
        StopStatus = StopStatus.EndedWith(result);
        (_device as IDisposable)?.Dispose();
    }
}
