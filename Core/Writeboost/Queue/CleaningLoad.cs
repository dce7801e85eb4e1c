using System;
using Weir.Core.Cleaning;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// What the governor of write-back asks: used segments, clients at work, and the shares that the backing devices give.
/// </summary>
internal sealed class CleaningLoad(
    SegmentLog log, RangePressure pressure, Drains drains, BackingTable backings, ActivityMark activity,
    CounterTotals<QueueCounters> counters, WriteboostOptions options) : ICleaningLoad
{
    /// <inheritdoc/>
    public long LastActivityUs => activity.LastUs;

    /// <inheritdoc/>
    public bool IsPressed => drains.IsUnderWay || pressure.IsOn || log.IsStarved;

    /// <inheritdoc/>
    public int LargestThreshold
    {
        get
        {
            int largest = 0;
            for (int id = BackingTable.MinId; id <= BackingTable.MaxId && largest < 100; id++)
                if (backings.Find(id) is { IsAbsent: false } device)
                    largest = Math.Max(largest, device.ThresholdOr(options.WritebackThreshold));
            return largest;
        }
    }

    /// <inheritdoc/>
    public (long Timed, long Slow) Answers => counters.Answers;

    /// <inheritdoc/>
    public bool IsUsedAbove(int percent) => log.IsUsedAbove(percent);
}
