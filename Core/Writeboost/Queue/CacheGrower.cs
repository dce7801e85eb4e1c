using System;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
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
    SegmentLog log, BlockIndex index, SuperblockState superblock, SuperblockWriter superblocks,
    OrderedSuperblocks ordered, GrowthOrders orders, Drains drains, VolumeHealth health, QueueSet queues,
    string cacheName, Action<string> say) : IBackgroundTask
{
    private const long TurnUs = 1000;

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
        int segments = orders.SegmentsWanted;
        if (segments == 0) return;
        if (!health.TakesWrites || segments <= log.Geometry.SegmentCount)
        {
            orders.End(segments, health.TakesWrites ? null : health.Reason);
            return;
        }
        DeadlineUs = nowUs + TurnUs;
        if (mayBegin && !superblocks.IsBusy) Begin(segments);
    }

    private void Begin(int segments)
    {
        bool isInOnePiece = log.TryPlanGrowth(segments, out Geometry grown, out long wrap);
        orders.AwaitsWriteback = !isInOnePiece;
        if (!isInOnePiece)
        {
            drains.BeginFreeBefore(wrap);
            return;
        }
        if (!log.Table.TryGrow(segments) || !index.TryGrow(grown))
        {
            log.EndGrowth(success: false);
            orders.End(segments, $"no memory for {segments} segments");
            say(
                $"{cacheName}: no memory for {segments} segments; 'weir message grow' tries again");
            return;
        }
        Invariant.Check(_planned == 0);
        superblock.Now.Place(grown);
        _planned = segments;
        Write();
    }

    private void Write()
    {
        // Until both copies say it, the log lies as before: the number only grows.
        Invariant.Check(!_writing);
        Invariant.Check(_planned > log.Geometry.SegmentCount);
        Invariant.Check(superblock.Now.SegmentCount == _planned);
        superblocks.Begin(ref superblock.Now);
        _writing = true;
    }

    // What the superblocks say is not known: the plan stands until both say the same, whoever else writes them
    // meanwhile.
    private void WriteAgain(long nowUs, bool mayBegin)
    {
        if (_writing) return;
        if (health.CacheHasFailed)
        {
            End(success: false, health.Reason);
            return;
        }
        _retry.Heed(health, nowUs);
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
            health.Pass(Trouble.Growth);
            say($"{cacheName}: has grown to {log.Geometry.SegmentCount} segments");
            return;
        }
        _retry.Refused(nowUs);
        string reason = $"cache device: writing the superblock for {_planned} segments failed"
            + $"{VolumeHealth.TriedAgain}: {Errno.Text(result)}";
        health.Hold(Trouble.Growth, reason);
        if (nowUs - _retry.SinceUs >= RetryClock.BearsUs) orders.NoteRefused(reason);
    }

    private void End(bool success, string? failure = null)
    {
        log.EndGrowth(success);
        orders.End(_planned, failure);
        _planned = 0;
        queues.WakeAll();
    }
}
