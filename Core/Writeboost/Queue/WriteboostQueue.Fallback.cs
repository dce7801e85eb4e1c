using System;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// The cache device is gone and the backing devices have everything: requests go to the volumes that serve them alone,
/// each through a queue of its own, opened on this thread.
/// </content>
public sealed unsafe partial class WriteboostQueue
{
    private IVolumeQueue?[]? _fallback;
    private FallbackFlushes? _orderedFlushes;

    // The state is looked at once per request: whoever submits after it has changed no longer meets the log.
    private bool TryFallBack(Request* request)
    {
        if (_volume.Health.State != VolumeState.PassThrough) return false;
        _fallback ??= OpenFallback();
        IVolumeQueue? queue = _fallback[request->Device];
        if (queue != null)
        {
            queue.Submit(request);
            return true;
        }
        // Not Complete: it is not among the requests counted for the device.
        request->Result = -Errno.EIO;
        _completed.Add(request);
        return true;
    }

    private IVolumeQueue?[] OpenFallback()
    {
        IVolume?[] volumes = _volume.Fallback();
        IVolumeQueue?[] queues = new IVolumeQueue?[volumes.Length];
        for (int i = 0; i < volumes.Length; i++) queues[i] = volumes[i]?.OpenQueue(_index, _io);
        return queues;
    }

    private Request* TakeFallback()
    {
        if (_fallback == null) return null;
        foreach (IVolumeQueue? queue in _fallback)
        {
            Request* request = queue == null ? null : TakeOf(queue);
            if (request != null) return request;
        }
        return null;
    }

    private Request* TakeOf(IVolumeQueue queue)
    {
        Request* request;
        while ((request = queue.TakeCompleted()) != null && _orderedFlushes?.TryTake(request) == true) { }
        return request;
    }

    private void PollFallback(long nowUs)
    {
        if (_tasks != null && !_stopping && _volume.FallbackFlushesAsked != 0)
        {
            _orderedFlushes ??= new FallbackFlushes(_volume, _fallback ??= OpenFallback());
            _orderedFlushes.Poll();
        }
        if (_fallback == null) return;
        foreach (IVolumeQueue? queue in _fallback)
        {
            if (queue == null) continue;
            queue.Poll(nowUs);
            Request* request = _orderedFlushes is { IsUnderWay: true } ? TakeOf(queue) : null;
            if (request != null) _completed.Add(request);
        }
    }

    private long FallbackDeadlineUs()
    {
        long deadlineUs = long.MaxValue;
        if (_fallback == null) return deadlineUs;
        foreach (IVolumeQueue? queue in _fallback)
            if (queue != null) deadlineUs = Math.Min(deadlineUs, queue.DeadlineUs);
        return deadlineUs;
    }

    private void StopFallback()
    {
        if (_fallback == null) return;
        foreach (IVolumeQueue? queue in _fallback) queue?.BeginStop();
    }

    // As StopResult: 1 when there is nothing to stop.
    private int FallbackStopResult()
    {
        int result = 1;
        if (_fallback == null) return result;
        foreach (IVolumeQueue? queue in _fallback)
        {
            if (queue == null) continue;
            if (queue.StopResult == 0) return 0;
            result = Math.Min(result, queue.StopResult);
        }
        return result;
    }
}
