using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// What orders of users want durable: the log up to a position, and writes that went round it. Part of the volume's
/// background work.
/// </summary>
internal sealed class OrderedFlushes(
    FlushOrders orders, SegmentLog log, WritesAround written, LogPort port, BackingFlusher flusher) : IBackgroundTask
{
    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        (long position, long around) = orders.Wanted;
        if (position > log.Durable) log.RequestDurable(port, position);
        if (around > written.Flushed) flusher.Ensure(around);
    }
}
