using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

// Flushes of both devices (B6), one at a time in the volume. What is acknowledged is found by entries that are durable
// already, so no commit is needed. Whoever waits for a flush when one begins is answered by it.
internal sealed unsafe partial class DmCacheQueue
{
    private struct FlushOp
    {
        public bool IsCache;
    }

    private RequestList _toFlush;
    private RequestList _flushing;
    private int _flushesLeft;

    private void AddFlush(Request* request)
    {
        Own(request)->Step = RequestStep.Flushing;
        _toFlush.Add(request);
        BeginFlush();
    }

    private void BeginFlush()
    {
        if (_toFlush.IsEmpty || !_flushing.IsEmpty || !_devices.FlushLock.TryTake()) return;
        (_flushing, _toFlush) = (_toFlush, default);
        _flushesLeft = 1;
        bool isLost = _devices.FlushError < 0 && !Mutant.Is(DmCacheMutant.B6FailureForgotten);
        if (!isLost && !Mutant.Is(DmCacheMutant.B6CacheUnflushed)) Flush(_devices.Cache, _cache, isCache: true);
        if (!isLost && !Mutant.Is(DmCacheMutant.B6HomeUnflushed)) Flush(_devices.Backing, _backing, isCache: false);
        EndOneFlush();
    }

    private void Flush(DataDevice device, DeviceQueue queue, bool isCache)
    {
        if (!device.TakeUnflushed()) return;
        IoOp* op = _io.Acquire(_handler, IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->Own<FlushOp>().IsCache = isCache;
        _flushesLeft++;
        queue.Submit(op);
    }

    private void FlushCompleted(IoOp* op)
    {
        DataDevice device = op->Own<FlushOp>().IsCache ? _devices.Cache : _devices.Backing;
        if (op->Result < 0) _devices.FailFlush(device, op->Result);
        _io.Release(op);
        EndOneFlush();
    }

    private void EndOneFlush()
    {
        if (--_flushesLeft > 0) return;
        _devices.FlushLock.GiveBack();
        RequestList flushed = _flushing;
        _flushing = default;
        int result = Mutant.Is(DmCacheMutant.B6FailureForgotten) ? 0 : _devices.FlushError;
        while (!flushed.IsEmpty) End(flushed.Take(), result);
        BeginFlush();
    }
}
