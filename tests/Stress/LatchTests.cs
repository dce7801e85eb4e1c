using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
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
        Holds(contention =>
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
    public void OneFlushesAndWhoeverWasRefusedIsWoken()
    {
        int woken = 0, inside = 0;
        long failures = 0, refused = 0;
        FlushTurn turn = new(() => Interlocked.Increment(ref woken));
        Holds(contention =>
        {
            while (!contention.IsOver)
            {
                int before = Volatile.Read(ref woken);
                if (!turn.TryTake())
                {
                    Interlocked.Increment(ref refused);
                    Assert.True(Contention.Await(() => Volatile.Read(ref woken) != before), "nobody is woken");
                    continue;
                }
                Assert.Equal(1, Interlocked.Increment(ref inside));
                failures++;
                turn.CountFailure();
                Assert.Equal(0, Interlocked.Decrement(ref inside));
                turn.GiveBack();
            }
        });
        Assert.Equal(failures, turn.Failures);
        Assert.True(refused > 0, "nobody was ever refused");
    }

    [Fact]
    public void ManyWritesOrOneAlone()
    {
        ExclusiveGate gate = new();
        int many = 0, alone = 0;
        long wereMany = 0, wereAlone = 0;
        Holds(contention =>
        {
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            while (!contention.IsOver)
            {
                if (random.Chance(80) && gate.TryEnter())
                {
                    Interlocked.Increment(ref many);
                    Assert.Equal(0, Volatile.Read(ref alone));
                    Interlocked.Decrement(ref many);
                    gate.Exit();
                    Interlocked.Increment(ref wereMany);
                }
                else if (gate.TryEnterAlone())
                {
                    Assert.Equal(1, Interlocked.Increment(ref alone));
                    Assert.Equal(0, Volatile.Read(ref many));
                    Interlocked.Decrement(ref alone);
                    gate.ExitAlone();
                    Interlocked.Increment(ref wereAlone);
                }
            }
        });
        Assert.True(wereMany > 100, $"{wereMany} were inside with others");
        Assert.True(wereAlone > 100, $"{wereAlone} were inside alone");
    }

    [Fact]
    public void AVolumeOnlyGetsWorseAndSaysEachStateOnce()
    {
        long end = Environment.TickCount64 + Contention.PartMs;
        for (int rounds = 0; Environment.TickCount64 < end || rounds < 100; rounds++)
        {
            int said = 0, last = -1;
            VolumeHealth health = new(_ => Interlocked.Increment(ref said));
            Exception? failure = Contention.Run(Contention.PartMs, MutantId.None,
                _ => health.Worsen(VolumeState.ReadOnly, "a"), _ => health.Worsen(VolumeState.Failed, "b"),
                _ => health.Worsen(VolumeState.Failed, "c"), contention =>
                {
                    for (int i = 0; i < 1000 && !contention.IsOver; i++)
                    {
                        int now = (int)health.State;
                        Assert.True(now >= last, $"from state {last} back to {now}");
                        last = now;
                    }
                    contention.End();
                });
            Assert.True(failure == null, $"{failure}");
            Assert.Equal(VolumeState.Failed, health.State);
            Assert.InRange(said, 1, 2);
        }
    }

    private static void Holds(Action<Contention> work)
    {
        Action<Contention>[] all = new Action<Contention>[Threads];
        Array.Fill(all, work);
        Exception? failure = Contention.Run(Contention.PartMs, MutantId.None, all);
        Assert.True(failure == null, $"{failure}");
    }
}
