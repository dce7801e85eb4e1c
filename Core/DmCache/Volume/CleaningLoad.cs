using System;
using Weir.Core.Cleaning;

namespace Weir.Core.DmCache.Volume;

/// <summary>What the governor of write-back asks: dirty blocks, clients at work, who waits for clean ones.</summary>
internal sealed class CleaningLoad(DmCacheVolume volume, Func<bool> isStarved) : ICleaningLoad
{
    /// <inheritdoc/>
    public bool IsPressed => volume.Drains.IsOn || isStarved();

    /// <inheritdoc/>
    public long LastActivityUs => volume.Activity.LastUs;

    /// <inheritdoc/>
    public int LargestThreshold => volume.Options.WritebackThreshold;

    /// <inheritdoc/>
    public (long Timed, long Slow) Answers => volume.Counters.Answers;

    /// <inheritdoc/>
    public bool IsUsedAbove(int percent) =>
        volume.Map.Table.DirtyCount * 100 >= (long)percent * volume.Map.Table.Places;
}
