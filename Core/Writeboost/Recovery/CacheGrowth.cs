using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Takes the room that a cache device has gained since the last run. Where a segment lies depends on how many there
/// are, so the log must hold nothing: after a drain and an orderly stop; else the served volume grows when it is told
/// to (<see cref="Queue.CacheGrower"/>). Old headers carry positions below the mark and count nowhere. The number
/// becomes durable with the epoch, in both superblock copies, before the first append.
/// </summary>
internal static class CacheGrowth
{
    /// <summary>Raises the number of segments in <paramref name="superblock"/>, or says what would let it.</summary>
    public static void Apply(ref Superblock superblock, Device cache, WriteboostOptions options)
    {
        if (options.ReadOnly) return;
        long gained = Geometry.MostSegmentsIn(cache.SizeBytes, superblock.SegmentBytes) - superblock.SegmentCount;
        if (gained <= 0) return;
        string what = $"{cache.Name}: has room for {gained} segments more than the {superblock.SegmentCount} it has";
        if (!options.Layout.HasEpochs)
        {
            options.Log($"{what}: a log of layout {options.Layout.Name} that has gone round keeps their number; the "
                + "kernel's program would go by the size of the device");
            return;
        }
        bool isEmpty = superblock.SettledPosition == superblock.MarkPosition
            && (superblock.IsClean || superblock.Epoch == 0);
        if (!isEmpty)
        {
            options.Log($"{what}: 'weir message grow' takes it while it is served");
            return;
        }
        superblock.SegmentCount += (int)gained;
        superblock.WarmPosition = 0;
        Invariant.Check(superblock.HasPlaces);
        options.Log($"{what}: they are used from now on");
    }
}
