using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Caching;

/// <summary>Who waits for whom, and in which order, on one thread that plays several.</summary>
public sealed unsafe class BlockLocksTests : IDisposable
{
    private const int Cells = 8, Places = 64;

    private readonly BlockLocks _locks = new(Cells, 1);
    private readonly BlockLock* _memory = (BlockLock*)NativeMemory.AllocZeroed(Places, (nuint)sizeof(BlockLock));
    private readonly CountingContext[] _contexts = [new(), new()];
    private readonly GrantQueue[] _queues;
    private int _used;

    public BlockLocksTests() => _queues = [new GrantQueue(0, _contexts[0]), new GrantQueue(1, _contexts[1])];

    public void Dispose()
    {
        Mutant.Active = null;
        NativeMemory.Free(_memory);
        foreach (CountingContext context in _contexts) context.Dispose();
    }

    [Theory]
    [InlineData("Read", "Read Write Copy")]
    [InlineData("Write", "Read Write")]
    [InlineData("Copy", "Read")]
    [InlineData("Exclusive", "")]
    public void WhatGoesTogether(string held, string beside)
    {
        foreach (BlockLockMode mode in Enum.GetValues<BlockLockMode>())
        {
            BlockLock* first = New(3, 1, Enum.Parse<BlockLockMode>(held)), second = New(3, 1, mode);
            Assert.True(Take(first));
            bool together = Array.IndexOf(beside.Split(' '), $"{mode}") >= 0;
            Assert.Equal(together, _locks.TryTake(second));
            if (together) _locks.Release(second);
            Assert.Equal(together, Take(second));
            _locks.Release(first);
            if (!together) Assert.True(Granted(0) == second);
            _locks.Release(second);
        }
        Assert.True(_locks.IsIdle);
    }

    [Fact]
    public void FirstComeFirstServedAndReadersShare()
    {
        BlockLock* holder = New(3, 1, BlockLockMode.Write);
        Assert.True(Take(holder));
        BlockLockMode[] line =
        [
            BlockLockMode.Exclusive, BlockLockMode.Read, BlockLockMode.Read, BlockLockMode.Exclusive,
            BlockLockMode.Read,
        ];
        BlockLock*[] parked = new BlockLock*[line.Length];
        for (int i = 0; i < line.Length; i++) Assert.False(Take(parked[i] = New(3, 1, line[i])));
        BlockLock* try1 = New(3, 1, BlockLockMode.Read);
        Assert.False(_locks.TryTake(try1));
        Assert.True(Take(New(4, 1, BlockLockMode.Exclusive)));
        _locks.Release(holder);
        Assert.True(Granted(0) == parked[0]);
        Assert.True(Granted(0) == null);
        _locks.Release(parked[0]);
        Assert.True(Granted(0) == parked[1]);
        Assert.True(Granted(0) == parked[2]);
        Assert.True(Granted(0) == null);
        _locks.Release(parked[2]);
        Assert.True(Granted(0) == null);
        _locks.Release(parked[1]);
        Assert.True(Granted(0) == parked[3]);
        _locks.Release(parked[3]);
        Assert.True(Granted(0) == parked[4]);
        Assert.Equal(5, _locks.ParkedCount);
    }

    [Fact]
    public void AParkedLockComesBackToItsOwnThreadWhichIsWoken()
    {
        BlockLock* holder = New(3, 1, BlockLockMode.Exclusive), other = New(3, 1, BlockLockMode.Exclusive);
        Assert.True(_locks.Take(holder, _queues[0]));
        Assert.False(_locks.Take(other, _queues[1]));
        Assert.Equal(0, _contexts[1].Woken);
        _locks.Release(holder);
        Assert.Equal((0, 1), (_contexts[0].Woken, _contexts[1].Woken));
        Assert.True(_queues[0].Take() == null);
        Assert.True(_queues[1].Take() == other);
        Assert.True(_queues[1].Take() == null);
    }

    /// <summary>By hand: the mutants that one thread can show.</summary>
    [Theory]
    [InlineData(LockMutant.ReleaseUnseen)]
    [InlineData(LockMutant.GrantUnwoken)]
    public void AMutantIsCaughtByALostWakeUp(LockMutant mutant)
    {
        Mutant.Active = mutant;
        BlockLock* holder = New(3, 1, BlockLockMode.Exclusive);
        Assert.True(Take(holder));
        Assert.False(Take(New(3, 1, BlockLockMode.Exclusive)));
        _locks.Release(holder);
        Assert.Equal(0, _contexts[0].Woken);
    }

    [Fact]
    public void RangesConflictWhereTheyOverlap()
    {
        BlockLock* middle = New(2, 3, BlockLockMode.Exclusive);
        Assert.True(Take(middle));
        Assert.True(Take(New(0, 2, BlockLockMode.Exclusive)));
        Assert.True(Take(New(5, 1, BlockLockMode.Exclusive)));
        BlockLock* over = New(4, 4, BlockLockMode.Write);
        Assert.False(Take(over));
        _locks.Release(middle);
        // Block 5 is in its way now: whoever lets go of block 4 has parked it there.
        Assert.True(Granted(0) == null);
        BlockLock* behind = New(4, 1, BlockLockMode.Exclusive);
        Assert.False(Take(behind));
        _locks.Release(_memory + 2);
        Assert.True(Granted(0) == over);
        _locks.Release(over);
        Assert.True(Granted(0) == behind);
        _locks.Release(behind);
        _locks.Release(_memory + 1);
        Assert.True(_locks.IsIdle);
    }

