using System;

namespace Weir.Core.Cleaning;

/// <summary>How long to wait before something that was refused is tried again: longer each time. One thread.</summary>
internal sealed class RetryPause
{
    private const long FirstUs = 100_000, LongestUs = 10_000_000;

    private long _lengthUs;

    /// <summary>Nothing is to be tried before <see cref="EndUs"/>.</summary>
    public bool IsOn => _lengthUs > 0;

    /// <summary>When it is to be tried again.</summary>
    public long EndUs { get; private set; }

    /// <summary>Nothing is to be tried yet.</summary>
    public bool IsOnAt(long nowUs) => IsOn && nowUs < EndUs;

    /// <summary>It was refused. Refusals during a pause are part of what it is for.</summary>
    public void Begin(long nowUs)
    {
        if (IsOnAt(nowUs)) return;
        _lengthUs = Math.Clamp(2 * _lengthUs, FirstUs, LongestUs);
        EndUs = nowUs + _lengthUs;
    }

    /// <summary>It has gone well.</summary>
    public void End() => (_lengthUs, EndUs) = (0, 0);
}
