using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>A device that holds clients' bytes, and whether a flush of it has something to cover.</summary>
/// <remarks>
/// Protocol. <c>_wrote</c> is set by whoever has written, after the device has answered and before a client hears of
/// it; it is taken by whoever has the flush lock, before the flush begins. A write that ends after that sets it anew.
/// </remarks>
internal sealed class DataDevice(Device device, string role)
{
    private readonly PartialBlocks _blocks = new(device);
    private int _wrote;
    private long _failures;

    /// <summary>The device.</summary>
    public Device Device => device;

    /// <summary>The way of a thread that serves clients: in sectors of 512 bytes, whatever the device's are.</summary>
    public DeviceQueue OpenQueue(int index, IoContext io) => _blocks.OpenQueue(index, io);

    /// <summary>Its name, and what it is, for people.</summary>
    public string Name => $"{role} {device.Name}";

    /// <summary>A flush of it has failed: nothing tells what it has of what was written before; any thread.</summary>
    public bool HasLostFlush => Volatile.Read(ref _failures) != 0;

    /// <summary>A write has ended; any thread.</summary>
    public void NoteWrite()
    {
        if (Volatile.Read(ref _wrote) == 0) Interlocked.Exchange(ref _wrote, 1);
    }

    /// <summary>
    /// A flush begins, under the flush lock; false: there is nothing for it to cover.
    /// </summary>
    public bool TakeUnflushed() =>
        Interlocked.Exchange(ref _wrote, 0) != 0 || Mutant.Is(SharedMutant.B6FlushesNothingNew);

    /// <summary>A flush has failed, under the flush lock.</summary>
    public void NoteLostFlush()
    {
        Interlocked.Increment(ref _failures);
        Interlocked.Exchange(ref _wrote, 1);
    }
}
