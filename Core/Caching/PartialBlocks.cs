using Weir.Core.Io;

namespace Weir.Core.Caching;

/// <summary>
/// A device as clients see it who think in 512 bytes, whatever its own sectors are: queues that it opens take any whole
/// number of them. On a device of such sectors they are the device's own.
/// </summary>
internal sealed class PartialBlocks
{
    private const int SectorBytes = 512;

    // Of 64 KiB each, so that a request takes few of them: requests within 256 MiB meet only where they are.
    private const int LockCells = 4096, BlocksPerCell = 16;

    private readonly Device _device;
    private readonly BlockLocks? _locks;

    /// <summary>Over <paramref name="device"/>, whose sectors have 512 or 4096 bytes.</summary>
    public PartialBlocks(Device device)
    {
        _device = device;
        if (device.LogicalBlockBytes > SectorBytes) _locks = new BlockLocks(LockCells, BlocksPerCell);
    }

    /// <summary>
    /// The way of thread number <paramref name="index"/>, once each, on that thread. It is polled once per turn
    /// (<see cref="DeviceQueue.Poll"/>), and disposed of where it can be.
    /// </summary>
    public DeviceQueue OpenQueue(int index, IoContext io)
    {
        DeviceQueue queue = _device.OpenQueue(io);
        return _locks == null ? queue : new PartialBlockQueue(queue, _locks, index, io);
    }
}
