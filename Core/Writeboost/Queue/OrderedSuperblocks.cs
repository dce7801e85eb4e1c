using Weir.Core.Volumes;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Superblocks that orders of users ask for: one for all who have asked before it began; one that is refused is tried
/// again with growing pauses. Part of the volume's background work.
/// </summary>
internal sealed class OrderedSuperblocks(WriteboostVolume volume, SuperblockWriter superblocks) : IBackgroundTask
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
        _retry.Heed(volume.Health, nowUs);
        bool isDue = !_retry.IsHeldUp || nowUs >= _retry.DueUs;
        if (volume.Commits.Asked > volume.Commits.Done && isDue && !volume.Health.CacheHasFailed) Begin();
    }

    private void Begin()
    {
        _ticket = volume.Commits.Asked;
        superblocks.Begin(ref volume.Superblock);
    }

    private void End(long nowUs)
    {
        if (superblocks.Result >= 0)
        {
            volume.Commits.Done = _ticket;
            _retry.Passed();
            volume.Health.Pass(Trouble.Superblock);
        }
        else
        {
            _retry.Refused(nowUs);
            string reason = $"cache device {volume.Cache.Name}: writing the superblock failed"
                + $"{VolumeHealth.TriedAgain}: {Errno.Text(superblocks.Result)}";
            volume.Health.Hold(Trouble.Superblock, reason);
            volume.Commits.NoteRefused(reason);
        }
        _ticket = 0;
    }
}
