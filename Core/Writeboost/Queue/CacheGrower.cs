using System;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Takes the room that the cache device has gained, while the volume is served; part of the volume's background work.
/// The segments in use must lie in one piece (<see cref="Geometry.Grown"/>): what lies before a wrap is written back
/// and freed first. Then: plan, so that no segment is opened that lies elsewhere before than after; superblock with the
/// new number and shift, both copies; the geometry. Whatever the superblock says when power fails, the log is where it
/// says. A superblock that is refused is tried again with growing pauses, under the same plan.
/// </summary>
internal sealed class CacheGrower(
    WriteboostVolume volume, SuperblockWriter superblocks, OrderedSuperblocks ordered) : IBackgroundTask
{
    private const long TurnUs = 1000;

    private readonly SegmentLog _log = volume.Log;
    private RetryClock _retry;
    private bool _writing;
    private int _planned;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <summary>No superblock with a new number is under way.</summary>
    public bool IsQuiet => !_writing;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        // Nobody else waits for a superblock.
        bool mayBegin = state == BackgroundState.Serving && !ordered.IsUnderWay;
        DeadlineUs = long.MaxValue;
        if (_writing && !superblocks.IsBusy) EndWrite(superblocks.Result, nowUs);
        if (_planned != 0) WriteAgain(nowUs, mayBegin);
        else PollWish(nowUs, mayBegin);
    }

    private void PollWish(long nowUs, bool mayBegin)
    {
        int segments = volume.Growth.SegmentsWanted;
        if (segments == 0) return;
        if (!volume.Health.TakesWrites || segments <= volume.Geometry.SegmentCount)
        {
            volume.Growth.End(segments, volume.Health.TakesWrites ? null : volume.Health.Reason);
            return;
        }
        DeadlineUs = nowUs + TurnUs;
        if (mayBegin && !superblocks.IsBusy) Begin(segments);
    }

    private void Begin(int segments)
    {
        bool isInOnePiece = _log.TryPlanGrowth(segments, out Geometry grown, out long wrap);
        volume.Growth.AwaitsWriteback = !isInOnePiece;
        if (!isInOnePiece)
        {
            volume.Drains.BeginFreeBefore(wrap);
            return;
        }
        if (!_log.Table.TryGrow(segments) || !volume.Index.TryGrow(grown))
        {
            _log.EndGrowth(success: false);
            volume.Growth.End(segments, $"no memory for {segments} segments");
            volume.Options.Log(
                $"{volume.Cache.Name}: no memory for {segments} segments; 'weir message grow' tries again");
            return;
        }
        volume.Superblock.Place(grown);
        _planned = segments;
        Write();
    }

    private void Write()
    {
        superblocks.Begin(ref volume.Superblock);
        _writing = true;
    }

    // What the superblocks say is not known: the plan stands until both say the same, whoever else writes them
    // meanwhile.
    private void WriteAgain(long nowUs, bool mayBegin)
    {
        if (_writing) return;
        if (volume.Health.CacheHasFailed)
        {
            End(success: false, volume.Health.Reason);
            return;
        }
        _retry.Heed(volume.Health, nowUs);
        DeadlineUs = Math.Max(nowUs + TurnUs, _retry.DueUs);
        if (nowUs >= _retry.DueUs && mayBegin && !superblocks.IsBusy) Write();
    }

    private void EndWrite(int result, long nowUs)
    {
        _writing = false;
        if (result >= 0)
        {
            _retry.Passed();
            End(success: true);
            volume.Health.Pass(Trouble.Growth);
            volume.Options.Log($"{volume.Cache.Name}: has grown to {volume.Geometry.SegmentCount} segments");
            return;
        }
        _retry.Refused(nowUs);
        string reason = $"cache device: writing the superblock for {_planned} segments failed"
            + $"{VolumeHealth.TriedAgain}: {Errno.Text(result)}";
        volume.Health.Hold(Trouble.Growth, reason);
        if (nowUs - _retry.SinceUs >= RetryClock.BearsUs) volume.Growth.NoteRefused(reason);
    }

    private void End(bool success, string? failure = null)
    {
        _log.EndGrowth(success);
        volume.Growth.End(_planned, failure);
        _planned = 0;
        volume.Queues.WakeAll();
    }
}
