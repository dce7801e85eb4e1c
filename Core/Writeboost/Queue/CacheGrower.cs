using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Takes the room that the cache device has gained, while the volume is served; part of the caretaker. The segments in
/// use must lie in one piece (<see cref="Geometry.Grown"/>): what lies before a wrap is written back and freed first.
/// Then: plan, so that no segment is opened that lies elsewhere before than after; superblock with the new number and
/// shift, both copies; the geometry. Whatever the superblock says when power fails, the log is where it says.
/// </summary>
public sealed class CacheGrower(WriteboostVolume volume, SuperblockWriter superblocks)
{
    private const long TurnUs = 1000;

    private readonly SegmentLog _log = volume.Log;
    private bool _writing;
    private int _segments;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <summary>No superblock with a new number is under way.</summary>
    public bool IsQuiet => !_writing;

    /// <summary>Once per turn; <paramref name="mayBegin"/>: nobody else waits for a superblock.</summary>
    public void Poll(long nowUs, bool mayBegin)
    {
        DeadlineUs = long.MaxValue;
        if (_writing)
        {
            if (!superblocks.IsBusy) End(superblocks.Result);
            return;
        }
        int segments = volume.SegmentsWanted;
        if (segments == 0) return;
        if (!volume.Health.TakesWrites || segments <= volume.Geometry.SegmentCount)
        {
            volume.EndGrowth(segments);
            return;
        }
        DeadlineUs = nowUs + TurnUs;
        if (mayBegin && !superblocks.IsBusy) Begin(segments);
    }

    private void Begin(int segments)
    {
        if (!_log.TryPlanGrowth(segments, out Geometry grown, out long wrap))
        {
            volume.OrderFreeBefore(wrap);
            return;
        }
        if (!_log.Table.TryGrow(segments) || !volume.Index.TryGrow(grown))
        {
            _log.EndGrowth(success: false);
            volume.EndGrowth(segments, $"no memory for {segments} segments");
            volume.Options.Log(
                $"{volume.Cache.Name}: no memory for {segments} segments; 'weir message grow' tries again");
            return;
        }
        volume.Superblock.Place(grown);
        superblocks.Begin(ref volume.Superblock);
        (_writing, _segments) = (true, segments);
    }

    private void End(int result)
    {
        _writing = false;
        // First: nobody opens a segment after that, and what the superblocks say is not known.
        if (result < 0)
            volume.Health.Worsen(
                VolumeState.Failed, $"cache device: writing the superblock failed: {Errno.Text(result)}");
        _log.EndGrowth(success: result >= 0);
        if (result >= 0)
            volume.Options.Log($"{volume.Cache.Name}: has grown to {volume.Geometry.SegmentCount} segments");
        volume.EndGrowth(_segments);
        volume.WakeQueues();
    }
}
