using System;
using System.Diagnostics;
using Weir.Core.Io;

namespace Weir.Frontends.Control;

/// <summary>A client of the control socket that has given an order: he waits until it ends, he goes, or the volume
/// does.</summary>
/// <param name="rundown">Of the volume.</param>
/// <param name="isGone">He has gone.</param>
/// <param name="progress">Takes blocks left and blocks in all; null: he does not want to know.</param>
internal sealed class OrderClient(RundownGuard rundown, Func<bool> isGone, Action<long, long>? progress) : IOrderWaiter
{
    private const double ReportIntervalMs = 200;

    private long _reportedAt;

    /// <inheritdoc/>
    public string? GivesUp => rundown.IsClosing ? "the volume stops" : isGone() ? "nobody waits any more" : null;

    /// <inheritdoc/>
    public void Report(in OrderProgress at)
    {
        if (progress == null || at.TotalBlocks == 0) return;
        bool isSoon = _reportedAt != 0 && Stopwatch.GetElapsedTime(_reportedAt).TotalMilliseconds < ReportIntervalMs;
        if (isSoon) return;
        _reportedAt = Stopwatch.GetTimestamp();
        // What has become dirty since the beginning is not what the order is about.
        progress(Math.Min(at.LeftBlocks, at.TotalBlocks), at.TotalBlocks);
    }
}
