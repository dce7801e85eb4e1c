using System;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// When something that a device has refused is tried again: after a second, then after twice as long each time, a
/// minute at the most. One thread.
/// </summary>
internal struct RetryClock
{
    /// <summary>The first pause, and the longest.</summary>
    public const long FirstPauseUs = 1_000_000, LongestPauseUs = 60_000_000;

    /// <summary>So long, whoever waits for it need not hear of it: the third try.</summary>
    public const long BearsUs = 3 * FirstPauseUs;

    private long _pauseUs;
    private long _heard;

    /// <summary>It was refused and has not gone well since.</summary>
    public readonly bool IsHeldUp => _pauseUs != 0;

    /// <summary>When it was first refused; only while <see cref="IsHeldUp"/>.</summary>
    public long SinceUs { get; private set; }

    /// <summary>When to try again.</summary>
    public long DueUs { get; private set; }

    /// <summary>It was refused, once more or for the first time; what comes before it is due changes nothing.</summary>
    public void Refused(long nowUs)
    {
        if (IsHeldUp && nowUs < DueUs) return;
        if (!IsHeldUp) SinceUs = nowUs;
        _pauseUs = Math.Clamp(2 * _pauseUs, FirstPauseUs, LongestPauseUs);
        DueUs = nowUs + _pauseUs;
    }

    /// <summary>Somebody wants it tried now; the pauses begin anew.</summary>
    public void TryNow(long nowUs)
    {
        if (!IsHeldUp) return;
        (_pauseUs, DueUs) = (1, nowUs);
    }

    /// <summary>As <see cref="TryNow"/>, if somebody has asked <paramref name="health"/> for it since.</summary>
    public void Heed(VolumeHealth health, long nowUs)
    {
        long asked = health.RetriesAsked;
        if (asked == _heard) return;
        _heard = asked;
        TryNow(nowUs);
    }

    /// <summary>It has gone well.</summary>
    public void Passed() => _pauseUs = 0;
}
