using System;
using System.Threading;
using Weir.Core.Cleaning;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost;

/// <content>
/// What the governor of write-back asks: used segments, and the shares that the backing devices give.
/// </content>
public sealed unsafe partial class WriteboostVolume : ICleaningLoad
{
    /// <summary>When the last client's request came, in microseconds on the context's clock.</summary>
    public long LastActivityUs => Volatile.Read(ref _lastActivityUs);

    bool ICleaningLoad.IsPressed => IsDraining || RangesPressed || Log.IsStarved;

    bool ICleaningLoad.IsUsedAbove(int percent) => IsUsedAbove(percent);

    int ICleaningLoad.LargestThreshold
    {
        get
        {
            int largest = 0;
            for (int id = BackingTable.MinId; id <= BackingTable.MaxId && largest < 100; id++)
                if (Backings.Find(id) is { IsAbsent: false } device)
                    largest = Math.Max(largest, ThresholdOf(device));
            return largest;
        }
    }

    (long Timed, long Slow) ICleaningLoad.Answers
    {
        get
        {
            (long timed, long slow) = (0, 0);
            foreach (QueueCounters? counters in Counters.Queues)
            {
                if (counters == null) continue;
                timed += counters.Latency.Timed;
                slow += counters.Latency.Slow;
            }
            return (timed, slow);
        }
    }

    internal bool IsUsedAbove(int percent) =>
        (Log.HeadSegment - Log.DirtySegment) * 100 >= (long)percent * Geometry.SegmentCount;

    // The device's own share, or the volume's, in percent.
    internal int ThresholdOf(BackingDevice device) =>
        device.WritebackThreshold >= 0 ? device.WritebackThreshold : Options.WritebackThreshold;
}
