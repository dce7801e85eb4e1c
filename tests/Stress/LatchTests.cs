using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>Who may be inside at the same time, and whether whoever was refused is told.</summary>
public sealed class LatchTests
{
    private const int Threads = 4;

    [Fact]
    public void ALatchHoldsOne()
    {
        SpinLatch latch = default;
        long plain = 0, all = 0;
        Holds(() => Volatile.Read(ref plain) > 1000, contention =>
        {
            long own = 0;
            while (!contention.IsOver)
            {
                if (own % 3 != 0) latch.Enter();
                else if (!latch.TryEnter()) continue;
                plain++;
                latch.Exit();
                own++;
            }
            Interlocked.Add(ref all, own);
        });
        Assert.Equal(all, plain);
    }

    [Fact]
    public void OneFlushesAtATime()
    {
        int inside = 0;
        long failures = 0;
        FlushLock turn = new(static () => { });
        Holds(() => turn.Failures > 1000, contention =>
        {
            while (!contention.IsOver)
            {
                if (!turn.TryTake()) continue;
                Assert.Equal(1, Interlocked.Increment(ref inside));
                failures++;
                turn.CountFailure();
                Assert.Equal(0, Interlocked.Decrement(ref inside));
                turn.GiveBack();
            }
        });
        Assert.Equal(failures, turn.Failures);
    }

    /// <summary>Two come once each, and nobody after them: a wake-up that is lost stays lost.</summary>
    [Fact]
    public void WhoeverWasRefusedAFlushIsWoken()
    {
        int woken = 0;
        long refused = 0;
        FlushLock turn = new(() => Interlocked.Increment(ref woken));
        Holds(() => Volatile.Read(ref refused) > 10, contention =>
        {
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            while (contention.Meet(2))
            {
                int before = Volatile.Read(ref woken);
                while (!turn.TryTake())
                {
                    Interlocked.Increment(ref refused);
                    Assert.True(Contention.Await(() => Volatile.Read(ref woken) != before), "nobody is woken");
                    before = Volatile.Read(ref woken);
                }
                Thread.SpinWait(random.Below(30));
                turn.GiveBack();
            }
        }, threads: 2);
    }

    private static void Holds(Func<bool> enough, Action<Contention> work, int threads = Threads)
    {
        Action<Contention>[] all = new Action<Contention>[threads];
        Array.Fill(all, work);
        Exception? failure = Contention.Run(Contention.PartMs, null, enough, all);
        Assert.True(failure == null, $"{failure}");
    }
}
