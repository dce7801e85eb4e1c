using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// The promise of engines whose data lies in place, on small histories whose verdict is known by hand.
/// </summary>
public sealed class StableInPlaceTests
{
    private readonly StableInPlace _promise = new(64);
    private readonly ulong[] _image = new ulong[64];

    private History History => _promise.History;

    [Fact]
    public void WhatWasFlushedIsThere()
    {
        int write = Write(0, 8);
        Flush();
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
        Show(write);
        Assert.Null(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void FuaKeepsItselfAndNothingElse()
    {
        Write(0, 8);
        int durable = Write(8, 8, fua: true);
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
        Show(durable);
        Assert.Null(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void WhatWasAcknowledgedOutlivesTheProcess()
    {
        int write = Write(0, 8);
        Assert.NotNull(_promise.Check(_image, CrashKind.Process));
        Show(write);
        Assert.Null(_promise.Check(_image, CrashKind.Process));
    }

    [Fact]
    public void SectorsSurviveEachForItself()
    {
        Write(0, 8);
        int later = Write(8, 8);
        _image[9] = (ulong)later;
        Assert.Null(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void AnOlderVersionMaySurviveButNoneBelowTheFlush()
    {
        int oldest = Write(0, 1);
        int flushed = Write(0, 1);
        Flush();
        Write(0, 1);
        _image[0] = (ulong)flushed;
        Assert.Null(_promise.Check(_image, CrashKind.Power));
        _image[0] = (ulong)oldest;
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void OldDataDoesNotComeBackOnceARestartHasShownNewer()
    {
        int old = Write(0, 1);
        Flush();
        int newer = Write(0, 1);
        _image[0] = (ulong)newer;
        Crash(CrashKind.Power);
        Assert.Null(_promise.Check(_image, CrashKind.Power));
        _image[0] = (ulong)old;
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void NewDataDoesNotAppearOnceARestartHasShownOlder()
    {
        int old = Write(0, 1);
        Flush();
        int newer = Write(0, 1);
        _image[0] = (ulong)old;
        Crash(CrashKind.Power);
        _image[0] = (ulong)newer;
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void WhatDiedWithAProcessAndWasShownStays()
    {
        int old = Write(0, 1);
        int inFlight = Begin(RequestKind.Write, 0, 1, fua: false);
        _image[0] = (ulong)inFlight;
        Crash(CrashKind.Process);
        _image[0] = (ulong)old;
        Assert.NotNull(_promise.Check(_image, CrashKind.Process));
    }

    [Fact]
    public void AReadNeverReturnsOlderThanOneBefore()
    {
        int old = Write(0, 1);
        int newer = Begin(RequestKind.Write, 0, 1, fua: false);
        Assert.True(Read(old));
        Assert.True(Read(newer));
        Assert.False(Read(old));
    }

    [Fact]
    public void ASectorIsNeverAMixOfTwoWrites()
    {
        Write(0, 1);
        Write(0, 1);
        _image[0] = 1UL << 63 | 77;
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void ADiscardedSectorReadsAsZeroesAndStaysSoOnceItIsFlushed()
    {
        int write = Write(0, 1);
        Flush();
        int discard = Begin(RequestKind.Discard, 0, 1, fua: false);
        History.Acknowledge(discard);
        Assert.False(Read(write));
        Assert.True(Read(0));
        _image[0] = (ulong)write;
        Assert.Null(_promise.Check(_image, CrashKind.Power));
        Assert.NotNull(_promise.Check(_image, CrashKind.Process));
        Flush();
        Assert.NotNull(_promise.Check(_image, CrashKind.Power));
        _image[0] = 0;
        Assert.Null(_promise.Check(_image, CrashKind.Power));
    }

    [Fact]
    public void WhatAFailedFlushDroppedIsForgivenAndNothingElse()
    {
        int flushed = Write(0, 1);
        Flush();
        Write(1, 1);
        _image[0] = (ulong)flushed;
        Assert.NotNull(_promise.Check(_image, CrashKind.Process));
        History.ForgiveUnflushed();
        Assert.Null(_promise.Check(_image, CrashKind.Process));
        _image[0] = 0;
        Assert.NotNull(_promise.Check(_image, CrashKind.Process));
    }

    private bool Read(ulong value)
    {
        long submitted = History.Tick();
        return History.ReadAllowed(0, value, submitted, History.Tick());
    }

    private bool Read(int write) => Read((ulong)write);

    private void Flush() => History.AcknowledgeFlush(History.Tick());

    // The image is what the next start shows, and right.
    private void Crash(CrashKind kind)
    {
        History.Close();
        Assert.Null(_promise.Check(_image, kind));
        _promise.Rebase(_image, durable: kind == CrashKind.Power);
    }

    private int Write(long first, long count, bool fua = false)
    {
        int write = Begin(RequestKind.Write, first, count, fua);
        History.Acknowledge(write);
        return write;
    }

    private int Begin(RequestKind kind, long first, long count, bool fua)
    {
        int write = History.Submit(kind, fua, first, count);
        ulong value = kind == RequestKind.Write ? (ulong)write : 0;
        for (long x = first; x < first + count; x++) History.Add(write, x, value);
        return write;
    }

    private void Show(int write)
    {
        WriteRecord w = History.Writes[write];
        for (long x = w.FirstSector; x < w.FirstSector + w.SectorCount; x++) _image[x] = (ulong)write;
    }
}
