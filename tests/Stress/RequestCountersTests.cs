using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// Counters that are cleared while their queue counts. What is left of the time before is neither counted again, nor is
/// anything of the time after lost. Zeroing the numbers from another thread does both.
/// </summary>
public sealed class RequestCountersTests
{
    private const int Lines = 16, LineWords = 16;

    [Fact]
    public void WhatIsClearedDoesNotComeBack()
    {
        Exception? failure = Race(Contention.PartMs, null);
        Assert.True(failure == null, $"{failure}");
    }

    [Fact]
    public void TheMutantIsCaught() =>
        Contention.AssertCaught(Race(Contention.MutantMs, SharedMutant.CountersZeroed));

    private static Exception? Race(int ms, Enum? mutant)
    {
        CounterTotals<Counters> totals = new(1);
        Counters counters = totals.Of(0);
        // Other lines that both threads write: the counting thread's stores wait for these.
        long[] contended = new long[Lines * LineWords];
        long begun = 0, ended = 0, clears = 0;
        return Contention.Run(ms, mutant, () => Volatile.Read(ref clears) > 1000, [Count, Clear]);

        void Count(Contention contention)
        {
            for (long i = 1; !contention.IsOver; i++)
            {
                for (int k = 0; k < contended.Length; k += LineWords) contended[k] = i;
                Volatile.Write(ref begun, i);
                counters.CountRequest(RequestKind.Write, RequestFlags.None, 1);
                Volatile.Write(ref ended, i);
            }
        }

        void Clear(Contention contention)
        {
            while (!contention.IsOver)
            {
                long endedBefore = Volatile.Read(ref ended);
                totals.Clear();
                long begunBefore = Volatile.Read(ref begun);
                for (int k = 0; k < contended.Length; k += LineWords) contended[k] = -1;
                Thread.SpinWait(50);
                long endedAfter = Volatile.Read(ref ended);
                long since = totals[RequestCounters.RequestsOf(RequestKind.Write)];
                long begunAfter = Volatile.Read(ref begun);
                Assert.InRange(since, endedAfter - begunBefore, begunAfter - endedBefore);
                Volatile.Write(ref clears, clears + 1);
            }
        }
    }

    [Fact]
    public void EachKindHasItsNumberAndOthersHaveTheEngines()
    {
        CounterTotals<Counters> totals = new(2);
        totals.Of(0).CountRequest(RequestKind.Read, RequestFlags.None, 512);
        totals.Of(1).CountRequest(RequestKind.Read, RequestFlags.None, 1024);
        totals.Of(1).CountRequest(RequestKind.Write, RequestFlags.Fua, 4096);
        totals.Of(1).CountRequest(RequestKind.Write, RequestFlags.Counted, 4096);
        totals.Of(0).Add(Counters.Own, 7);
        Assert.Equal(2, totals[RequestCounters.RequestsOf(RequestKind.Read)]);
        Assert.Equal(1536, totals[RequestCounters.BytesOf(RequestKind.Read)]);
        Assert.Equal(1, totals[RequestCounters.RequestsOf(RequestKind.Write)]);
        Assert.Equal(1, totals[RequestCounters.Fua]);
        Assert.Equal(7, totals[Counters.Own]);
        totals.Clear();
        totals.Of(0).Add(Counters.Own, 2);
        Assert.Equal(2, totals[Counters.Own]);
        Assert.Equal(0, totals[RequestCounters.BytesOf(RequestKind.Read)]);
        Assert.Equal(9, totals.Of(0)[Counters.Own]);
    }

    private sealed class Counters() : RequestCounters(own: 1)
    {
        public const int Own = FirstOwn;
    }
}
