using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Superblocks that orders of users ask for: one for all who have asked before it began; one that is refused is tried
/// again with growing pauses. Part of the volume's background work.
/// </summary>
internal sealed class OrderedSuperblocks(
    SuperblockOrders orders, SuperblockState superblock, SuperblockWriter superblocks, VolumeHealth health,
    string cacheName) : IBackgroundTask
{
    private RetryClock _retry;
    private long _ticket;

    /// <inheritdoc/>
    public long DeadlineUs => _retry.IsHeldUp ? _retry.DueUs : long.MaxValue;

    /// <summary>One has begun whose end has not been looked at.</summary>
    public bool IsUnderWay => _ticket != 0;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (superblocks.IsBusy) return;
        if (IsUnderWay) End(nowUs);
        _retry.Heed(health, nowUs);
        bool isDue = !_retry.IsHeldUp || nowUs >= _retry.DueUs;
        if (orders.Asked > orders.Done && isDue && !health.CacheHasFailed) Begin();
    }

    private void Begin()
    {
        Invariant.Check(_ticket == 0);
        _ticket = orders.Asked;
        superblocks.Begin(ref superblock.Now);
    }

    private void End(long nowUs)
    {
        if (superblocks.Result >= 0)
        {
            Invariant.Check(_ticket > orders.Done);
            orders.Done = _ticket;
            _retry.Passed();
            health.Pass(Trouble.Superblock);
        }
        else
        {
            _retry.Refused(nowUs);
            string reason = $"cache device {cacheName}: writing the superblock failed"
                + $"{VolumeHealth.TriedAgain}: {Errno.Text(superblocks.Result)}";
            health.Hold(Trouble.Superblock, reason);
            orders.NoteRefused(reason);
        }
        _ticket = 0;
    }
}
