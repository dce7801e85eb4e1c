using Weir.Core.Cleaning;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// Tells the throttle what write-back leaves to writers, and wakes those who may go on. Part of the volume's background
/// work, after <see cref="WritebackEngine"/>.
/// </summary>
internal sealed class WriterPace(WriteThrottle throttle, QueueSet queues, WritebackEngine writeback)
    : IBackgroundTask
{
    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (throttle.Update(writeback.Space)) queues.WakeAll();
    }
}
