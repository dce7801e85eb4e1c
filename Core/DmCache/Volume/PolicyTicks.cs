using Weir.Core.DmCache.Migration;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// Tells the policy that time passes, while clients are at work: hits count too (seed 002: only what missed made ticks,
/// so a cache that hit always stood still).
/// </summary>
internal sealed class PolicyTicks(PolicySlot policy, ActivityMark activity) : IBackgroundTask
{
    private const long TickUs = 10_000;

    private long _lastUs;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (nowUs - _lastUs < TickUs || activity.LastUs <= _lastUs || !policy.TryEnter()) return;
        _lastUs = nowUs;
        policy.Host.Tick();
        policy.Exit();
    }
}
