using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Writeboost.Bypass;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// The striped versions, alone and with the writes that go round the log: what they call unchanged has not changed,
/// and nobody logs what somebody else writes to the backing device (R10).
/// </summary>
public sealed class StripedVersionsTests
{
    private const int Blocks = 64, Threads = 4;

    [Fact]
    public void WhatIsCalledUnchangedHasNotChanged()
    {
        Exception? failure = RunReaders(Contention.PartMs, null);
        Assert.True(failure == null, $"{failure}");
    }

    [Fact]
    public void TheMutantIsCaught() =>
        Contention.AssertCaught(RunReaders(Contention.MutantMs, SharedMutant.R10StaleStaged));

    [Fact]
    public void NobodyLogsWhatGoesRound()
    {
        using Meeting meeting = new();
        Action<Contention>[] work = new Action<Contention>[Threads];
        for (int i = 0; i < Threads; i++)
        {
            ulong seed = (ulong)i;
            work[i] = i % 2 == 0
                ? contention => meeting.Log(contention, seed)
                : contention => meeting.GoRound(contention, seed);
        }
        Exception? failure = Contention.Run(Contention.PartMs, null,
            () => Volatile.Read(ref meeting.Logged) > 100 && Volatile.Read(ref meeting.WentRound) > 100, work);
        Assert.True(failure == null, $"{failure}");
    }

    /// <summary>Two come once each, and nobody after them: a wake-up that is lost stays lost.</summary>
    [Fact]
    public void WhoeverWaitsForAWriteRoundIsWoken()
    {
        using Meeting meeting = new();
        Exception? failure = Contention.Run(
            Contention.PartMs, null, () => Volatile.Read(ref meeting.Waited) > 10,
            meeting.GoRoundOnce, meeting.WaitOnce);
        Assert.True(failure == null, $"{failure}");
    }

    private static Exception? RunReaders(int ms, Enum? mutant)
    {
        using StripedVersions table = new(1 << 12);
        long[] content = new long[Blocks];
        long unchanged = 0;
        void Change(Contention contention)
        {
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            while (!contention.IsOver)
            {
                bool range = random.Chance(20);
                int blocks = random.Between(1, 20), first = random.Below(Blocks - blocks);
                if (range) table.BeginRange();
                else table.BeginLogging((ulong)first, blocks);
                for (int i = first; i < first + blocks; i++) Interlocked.Increment(ref content[i]);
                if (range) table.EndRange();
                else table.EndLogging((ulong)first, blocks);
                Thread.SpinWait(random.Below(2000));
            }
        }
        void Read(Contention contention)
        {
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            long own = 0;
            while (!contention.IsOver)
            {
                int blocks = random.Between(1, 12), first = random.Below(Blocks - blocks);
                long sample = table.Sample((ulong)first, blocks);
                if (sample == StripedVersions.Busy) continue;
                long before = Sum(content, first, blocks);
                Thread.SpinWait(random.Below(100));
                long after = Sum(content, first, blocks);
                if (!table.IsUnchanged((ulong)first, blocks, sample)) continue;
                Assert.Equal(before, after);
                unchanged = ++own;
            }
        }
        return Contention.Run(ms, mutant, () => Volatile.Read(ref unchanged) > 100, Change, Change, Read, Read);
    }

    private static long Sum(long[] content, int first, int blocks)
    {
        long sum = 0;
        for (int i = first; i < first + blocks; i++) sum += Volatile.Read(ref content[i]);
        return sum;
    }

    /// <summary>Both sides as the engine's queues play them.</summary>
    private sealed class Meeting : IDisposable
    {
        // Device 1: numbers begin there.
        private const ulong Base = 1UL << 40;

        private readonly StripedVersions _table = new(1 << 12);
        private readonly WritesAround _around;
        private readonly int[] _logging = new int[Blocks];
        private readonly int[] _round = new int[Blocks];
        private int _woken;

        public Meeting() => _around = new WritesAround(() => Interlocked.Increment(ref _woken));

        public long Logged;

        public long WentRound;

        public long Waited;

        public void Dispose() => _table.Dispose();

        public void Log(Contention contention, ulong seed)
        {
            Prng random = new(seed);
            while (!contention.IsOver)
            {
                int blocks = random.Between(1, 8), first = random.Below(Blocks - blocks);
                int woken = Volatile.Read(ref _woken);
                ulong key = Base + (ulong)first;
                _table.BeginLogging(key, blocks);
                if (_around.MustWait(key, key + (ulong)blocks))
                {
                    _table.EndLogging(key, blocks);
                    Assert.True(Contention.Await(() => Volatile.Read(ref _woken) != woken), "nobody is woken");
                    continue;
                }
                Work(_logging, _round, first, blocks);
                _table.EndLogging(key, blocks);
                Interlocked.Increment(ref Logged);
                Thread.SpinWait(random.Below(1000));
            }
        }

        public void GoRound(Contention contention, ulong seed)
        {
            Prng random = new(seed);
            while (!contention.IsOver)
            {
                int blocks = random.Between(1, 8), first = random.Below(Blocks - blocks);
                ulong key = Base + (ulong)first;
                if (!_around.TryEnter(key, key + (ulong)blocks, out int place)) continue;
                bool free = !_table.BeginAround(key, blocks);
                if (free) Work(_round, _logging, first, blocks);
                _table.EndAround(key, blocks);
                _around.Leave(place, free ? 1 : 0, 0);
                if (free) Interlocked.Increment(ref WentRound);
                Thread.SpinWait(random.Below(1000));
            }
        }

        public void GoRoundOnce(Contention contention)
        {
            Prng random = new(2);
            while (contention.Meet(2))
            {
                Assert.True(_around.TryEnter(Base, Base + 1, out int place));
                Thread.SpinWait(random.Below(100));
                _around.Leave(place, 1, 0);
            }
        }

        public void WaitOnce(Contention contention)
        {
            Prng random = new(1);
            while (contention.Meet(2))
            {
                Thread.SpinWait(random.Below(100));
                int woken = Volatile.Read(ref _woken);
                if (!_around.MustWait(Base, Base + 1)) continue;
                Waited++;
                Assert.True(Contention.Await(() => Volatile.Read(ref _woken) != woken), "nobody is woken");
            }
        }

        private static void Work(int[] own, int[] others, int first, int blocks)
        {
            for (int i = first; i < first + blocks; i++) Interlocked.Increment(ref own[i]);
            for (int i = first; i < first + blocks; i++)
                Assert.True(Volatile.Read(ref others[i]) == 0, $"block {i} is logged and goes round at a time");
            for (int i = first; i < first + blocks; i++) Interlocked.Decrement(ref own[i]);
        }
    }
}
