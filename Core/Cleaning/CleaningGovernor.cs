using System;

namespace Weir.Core.Cleaning;

/// <summary>How much of the backing device write-back may take now.</summary>
internal enum CleaningPace
{
    /// <summary>Nothing: the client is at work, and there is room.</summary>
    Rest,
    /// <summary>A share, so that clients get what they aim at.</summary>
    Share,
    /// <summary>All it can: nobody is there, or free segments are short, or somebody has asked for it.</summary>
    Full,
}

/// <summary>
/// The speed of write-back (W15). Idle time first: then all. While clients are at work and more of the cache is used
/// than <c>high_watermark</c> says: a share of the backing device's time (<c>writeback_threshold</c>), and where
/// clients have a target (<c>writeback_latency_target</c>), as many writes at a time as hold it: a little more while
/// they do, half as many when more than one request in a hundred takes longer. When free segments are short: all. One
/// thread.
/// </summary>
internal sealed class CleaningGovernor(ICleaningLoad load, CleaningSettings settings, WriteThrottle throttle)
{
    /// <summary>Most writes under way: what one disk's queue takes. Fewer beside clients without a target.</summary>
    public const int MostWrites = 32, SharedWrites = 4;

    /// <summary>Below one it rests between writes: down to this share of the time, never to nothing.</summary>
    private const double FewestWrites = 1.0 / 16;

    private const long TurnUs = 100_000;
    private const double Step = 0.5, Cut = 0.5;

    /// <summary>
    /// One request in this many may take longer than the target. Each request earns one, each slow one costs as many;
    /// what is earned and owed is kept for a while, so that seconds with few requests are judged fairly.
    /// </summary>
    private const int SlowOneIn = 100, MostEarned = 2 * SlowOneIn, MostOwed = 20 * SlowOneIn;

    private double _writes = SharedWrites;
    private long _requests, _slow;
    private long _balance;
    private long _turnEndUs;
    private long _leftUs;
    private long _seenUs;
    private bool _wasBusy;

    /// <summary>When <see cref="Window"/> has become larger at the latest, if it was 0.</summary>
    public long ResumeUs { get; private set; }

    /// <summary>Writes at a time that the target permits; below one, the share of time with one.</summary>
    public double Writes => _writes;

    /// <summary>Somebody wants to know whether the devices take a batch now.</summary>
    public bool MustTry { get; set; }

    /// <summary>The pace that was last gone at; any thread may look.</summary>
    public CleaningPace Pace { get; private set; }

    /// <summary>How fast, at this moment.</summary>
    public CleaningPace PaceAt(long nowUs)
    {
        if (MustTry || settings.ForceMigrate || load.IsPressed || throttle.IsHolding) return CleaningPace.Full;
        if (!settings.AllowWriteback) return CleaningPace.Rest;
        if (!settings.ModulateWriteback || throttle.IsPacing || nowUs >= IdleAtUs) return CleaningPace.Full;
        bool wants = load.IsUsedAbove(settings.HighWatermark) && load.LargestThreshold > 0;
        return wants ? CleaningPace.Share : CleaningPace.Rest;
    }

    /// <summary>
    /// Writes that may be under way on a backing device whose share of time is <paramref name="threshold"/> percent, or
    /// on any; 0: none before <see cref="ResumeUs"/>.
    /// </summary>
    public int Window(long nowUs, int? threshold = null)
    {
        Pace = PaceAt(nowUs);
        ResumeUs = nowUs;
        if (Pace == CleaningPace.Full) return MostWrites;
        ResumeUs = Math.Max(nowUs + 1, IdleAtUs);
        if (Pace == CleaningPace.Rest) return 0;
        CountTime(nowUs);
        if (nowUs >= _turnEndUs) BeginTurn(nowUs, threshold ?? load.LargestThreshold);
        ResumeUs = _leftUs > 0 ? nowUs : _turnEndUs;
        return _leftUs > 0 ? Math.Max(1, (int)_writes) : 0;
    }

    /// <summary>After every turn: is something under way on the backing device?</summary>
    public void NoteBusy(long nowUs, bool busy)
    {
        CountTime(nowUs);
        _wasBusy = busy;
    }

    /// <summary>For those who look: whatever pace there may be, nothing is written at it now.</summary>
    public void Rest() => Pace = CleaningPace.Rest;

    /// <summary>From when on the client counts as idle, unless it comes back before.</summary>
    public long IdleAtUs => load.LastActivityUs + settings.IdleUs;

    private void CountTime(long nowUs)
    {
        if (_wasBusy) _leftUs -= nowUs - _seenUs;
        _seenUs = nowUs;
    }

    // What a turn has taken too much the next ones get less, up to one turn.
    private void BeginTurn(long nowUs, int threshold)
    {
        Adapt(judge: nowUs - _turnEndUs < TurnUs);
        double share = Math.Min(1, _writes) * threshold / 100;
        long debtUs = Math.Clamp(_leftUs, -TurnUs, 0);
        _leftUs = share >= 1 ? long.MaxValue / 2 : (long)(share * TurnUs) + debtUs;
        _turnEndUs = nowUs + TurnUs;
    }

    // Requests from before write-back ran say nothing about it.
    private void Adapt(bool judge)
    {
        (long requests, long slow) = load.Answers;
        (long newRequests, long newSlow) = (requests - _requests, slow - _slow);
        (_requests, _slow) = (requests, slow);
        if (settings.LatencyTargetUs == 0) _writes = SharedWrites;
        else if (!judge) return;
        else Adjust(newRequests, newSlow);
    }

    private void Adjust(long requests, long slow)
    {
        _balance = Math.Clamp(_balance + requests - (SlowOneIn * slow), -MostOwed, MostEarned);
        if (slow > 0 && _balance < 0) _writes = Math.Max(FewestWrites, _writes * Cut);
        else if (_balance < SlowOneIn) return;
        else if (_writes < 1) _writes = Math.Min(1, _writes / Cut);
        else _writes = Math.Min(MostWrites, _writes + Step);
    }
}
