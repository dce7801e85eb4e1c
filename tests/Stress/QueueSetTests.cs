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
    public void NobodySleepsThroughAChange() => Assert.Null(Exchange(Contention.PartMs, null));

    [Fact]
    public void ALostWakeUpIsSeen() =>
        Contention.AssertCaught(Exchange(Contention.MutantMs, SharedMutant.R6WakeLost));

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

    private static Exception? Exchange(int ms, Enum? mutant)
    {
        using Talk talk = new();
        return Contention.Run(ms, mutant, talk.IsEnough,
            [contention => talk.Play(contention, 0), contention => talk.Play(contention, 1)]);
    }

    /// <summary>Two queues; each tells the other of its turn, and sleeps until it has heard of the other's.</summary>
    private sealed class Talk : IDisposable
    {
        private readonly QueueSet _queues = new(2);
        private readonly SleepingContext[] _ios = [new(), new()];
        private readonly long[] _turns = new long[2];
        private int _sleeping;
        private long _rises;

        public bool IsEnough() => Volatile.Read(ref _turns[1]) > 50;

        public void Dispose()
        {
            foreach (SleepingContext io in _ios) io.Dispose();
        }

        public void Play(Contention contention, int index)
        {
            QueueWaker waker = _queues.Open(index, _ios[index]);
            for (long turn = 1; !contention.IsOver; turn++)
            {
                Volatile.Write(ref _turns[index], turn);
                _queues.WakeAll();
                while (Volatile.Read(ref _turns[1 - index]) < turn && !contention.IsOver)
                {
                    waker.Take();
                    if (Volatile.Read(ref _turns[1 - index]) >= turn) break;
                    if (!waker.IsWoken) Sleep(contention, _ios[index]);
                }
            }
        }

        private void Sleep(Contention contention, SleepingContext io)
        {
            Interlocked.Increment(ref _sleeping);
            while (!io.IsWokenSoon() && !contention.IsOver) Assert.False(IsStuck(), "a wake-up is lost");
            Interlocked.Decrement(ref _sleeping);
            Interlocked.Increment(ref _rises);
            io.Rise();
        }

        // Who rises sleeps no more, and says so, before it takes the wake-up: where both sleep, neither has one, and
        // neither has risen meanwhile, nobody will wake anybody.
        private bool IsStuck()
        {
            long rises = Volatile.Read(ref _rises);
            if (Volatile.Read(ref _sleeping) != _ios.Length) return false;
            foreach (SleepingContext io in _ios)
                if (io.HasWakeUp) return false;
            return Volatile.Read(ref _rises) == rises;
        }
    }

    private sealed class SleepingContext : IoContext
    {
        private const int LookMs = 10;

        private readonly ManualResetEventSlim _wakeUp = new();

        public volatile bool HasGone;
        public int WokenTooLate;

        public override long NowUs => 0;

        /// <summary>Somebody has woken it, and it has not risen.</summary>
        public bool HasWakeUp => _wakeUp.IsSet;

        public override void Wake()
        {
            if (HasGone) Interlocked.Increment(ref WokenTooLate);
            _wakeUp.Set();
        }

        public override void Pump(bool wait, long deadlineUs)
        {
        }

        /// <summary>Sleeps for a while; true: somebody has woken it.</summary>
        public bool IsWokenSoon() => _wakeUp.Wait(LookMs);

        /// <summary>Takes the wake-up.</summary>
        public void Rise() => _wakeUp.Reset();
    }
}
