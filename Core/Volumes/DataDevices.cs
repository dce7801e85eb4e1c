using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Volumes;

/// <summary>
/// The devices of a volume with what is common to all who flush them: one flush at a time (B6), and what a failed one
/// means. Any thread.
/// </summary>
/// <param name="cache">Where the places are: the whole device, or what follows the metadata.</param>
/// <param name="backing">The homes.</param>
/// <param name="queues">Who is woken when the lock is free.</param>
/// <param name="health">What clients are told.</param>
internal sealed class DataDevices(Device cache, Device backing, QueueSet queues, VolumeHealth health)
{
    /// <summary>The fast one.</summary>
    public DataDevice Cache { get; } = new(cache, "cache device");

    /// <summary>The slow one.</summary>
    public DataDevice Backing { get; } = new(backing, "backing device");

    /// <summary>One flush at a time: of two, the system may tell one alone of a failure.</summary>
    public FlushLock FlushLock { get; } = new(queues.WakeAll);

    /// <summary>0, or the negative errno of the first flush that has failed: no later one is believed.</summary>
    public int FlushError { get; private set; }

    /// <summary>
    /// Cached blocks that home has too are read from there: a flush of the cache device has failed, and nothing tells
    /// which of them it has (B6).
    /// </summary>
    public bool DistrustsClean => Cache.HasLostFlush;

    /// <summary>A flush of <paramref name="device"/> has failed; whoever flushed has the lock.</summary>
    public void FailFlush(DataDevice device, int error)
    {
        device.NoteLostFlush();
        if (FlushError == 0) FlushError = error;
        health.Worsen(VolumeState.ReadOnly, $"{device.Name}: a flush failed: {Errno.Text(error)}; what was written "
            + "since the last one that succeeded may be lost, and no flush succeeds until the next start");
        queues.WakeFirst();
    }
}
