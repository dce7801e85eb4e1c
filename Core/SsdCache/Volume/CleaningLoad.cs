using Weir.Core.Cleaning;
using Weir.Core.SsdCache.Queue;

namespace Weir.Core.SsdCache.Volume;

/// <summary>What the governor of write-back asks: dirty blocks, clients at work, who waits for clean ones.</summary>
internal sealed class CleaningLoad(SsdCacheVolume volume) : ICleaningLoad
{
    /// <inheritdoc/>
    public bool IsPressed => volume.Drains.IsOn;

    /// <inheritdoc/>
    public long LastActivityUs => volume.Activity.LastUs;

    /// <inheritdoc/>
    public int LargestThreshold => volume.Options.WritebackThreshold;

    /// <inheritdoc/>
    public (long Timed, long Slow) Answers
    {
        get
        {
            (long timed, long slow) = (0, 0);
            foreach (QueueCounters? queue in volume.Counters.Queues)
            {
                if (queue == null) continue;
                timed += queue.Latency.Timed;
                slow += queue.Latency.Slow;
            }
            return (timed, slow);
        }
    }

    /// <inheritdoc/>
    public bool IsUsedAbove(int percent) =>
        volume.Table.DirtyCount * 100 >= (long)percent * volume.Geometry.Slots;
}