    /// <summary>As long as one pleases: each cell once.</summary>
    [Fact]
    public void ARangeMayBeLongerThanTheTable()
    {
        BlockLock* all = New(5, 1L << 40, BlockLockMode.Exclusive), one = New(3, 1, BlockLockMode.Read);
        Assert.True(Take(all));
        Assert.False(Take(one));
        _locks.Release(all);
        Assert.True(Granted(0) == one);
        Assert.False(Take(all));
        _locks.Release(one);
        Assert.True(Granted(0) == all);
        _locks.Release(all);
        Assert.True(_locks.IsIdle);
    }

    [Fact]
    public void WhatIsNotTakenAtOnceLeavesNothing()
    {
        BlockLock* holder = New(6, 1, BlockLockMode.Read), range = New(1, 8, BlockLockMode.Copy);
        BlockLock* parked = New(7, 1, BlockLockMode.Exclusive);
        Assert.True(Take(holder));
        Assert.True(_locks.TryTake(range));
        Assert.False(Take(parked));
        _locks.Release(range);
        Assert.True(Granted(0) == parked);
        Assert.False(_locks.TryTake(range));
        _locks.Release(parked);
        _locks.Release(holder);
        Assert.True(_locks.IsIdle);
    }

    /// <summary>One range wraps, one does not: taken as they lie, each would have what the other needs.</summary>
    [Theory]
    [InlineData(LockMutant.None)]
    [InlineData(LockMutant.CellsUnordered)]
    public void RangesAreTakenInOneOrder(LockMutant mutant)
    {
        Mutant.Active = mutant;
        BlockLock* middle = New(5, 1, BlockLockMode.Exclusive);
        BlockLock* whole = New(0, Cells, BlockLockMode.Exclusive), wrapped = New(7, 2, BlockLockMode.Exclusive);
        Assert.True(Take(middle));
        Assert.False(Take(whole));
        Assert.False(Take(wrapped));
        _locks.Release(middle);
        BlockLock* first = Granted(0);
        Assert.Equal(mutant == LockMutant.None, first != null);
        if (first == null) return;
        Assert.True(first == whole);
        _locks.Release(whole);
        Assert.True(Granted(0) == wrapped);
    }

    [Theory]
    [InlineData("Read")]
    [InlineData("Write")]
    [InlineData("Copy")]
    public void APromotionWaitsForWhoIsThereAndForNobodyInLine(string from)
    {
        BlockLock* mine = New(3, 1, Enum.Parse<BlockLockMode>(from)), reader = New(3, 1, BlockLockMode.Read);
        BlockLock* inLine = New(3, 1, BlockLockMode.Exclusive), late = New(3, 1, BlockLockMode.Read);
        Assert.True(Take(mine));
        Assert.True(Take(reader));
        Assert.False(Take(inLine));
        Assert.Equal(Promotion.Parked, _locks.Promote(mine, _queues[1]));
        Assert.Equal(Promotion.Refused, _locks.Promote(reader, _queues[0]));
        Assert.False(Take(late));
        _locks.Release(reader);
        Assert.True(Granted(1) == mine);
        Assert.Equal(BlockLockMode.Exclusive, mine->Mode);
        Assert.True(Granted(0) == null);
        _locks.Release(mine);
        Assert.True(Granted(0) == inLine);
        _locks.Release(inLine);
        Assert.True(Granted(0) == late);
        Assert.Equal(Promotion.Done, _locks.Promote(late, _queues[0]));
        Assert.False(_locks.TryTake(reader));
        _locks.Release(late);
        Assert.True(_locks.IsIdle);
    }

    [Fact]
    public void NothingIsAllocated()
    {
        BlockLock* first = New(1, 9, BlockLockMode.Exclusive), second = New(3, 1, BlockLockMode.Read);
        long before = 0;
        for (int i = 0; i < 1000; i++)
        {
            if (i == 100) before = GC.GetAllocatedBytesForCurrentThread();
            _ = _locks.Take(first, _queues[0]);
            _ = _locks.Take(second, _queues[0]);
            _locks.Release(first);
            _ = _queues[0].Take();
            _locks.Release(second);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ALockTakesFiveWords() => Assert.Equal(40, Unsafe.SizeOf<BlockLock>());

    [Fact]
    public void WhatIsNotTakenCannotBeReleased()
    {
        BlockLock* it = New(3, 1, BlockLockMode.Read);
        Assert.True(Take(it));
        BlockLock* copy = New(3, 1, BlockLockMode.Write);
        copy->Held = 1;
        Assert.Throws<InvariantException>(() => _locks.Release(_memory + 1));
        _locks.Release(it);
        Assert.Throws<InvariantException>(() => _locks.Release(_memory));
    }

    private BlockLock* New(long first, long count, BlockLockMode mode)
    {
        BlockLock* it = _memory + _used++;
        (it->FirstBlock, it->BlockCount, it->Mode) = (first, count, mode);
        return it;
    }

    private bool Take(BlockLock* it) => _locks.Take(it, _queues[0]);

    private BlockLock* Granted(int queue) => _queues[queue].Take();

    private sealed class CountingContext : IoContext
    {
        public int Woken { get; private set; }

        public override long NowUs => 0;

        public override void Wake() => Woken++;

        public override void Pump(bool wait, long deadlineUs)
        {
        }
    }
}
