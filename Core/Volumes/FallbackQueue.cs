using System;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Volumes;

/// <summary>
/// The cache device is gone and the backing devices have everything: requests go to the volumes that serve these alone,
/// each through a queue of its own, opened on this thread when the first request comes.
/// </summary>
/// <param name="volumes">By <see cref="Request.Device"/>; null where there is none. Asked once.</param>
/// <param name="index">The queue's number.</param>
/// <param name="io">The thread's context.</param>
/// <param name="orders">Flushes that orders want.</param>
/// <param name="describe">In words, that a device's flush has failed, and with which negative errno.</param>
internal sealed unsafe class FallbackQueue(
    Func<IVolume?[]> volumes, int index, IoContext io, FlushTickets orders, Func<int, int, string> describe)
    : IBackgroundTask, IDisposable
{
    private IVolumeQueue?[] _queues = [];
    private FallbackFlushes? _flushes;
    private RequestList _completed;
    private bool _isOpen;
    private bool _isStopping;

    // What the orders want is done through the queues, whose deadline counts below.
    long IBackgroundTask.DeadlineUs => long.MaxValue;

    /// <summary>When <see cref="Poll"/> has something to do at the latest, in microseconds.</summary>
    public long DeadlineUs
    {
        get
        {
            long deadlineUs = long.MaxValue;
            foreach (IVolumeQueue? queue in _queues)
                if (queue != null) deadlineUs = Math.Min(deadlineUs, queue.DeadlineUs);
            return deadlineUs;
        }
    }

    /// <summary>As <see cref="IVolumeQueue.StopStatus"/>; stopped when there is nothing to stop.</summary>
    public StopStatus StopStatus
    {
        get
        {
            StopStatus status = StopStatus.Stopped;
            foreach (IVolumeQueue? queue in _queues)
                if (queue != null) status = StopStatus.Both(status, queue.StopStatus);
            return status;
        }
    }

    /// <summary>As <see cref="IVolumeQueue.Submit"/>; a device that is not there answers EIO.</summary>
    public void Submit(Request* request)
    {
        Open();
        if (_queues[request->Device] is { } queue)
        {
            queue.Submit(request);
            return;
        }
        request->Result = -Errno.EIO;
        _completed.Add(request);
    }

    /// <summary>As <see cref="IVolumeQueue.BlockStatus"/>; 0: the device is not there.</summary>
    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        Open();
        return _queues[device]?.BlockStatus(0, context, offsetBytes, lengthBytes, extents) ?? 0;
    }

    /// <summary>As <see cref="IVolumeQueue.TakeCompleted"/>.</summary>
    public Request* TakeCompleted()
    {
        Request* request = _completed.Take();
        for (int i = 0; i < _queues.Length && request == null; i++)
            if (_queues[i] is { } queue) request = TakeOf(queue);
        return request;
    }

    // Flushes that orders want go through this queue's way to the devices: the task of one queue.
    void IBackgroundTask.Poll(long nowUs, BackgroundState state)
    {
        if (_isStopping || orders.Asked == 0) return;
        Open();
        _flushes ??= new FallbackFlushes(orders, _queues, describe);
        _flushes.Poll();
    }

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs)
    {
        foreach (IVolumeQueue? queue in _queues)
        {
            if (queue == null) continue;
            queue.Poll(nowUs);
            Request* request = _flushes is { IsUnderWay: true } ? TakeOf(queue) : null;
            if (request != null) _completed.Add(request);
        }
    }

    /// <summary>As <see cref="IVolumeQueue.BeginStop"/>.</summary>
    public void BeginStop()
    {
        _isStopping = true;
        foreach (IVolumeQueue? queue in _queues) queue?.BeginStop();
    }

    /// <inheritdoc/>
    public void Dispose() => _flushes?.Dispose();

    private void Open()
    {
        if (_isOpen) return;
        _isOpen = true;
        IVolume?[] all = volumes();
        _queues = new IVolumeQueue?[all.Length];
        for (int i = 0; i < all.Length; i++) _queues[i] = all[i]?.OpenQueue(index, io);
    }

    private Request* TakeOf(IVolumeQueue queue)
    {
        Request* request;
        while ((request = queue.TakeCompleted()) != null && _flushes?.TryTake(request) == true) { }
        return request;
    }
}
