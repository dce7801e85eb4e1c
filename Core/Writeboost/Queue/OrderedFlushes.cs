using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// What orders of users want durable: the log up to a position, and writes that went round it. Part of the volume's
/// background work.
/// </summary>
internal sealed class OrderedFlushes(WriteboostVolume volume, LogPort port, BackingFlusher flusher) : IBackgroundTask
{
    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        (long position, long around) = volume.Flushes.Wanted;
        if (position > volume.Log.Durable) volume.Log.RequestDurable(port, position);
        if (around > volume.Around.Flushed) flusher.Ensure(around);
    }
}
