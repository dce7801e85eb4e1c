using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>Flushes both devices once, at the end: what clients had answered outlives the power.</summary>
internal sealed class LastFlush
{
    private readonly DataDevices _devices;
    private readonly DataQueues _queues;
    private readonly DeviceFlusher _flusher;
    private bool _isBegun;

    /// <summary>On the thread of <paramref name="queues"/>; nobody else uses the devices any more.</summary>
    public LastFlush(DataDevices devices, DataQueues queues)
    {
        (_devices, _queues) = (devices, queues);
        _flusher = new DeviceFlusher(devices.FlushLock, queues.Io)
        {
            Failed = (device, error) => devices.FailFlush(device == 0 ? devices.Cache : devices.Backing, error),
        };
    }

    /// <summary>Begins; it may have to wait for the lock.</summary>
    public void Begin() => _isBegun = false;

    /// <summary>No device is awaited any more.</summary>
    public bool HasEnded => _isBegun && !_flusher.IsUnderWay;

    /// <summary>Both have answered, or had nothing to flush.</summary>
    public bool IsOver()
    {
        if (!_isBegun)
        {
            if (!_flusher.TryTake()) return false;
            _isBegun = true;
            if (Mutant.Is(DmCacheMutant.B6StopUnflushed)) return true;
            if (_devices.Cache.TakeUnflushed()) _flusher.Flush(0, _queues.Cache);
            if (_devices.Backing.TakeUnflushed()) _flusher.Flush(1, _queues.Backing);
        }
        if (_flusher.IsUnderWay) return false;
        _flusher.GiveBack();
        return true;
    }
}
