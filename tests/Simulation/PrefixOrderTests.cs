using System;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>The promise of a log on small histories whose verdict is known by hand.</summary>
public sealed class PrefixOrderTests
{
    private readonly PrefixOrder _promise = new(64);
    private readonly ulong[] _image = new ulong[64];

    private History History => _promise.History;

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
        History.Acknowledge(second);
        Show(second);
        Assert.Null(Verdict(CrashKind.Power));
        Assert.Null(Verdict(CrashKind.Process));
    }

    [Fact]
    public void WhatWasFlushedIsThere()
    {
        int write = Write(0, 8);
        History.AcknowledgeFlush(History.Tick());
        Assert.NotNull(Verdict(CrashKind.Power));
        Show(write);
        Assert.Null(Verdict(CrashKind.Power));
    }

    [Fact]
    public void AFlushDoesNotCoverWhatCameLater()
    {
        long flush = History.Tick();
        Write(0, 8);
        History.AcknowledgeFlush(flush);
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
        History.AcknowledgeFlush(History.Tick());
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
        History.AcknowledgeFlush(History.Tick());
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
        History.Close();
        Assert.Null(Verdict(CrashKind.Process));
        _promise.Rebase(_image, durable: false);
        Show(write);
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void WhatARestartShowedMayStillBeLostUntilItIsFlushed()
    {
        int write = Begin(RequestKind.Write, 0, 8);
        History.Close();
        Show(write);
        Assert.Null(Verdict(CrashKind.Process));
        _promise.Rebase(_image, durable: false);
        Array.Clear(_image);
        Assert.Null(Verdict(CrashKind.Power));
        Assert.NotNull(Verdict(CrashKind.Process));
        History.AcknowledgeFlush(History.Tick());
        Assert.NotNull(Verdict(CrashKind.Power));
    }

    [Fact]
    public void AReadReturnsTheNewestAcknowledgedOrAConcurrentOne()
    {
        int old = Write(0, 8);
        int acknowledged = Write(0, 8);
        int open = Begin(RequestKind.Write, 0, 8);
        long submitted = History.Tick();
        Assert.True(Allowed(acknowledged, submitted));
        Assert.False(Allowed(old, submitted));
        Assert.False(History.ReadAllowed(0, 0, submitted, History.Tick()));
        Assert.True(Allowed(open, submitted));
        Assert.False(Allowed(acknowledged, History.Tick()));
    }

    private bool Allowed(int write, long submitted) =>
        History.ReadAllowed(0, (ulong)write, submitted, History.Tick());

    private string? Verdict(CrashKind kind) => _promise.Check(_image, kind);

    private int Begin(RequestKind kind, long first, long count, bool fua = false)
    {
        int write = History.Submit(kind, fua, first, count);
        ulong value = kind == RequestKind.Write ? (ulong)write : 0;
        for (long x = first; x < first + count; x++) History.Add(write, x, value);
        return write;
    }

    private int Complete(int write)
    {
        History.Acknowledge(write);
        return write;
    }

    private int Write(long first, long count, bool fua = false) =>
        Complete(Begin(RequestKind.Write, first, count, fua));

    private void Show(int write)
    {
        WriteRecord w = History.Writes[write];
        for (long x = w.FirstSector; x < w.FirstSector + w.SectorCount; x++) _image[x] = (ulong)write;
    }
}
