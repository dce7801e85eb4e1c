using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// Block locks on real threads that dawdle where they may meet: nobody is beside whom its mode keeps out, every parked
/// lock comes back, and none that came later goes first.
/// </summary>
public sealed unsafe class BlockLocksTests
{
    private const int Threads = 4;

    [Fact]
    public void LocksKeepTheirPromises()
    {
        Exception? failure = Go(Contention.PartMs * 2, LockMutant.None);
        Assert.True(failure == null, $"{failure}");
    }

    [Theory]
    [InlineData(LockMutant.NotAtomic)]
    [InlineData(LockMutant.ReadsBeside)]
    [InlineData(LockMutant.AloneBeside)]
    [InlineData(LockMutant.PromotesEarly)]
    [InlineData(LockMutant.Overtakes)]
    [InlineData(LockMutant.ParksBlindly)]
    [InlineData(LockMutant.ReleaseUnseen)]
    [InlineData(LockMutant.CellsUnordered)]
    public void AMutantIsCaught(LockMutant mutant) => Contention.AssertCaught(Go(Contention.MutantMs, mutant));

    private static Exception? Go(int ms, LockMutant mutant)
    {
        using Run run = new();
        Action<Contention>[] work = new Action<Contention>[Threads];
        for (int i = 0; i < Threads; i++)
        {
            int thread = i;
            work[i] = contention => run.Work(contention, thread);
        }
        Exception? failure = Contention.Run(ms, mutant, run.IsEnough, work);
        if (failure == null) Assert.True(run.Locks.IsIdle, "a lock is left");
        return failure;
    }

    /// <summary>Spins now and then, so that what takes a few instructions may take long.</summary>
    private sealed class Dawdler(ulong seed) : IInterleaver
    {
        private Prng _random = new(seed);

        public void Step()
        {
            int chance = _random.Below(64);
            if (chance == 0) Thread.Yield();
            else if (chance < 8) Thread.SpinWait(_random.Below(200));
        }

        public bool Yield() => false;
    }

    /// <summary>What is known of a thread's parked lock; written by the thread.</summary>
    private sealed class InLine
    {
        /// <summary>Odd while it waits; counts on, so that who looks again knows whether it is the same.</summary>
        public long Turn;
        public long Block;
        public int Mode;
    }

    private sealed class Run : IDisposable
    {
        // More blocks than cells: ranges wrap, and different blocks meet in a cell.
        private const int Blocks = 12, CellCount = 8, PerThread = 3;

        // By mode, a bit for each that may be beside it.
        private static readonly int[] s_beside = [0b0111, 0b0011, 0b0001, 0];

        private readonly int[] _holders = new int[Blocks * 4];
        private readonly InLine[] _line = [new(), new(), new(), new()];
        private readonly BlockLock* _memory =
            (BlockLock*)NativeMemory.AllocZeroed(Threads * PerThread, (nuint)sizeof(BlockLock));
        private readonly MemoryContext _io = new();
        private readonly GrantQueue[] _queues;
        private long _parked, _promoted, _shared, _takes;
        private int _waiting;

        public Run()
        {
            _queues = new GrantQueue[Threads];
            for (int i = 0; i < Threads; i++) _queues[i] = new GrantQueue(i, _io);
        }

        public BlockLocks Locks { get; } = new(CellCount, 1);

        public bool IsEnough() => Volatile.Read(ref _parked) > 100 && Volatile.Read(ref _promoted) > 10
            && Volatile.Read(ref _shared) > 100;

        public void Dispose()
        {
            _io.Dispose();
            NativeMemory.Free(_memory);
        }

        public void Work(Contention contention, int thread)
        {
            Prng random = new((ulong)thread + 1);
            Interleaving.Current = new Dawdler((ulong)thread + 100);
            long[] seen = new long[Threads];
            while (!contention.IsOver)
            {
                BlockLock* it = _memory + (thread * PerThread) + random.Below(PerThread);
                Choose(it, ref random);
                for (int i = 0; i < Threads; i++) seen[i] = Volatile.Read(ref _line[i].Turn);
                bool taken = random.Chance(20) ? Locks.TryTake(it) : Take(contention, it, thread);
                if (contention.HasFailed) return;
                if (!taken) continue;
                CheckTurn(it, thread, seen);
                if (!Use(contention, it, thread, ref random)) return;
            }
            Interlocked.Increment(ref _waiting);
        }

