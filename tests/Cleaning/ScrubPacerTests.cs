using System;
using System.Collections.Generic;
using Microsoft.Extensions.Time.Testing;
using Weir.Core.Cleaning;
using Xunit;

namespace Weir.Tests.Cleaning;

/// <summary>Every piece once an interval, when clients are idle if they ever are, and never faster.</summary>
public sealed class ScrubPacerTests
{
    private const long IntervalUs = 1_000_000;
    private const int Pieces = 10;
    private const long TurnUs = IntervalUs / Pieces;

    private readonly FakeTimeProvider _time = FakeTime.New();
    private readonly long _start;
    private readonly ScrubPacer _pacer = new();

    public ScrubPacerTests() => _start = _time.GetTimestamp();

    private long NowUs => (long)_time.GetElapsedTime(_start).TotalMicroseconds;

    [Fact]
    public void AllPiecesTakeTheInterval()
    {
        List<long> read = Run(untilUs: 10 * IntervalUs, static _ => 0);
        Assert.Equal(10 * Pieces, read.Count);
        for (int i = 1; i < read.Count; i++) Assert.Equal(TurnUs, read[i] - read[i - 1]);
    }

    [Fact]
    public void WhileClientsAreAtWorkAPieceWaitsSomeTurns()
    {
        List<long> read = Run(untilUs: 10 * IntervalUs, static nowUs => nowUs + 50_000);
        for (int i = 0; i < read.Count; i++)
            Assert.Equal((1 + ScrubPacer.MaxPatience) * TurnUs, read[i] - (i == 0 ? 0 : read[i - 1]));
    }

    [Fact]
    public void APieceThatIsDueIsReadAsSoonAsClientsAreIdle()
    {
        const long idleUs = (2 * TurnUs) + 1234;
        List<long> read = Run(untilUs: 3 * TurnUs, static _ => idleUs);
        Assert.Equal(idleUs, read[0]);
    }

    [Fact]
    public void NothingIsReadWithoutAnInterval()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(_pacer.IsDue(NowUs, 0, Pieces, 0, false));
        Assert.Equal(long.MaxValue, _pacer.DeadlineUs);
        // What was due before it was switched off is not made up for.
        Assert.False(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, false));
        Assert.False(_pacer.IsDue(NowUs, 0, Pieces, 0, false));
        _time.Advance(TimeSpan.FromDays(1));
        Assert.False(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, false));
        Assert.Equal(NowUs + TurnUs, _pacer.DeadlineUs);
    }

    [Fact]
    public void NothingIsReadBeforeTheLastReadHasEnded()
    {
        Assert.False(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, false));
        _time.Advance(TimeSpan.FromDays(1));
        Assert.False(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, isBusy: true));
        Assert.Equal(long.MaxValue, _pacer.DeadlineUs);
        Assert.True(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, isBusy: false));
    }

    [Fact]
    public void AShorterIntervalCountsAtOnce()
    {
        Assert.False(_pacer.IsDue(NowUs, 1000 * IntervalUs, Pieces, 0, false));
        Assert.False(_pacer.IsDue(NowUs, IntervalUs, Pieces, 0, false));
        Assert.Equal(NowUs + TurnUs, _pacer.DeadlineUs);
    }

    // As a queue's thread: asks when it was told to, and in between.
    private List<long> Run(long untilUs, Func<long, long> idleFromUs)
    {
        List<long> read = [];
        while (NowUs <= untilUs)
        {
            if (_pacer.IsDue(NowUs, IntervalUs, Pieces, idleFromUs(NowUs), false)) read.Add(NowUs);
            long nextUs = Math.Min(_pacer.DeadlineUs, NowUs + (TurnUs / 2));
            _time.Advance(TimeSpan.FromMicroseconds(nextUs - NowUs));
        }
        return read;
    }
}
