using System;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>The oracle on small histories whose verdict is known by hand.</summary>
public sealed class CrashOracleTests
{
    private readonly History _history = new(64);
    private readonly ulong[] _image = new ulong[64];

    [Fact]
    public void LosingEverythingUnflushedIsAllowed()
    {
        Write(0, 8);
        Write(8, 8);
        Assert.Null(Verdict(CrashKind.Power));
        Assert.NotNull(Verdict(CrashKind.Process));
    }

    [Fact]
    public void TheLaterNeverSurvivesWithoutTheEarlier()
    {
        Write(0, 8);
        Show(Write(8, 8));
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void ConcurrentWritesSurviveInAnyOrder()
    {
        Begin(RequestKind.Write, 0, 8);
        int second = Begin(RequestKind.Write, 8, 8);
        _history.Acknowledge(second);
        Show(second);
        Assert.Null(Verdict(CrashKind.Power));
        Assert.Null(Verdict(CrashKind.Process));
    }

    [Fact]
    public void WhatWasFlushedIsThere()
    {
        int write = Write(0, 8);
        _history.AcknowledgeFlush(_history.Tick());
        Assert.NotNull(Verdict(CrashKind.Power));
        Show(write);
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void WhatWentRoundIsForgivenWhenItsFlushFailsAndNothingElse()
    {
        var history = new History(64) { Unordered = true };
        var oracle = new CrashOracle(history);
        int flushed = history.Submit(RequestKind.Write, false, 0, 1);
        history.Add(flushed, 0, (ulong)flushed);
        history.Acknowledge(flushed);
        history.AcknowledgeFlush(history.Tick());
        int dropped = history.Submit(RequestKind.Write, false, 1, 1);
        history.Add(dropped, 1, (ulong)dropped);
        history.Acknowledge(dropped);
        _image[0] = (ulong)flushed;
        Assert.NotNull(oracle.Check(_image, CrashKind.Process));
        history.ForgiveUnflushed();
        Assert.Null(oracle.Check(_image, CrashKind.Process));
        _image[0] = 0;
        Assert.NotNull(oracle.Check(_image, CrashKind.Process));
    }

    [Fact]
    public void AFlushDoesNotCoverWhatCameLater()
    {
        long flush = _history.Tick();
        Write(0, 8);
        _history.AcknowledgeFlush(flush);
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void FuaKeepsItselfAndWhatCameBefore()
    {
        int before = Write(0, 8);
        Show(Write(8, 8, fua: true));
        Assert.NotNull(Verdict(CrashKind.Power));
        Show(before);
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void APieceIsNeverTorn()
    {
        int write = Write(0, 8);
        _image[3] = (ulong)write;
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void ARequestSurvivesAsAPrefixOfItsPieces()
    {
        int write = Begin(RequestKind.Write, 0, 24);
        for (int x = 0; x < 8; x++) _image[x] = (ulong)write;
        Assert.Null(Verdict(CrashKind.Power));
        Array.Clear(_image);
        for (int x = 8; x < 16; x++) _image[x] = (ulong)write;
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void AZeroedRangeIsOrderedLikeAWrite()
    {
        Show(Write(0, 8));
        _history.AcknowledgeFlush(_history.Tick());
        Complete(Begin(RequestKind.Discard, 0, 8));
        Show(Write(8, 8));
        Assert.NotNull(Verdict(CrashKind.Power));
        for (int x = 0; x < 8; x++) _image[x] = 0;
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void ZeroesThatOnlyALateDiscardExplainsDragTheRestAlong()
    {
        Show(Write(0, 8));
        _history.AcknowledgeFlush(_history.Tick());
        int between = Write(8, 8);
        Complete(Begin(RequestKind.Discard, 0, 8));
        for (int x = 0; x < 8; x++) _image[x] = 0;
        Assert.NotNull(Verdict(CrashKind.Power));
        Show(between);
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void TwoPiecesOfABlockAreNotMixed()
    {
        int one = Begin(RequestKind.Write, 0, 8);
        int two = Begin(RequestKind.Write, 0, 8);
        Show(one);
        Assert.Null(Verdict(CrashKind.Power));
        _image[4] = (ulong)two;
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void WhatARestartProvedDeadStaysDead()
    {
        int write = Begin(RequestKind.Write, 0, 8);
        _history.Close();
        Assert.Null(Verdict(CrashKind.Process));
        new CrashOracle(_history).Rebase(_image, durable: false);
        Show(write);
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void WhatARestartShowedMayStillBeLostUntilItIsFlushed()
    {
        int write = Begin(RequestKind.Write, 0, 8);
        _history.Close();
        Show(write);
        Assert.Null(Verdict(CrashKind.Process));
        new CrashOracle(_history).Rebase(_image, durable: false);
        Array.Clear(_image);
        Assert.Null(Verdict(CrashKind.Power));
        Assert.NotNull(Verdict(CrashKind.Process));
        _history.AcknowledgeFlush(_history.Tick());
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void AReadReturnsTheNewestAcknowledgedOrAConcurrentOne()
    {
        int old = Write(0, 8);
        int acknowledged = Write(0, 8);
        int open = Begin(RequestKind.Write, 0, 8);
        long submitted = _history.Tick();
        Assert.True(Allowed(acknowledged, submitted));
        Assert.False(Allowed(old, submitted));
        Assert.False(_history.ReadAllowed(0, 0, submitted, _history.Tick()));
        Assert.True(Allowed(open, submitted));
        Assert.False(Allowed(acknowledged, _history.Tick()));
    }

    private bool Allowed(int write, long submitted) =>
        _history.ReadAllowed(0, (ulong)write, submitted, _history.Tick());

    private string? Verdict(CrashKind kind) => new CrashOracle(_history).Check(_image, kind);

    private int Begin(RequestKind kind, long first, long count, bool fua = false)
    {
        int write = _history.Submit(kind, fua, first, count);
        ulong value = kind == RequestKind.Write ? (ulong)write : 0;
        for (long x = first; x < first + count; x++) _history.Add(write, x, value);
        return write;
    }

    private int Complete(int write)
    {
        _history.Acknowledge(write);
        return write;
    }

    private int Write(long first, long count, bool fua = false) =>
        Complete(Begin(RequestKind.Write, first, count, fua));

    private void Show(int write)
    {
        WriteRecord w = _history.Writes[write];
        for (long x = w.FirstSector; x < w.FirstSector + w.SectorCount; x++) _image[x] = (ulong)write;
    }
}