        private static void Choose(BlockLock* it, ref Prng random)
        {
            int kind = random.Below(10);
            it->Mode = (BlockLockMode)(kind < 4 ? 0 : kind < 7 ? 1 : kind < 8 ? 2 : 3);
            it->BlockCount = random.Chance(60) ? 1 : random.Between(1, Blocks);
            it->FirstBlock = random.Below(Blocks - (int)it->BlockCount + 1);
        }

        // True once it is taken, parked or not.
        private bool Take(Contention contention, BlockLock* it, int thread)
        {
            InLine own = _line[thread];
            (own.Block, own.Mode) = (it->BlockCount == 1 ? it->FirstBlock : -1, (int)it->Mode);
            if (Locks.Take(it, _queues[thread])) return true;
            Volatile.Write(ref own.Turn, own.Turn + 1);
            Interlocked.Increment(ref _parked);
            Await(contention, it, thread);
            // Before it is released: who is behind has not had the blocks until then.
            Volatile.Write(ref own.Turn, own.Turn + 1);
            return true;
        }

        private void Await(Contention contention, BlockLock* it, int thread)
        {
            Interlocked.Increment(ref _waiting);
            SpinWait spin = default;
            while (_queues[thread].IsEmpty)
            {
                if (contention.HasFailed) return;
                Assert.False(IsStuck(), "all wait, and nobody comes");
                spin.SpinOnce(sleep1Threshold: -1);
            }
            Interlocked.Decrement(ref _waiting);
            Interlocked.Increment(ref _takes);
            Assert.True(_queues[thread].Take() == it, "another lock comes");
        }

        // Who takes says so after it waits no more, and before: where all wait and nobody takes, nobody can grant.
        private bool IsStuck()
        {
            long takes = Volatile.Read(ref _takes);
            if (Volatile.Read(ref _waiting) != Threads) return false;
            foreach (GrantQueue queue in _queues)
                if (!queue.IsEmpty) return false;
            return Volatile.Read(ref _takes) == takes;
        }

        // Those that stood in line at one of its blocks before it came go first.
        private void CheckTurn(BlockLock* it, int thread, long[] seen)
        {
            for (int i = 0; i < Threads; i++)
            {
                InLine other = _line[i];
                if (i == thread || (seen[i] & 1) == 0) continue;
                (long block, int mode) = (Volatile.Read(ref other.Block), Volatile.Read(ref other.Mode));
                bool overlaps = block >= it->FirstBlock && block < it->FirstBlock + it->BlockCount;
                if (!overlaps || MayBeBeside(mode, (int)it->Mode)) continue;
                Assert.True(Volatile.Read(ref other.Turn) != seen[i], "a lock that came later goes first");
            }
        }

        // False: somebody has failed.
        private bool Use(Contention contention, BlockLock* it, int thread, ref Prng random)
        {
            Hold(it, ref random);
            bool promotes = it->BlockCount == 1 && it->Mode != BlockLockMode.Exclusive && random.Chance(30);
            Promotion promotion = promotes ? Locks.Promote(it, _queues[thread]) : Promotion.Refused;
            if (promotion == Promotion.Parked) Await(contention, it, thread);
            if (contention.HasFailed) return false;
            if (promotion != Promotion.Refused)
            {
                Assert.Equal(BlockLockMode.Exclusive, it->Mode);
                Interlocked.Increment(ref _promoted);
                Hold(it, ref random);
            }
            Locks.Release(it);
            return true;
        }

        private void Hold(BlockLock* it, ref Prng random)
        {
            int mode = (int)it->Mode;
            for (long i = 0; i < it->BlockCount; i++)
                Interlocked.Increment(ref _holders[((it->FirstBlock + i) * 4) + mode]);
            if (random.Chance(50)) Thread.SpinWait(random.Below(100));
            for (long i = 0; i < it->BlockCount; i++) Look(it->FirstBlock + i, mode);
            for (long i = 0; i < it->BlockCount; i++)
                Interlocked.Decrement(ref _holders[((it->FirstBlock + i) * 4) + mode]);
        }

        private static bool MayBeBeside(int mode, int other) => (s_beside[mode] & (1 << other)) != 0;

        private void Look(long block, int mode)
        {
            for (int other = 0; other < 4; other++)
            {
                int count = Volatile.Read(ref _holders[(block * 4) + other]) - (other == mode ? 1 : 0);
                if (count == 0) continue;
                Assert.True(MayBeBeside(mode, other),
                    $"block {block}: {(BlockLockMode)other} beside {(BlockLockMode)mode}");
                Interlocked.Increment(ref _shared);
            }
        }
    }
}
