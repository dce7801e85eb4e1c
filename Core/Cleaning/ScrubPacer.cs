using System;
using Weir.Core.Base;

namespace Weir.Core.Cleaning;

/// <summary>
/// When the next piece of a cache is to be read again: so slowly that all of them take an interval, and while clients
/// are idle if they ever are. No clock of its own; one thread.
/// </summary>
internal sealed class ScrubPacer
{
    /// <summary>A piece waits at most this many of its turns for idle clients.</summary>
    public const int MaxPatience = 4;

    private long _dueUs = long.MaxValue;

    /// <summary>When <see cref="IsDue"/> is to be asked again at the latest, in microseconds.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <summary>The next piece is to be read now; the one after it comes a turn later.</summary>
    /// <param name="nowUs">The time, in microseconds.</param>
    /// <param name="intervalUs">In which all pieces are read once; 0: none is.</param>
    /// <param name="pieces">How many there are now.</param>
    /// <param name="idleFromUs">When clients count as idle, if nothing more comes.</param>
    /// <param name="isBusy">The last one is not read yet: its end asks again.</param>
    public bool IsDue(long nowUs, long intervalUs, long pieces, long idleFromUs, bool isBusy)
    {
        Invariant.Check(intervalUs >= 0);
        DeadlineUs = long.MaxValue;
        if (intervalUs == 0) _dueUs = long.MaxValue;
        if (isBusy || intervalUs == 0) return false;
        long turnUs = intervalUs / Math.Max(1, pieces);
        // A shorter interval counts at once.
        _dueUs = Math.Min(_dueUs, nowUs + turnUs);
        DeadlineUs = Math.Max(_dueUs, Math.Min(idleFromUs, _dueUs + (MaxPatience * turnUs)));
        Invariant.Check(DeadlineUs >= _dueUs);
        if (nowUs < DeadlineUs) return false;
        DeadlineUs = _dueUs = nowUs + turnUs;
        return true;
    }
}
