using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Nothing that was acknowledged stays without a flush for longer than the sync interval: of the log, and of what went
/// round it. Part of the volume's background work.
/// </summary>
internal sealed class SyncInterval(WriteboostVolume volume, LogPort port, BackingFlusher flusher) : IBackgroundTask
{
    private const long QuietTurnUs = 1_000_000;

    /// <inheritdoc/>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    private bool IsAllDurable => volume.Log.ReservedEnd <= volume.Log.Durable
        && (volume.Around.Written == volume.Around.Flushed || volume.Around.HasFailed);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        // Without an interval the timer still looks after write-back, for writes that came through other queues.
        long intervalUs = volume.Options.SyncIntervalUs;
        long turnUs = intervalUs != 0 ? intervalUs : QuietTurnUs;
        if (IsAllDurable) volume.Queues.ClearChange();
        if (IsAllDurable) DeadlineUs = long.MaxValue;
        else if (DeadlineUs == long.MaxValue) DeadlineUs = nowUs + turnUs;
        else if (nowUs >= DeadlineUs)
        {
            DeadlineUs = nowUs + turnUs;
            if (intervalUs != 0) Flush();
        }
    }

    private void Flush()
    {
        if (volume.Log.ReservedEnd > volume.Log.Durable) volume.Log.RequestDurable(port, volume.Log.ReservedEnd);
        flusher.Ensure(volume.Around.Written);
    }
}
