using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Nothing that was acknowledged stays without a flush for longer than the sync interval: of the log, and of what went
/// round it. Part of the volume's background work.
/// </summary>
internal sealed class SyncInterval(
    SegmentLog log, WritesAround around, QueueSet queues, WriteboostOptions options, LogPort port,
    BackingFlusher flusher) : IBackgroundTask
{
    private const long QuietTurnUs = 1_000_000;

    /// <inheritdoc/>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    private bool IsAllDurable => log.ReservedEnd <= log.Durable
        && (around.Written == around.Flushed || around.HasFailed);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        // Without an interval the timer still looks after write-back, for writes that came through other queues.
        long intervalUs = options.SyncIntervalUs;
        long turnUs = intervalUs != 0 ? intervalUs : QuietTurnUs;
        if (IsAllDurable) queues.ClearChange();
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
        if (log.ReservedEnd > log.Durable) log.RequestDurable(port, log.ReservedEnd);
        flusher.Ensure(around.Written);
    }
}
