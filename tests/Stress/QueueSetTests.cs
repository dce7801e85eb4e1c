using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>Queues that sleep, and are woken by others; and that end while somebody wakes them.</summary>
public sealed class QueueSetTests
{
    /// <summary>
    /// Two threads change something in turn, each only after it was told of the other's change: a wake-up that is lost
    /// stays lost.
    /// </summary>
    [Fact]
    public void NobodySleepsThroughAChange() => Assert.Null(Exchange(null));

    [Fact]
    public void ALostWakeUpIsSeen() => Assert.NotNull(Exchange(SharedMutant.R6WakeLost));

    /// <summary>Whoever wakes all is never in a context that has gone.</summary>
    [Fact]
    public void NobodyIsWokenWhoHasLeft()
    {
        long left = 0;
        Exception? failure = Contention.Run(Contention.PartMs, null, () => Volatile.Read(ref left) > 100,
            [Come, Come, contention => { while (!contention.IsOver) Thread.SpinWait(10); }]);
        Assert.True(failure == null, $"{failure}");

        void Come(Contention contention)
        {
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            while (!contention.IsOver)
            {
                QueueSet queues = new(1);
                using SleepingContext io = new();
                QueueWaker waker = queues.Open(0, io);
                Thread other = new(() => { for (int i = 0; i < 3; i++) queues.WakeAll(); });
                other.Start();
                for (int i = random.Below(200); i > 0; i--) waker.Take();
                waker.Leave();
                io.HasGone = true;
                other.Join();
                Assert.Equal(0, io.WokenTooLate);
                Interlocked.Increment(ref left);
            }
        }
    }

    /// <summary>The first queue waits for the others, and is told when the last one has ended.</summary>
    [Fact]
    public void TheFirstQueueHearsOfTheLastOnesEnd()
    {
        QueueSet queues = new(3);
        using SleepingContext io = new();
        QueueWaker first = queues.Open(0, io);
        queues.Open(2, io);
        Assert.Equal(3, queues.Count);
        queues.NoteStopped();
        first.Take();
        Assert.False(queues.HaveAllStopped);
        queues.NoteStopped();
        Assert.True(first.IsWoken);
        Assert.True(queues.HaveAllStopped);
    }

    /// <summary>Of many changes the first queue hears once, until it has looked.</summary>
    [Fact]
    public void TheFirstChangeWakesTheFirstQueue()
    {
        QueueSet queues = new(2);
        using SleepingContext io = new();
        QueueWaker first = queues.Open(0, io);
        queues.NoteChange(0);
        Assert.False(first.IsWoken);
        queues.NoteChange(1);
        Assert.True(first.IsWoken);
        first.Take();
        queues.NoteChange(1);
        Assert.False(first.IsWoken);
        queues.ClearChange();
        queues.NoteChange(1);
        Assert.True(first.IsWoken);
    }

    private static Exception? Exchange(Enum? mutant)
    {
        QueueSet queues = new(2);
        long[] turns = new long[2];
        return Contention.Run(Contention.PartMs, mutant, () => Volatile.Read(ref turns[1]) > 50,
            [contention => Play(contention, 0), contention => Play(contention, 1)]);

        void Play(Contention contention, int index)
        {
            using SleepingContext io = new();
            QueueWaker waker = queues.Open(index, io);
            for (long turn = 1; !contention.IsOver; turn++)
            {
                Volatile.Write(ref turns[index], turn);
                queues.WakeAll();
                while (Volatile.Read(ref turns[1 - index]) < turn && !contention.IsOver)
                {
                    waker.Take();
                    if (Volatile.Read(ref turns[1 - index]) >= turn) break;
                    bool isWoken = waker.IsWoken || io.Sleep(contention);
                    Assert.True(isWoken || contention.IsOver, "a wake-up is lost");
                }
            }
            queues.WakeAll();
        }
    }

    private sealed class SleepingContext : IoContext
    {
        private const int PatienceMs = 5000;

        private readonly SemaphoreSlim _wakeUps = new(0);

        public volatile bool HasGone;
        public int WokenTooLate;

        public override long NowUs => 0;

        public override void Wake()
        {
            if (HasGone) Interlocked.Increment(ref WokenTooLate);
            _wakeUps.Release();
        }

        public override void Pump(bool wait, long deadlineUs)
        {
        }

        /// <summary>False: nobody has woken it for so long that nobody will.</summary>
        public bool Sleep(Contention contention)
        {
            for (int ms = 0; ms < PatienceMs && !contention.IsOver; ms += 10)
                if (_wakeUps.Wait(10)) return true;
            return false;
        }
    }
}
