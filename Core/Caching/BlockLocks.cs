using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Caching;

/// <summary>
/// Shared and exclusive locks of blocks and ranges of blocks, between all queue threads. Nobody blocks and nothing is
/// allocated: a lock that cannot be had is parked, first come first served, and comes back through the
/// <see cref="GrantQueue"/> of its thread.
/// </summary>
/// <remarks>
/// <code>
/// cell of a block: its number / blocks per cell, modulo cells. A range has neighbouring cells, each once:
///        ...| cell 6 | cell 7 | cell 0 | cell 1 |...
///
/// word    63    51    50       49     48   47      24 23       0
///        |  unused | parked | alone | copy | writers | readers |
/// </code>
/// Protocol. Counts and flags of holders are changed by compare-exchange or addition, by any thread: a lock that meets
/// no conflict costs one atomic operation for each cell, and one to release it. <c>parked</c> and the list of the
/// parked are changed under the cell's latch: the bit says that the list is not empty. It conflicts with all newcomers,
/// so nobody overtakes; readers at the head of the list are let in together.
/// <list type="bullet">
/// <item>No wake-up is lost. Who parks sets the bit by compare-exchange of a word that shows the conflict. Who releases
/// sees the word that is left: either it has the bit, and grants; or the bit comes later, on a word without that
/// holder.</item>
/// <item>No deadlock. Cells are taken in ascending order: who waits at a cell waits for locks that wait at higher cells
/// only. Who grants a cell goes on for the lock to its next ones, and may park it there. Only locks within one cell are
/// promoted: none of those that a promotion waits for waits there.</item>
/// <item>A lock is its caller's while it is free or taken; the cell's latch's while it is parked; between, whoever
/// grants has it.</item>
/// </list>
/// Different blocks of one cell conflict. So whoever has a lock never waits for another: more is had as one range, or
/// by <see cref="TryTake"/>. A lock is in line at one cell at a time: at its later ones, those that come there before
/// it go first.
/// </remarks>
public sealed unsafe class BlockLocks
{
    /// <summary>Threads that take locks.</summary>
    public const int MaxQueues = 64;

    private const long Reader = 1, Writer = 1L << 24, Copying = 1L << 48, Alone = 1L << 49, Parked = 1L << 50;
    private const long Readers = Writer - Reader, Writers = Copying - Writer, Holders = Parked - 1;

    private readonly Cell[] _memory;
    private readonly Cell* _cells;
    private readonly int _count;
    private readonly int _cellShift;
    private readonly GrantQueue?[] _queues = new GrantQueue?[MaxQueues];
    private long _parkedCount;

    /// <summary>
    /// All is free. Both are powers of two: with more <paramref name="cells"/>, fewer blocks conflict that are not the
    /// same; with more <paramref name="blocksPerCell"/>, neighbours, a range takes fewer steps.
    /// </summary>
    public BlockLocks(int cells, int blocksPerCell)
    {
        Invariant.Check(BitOperations.IsPow2(cells));
        Invariant.Check(BitOperations.IsPow2(blocksPerCell));
        _count = cells;
        _cellShift = BitOperations.Log2((uint)blocksPerCell);
        _memory = GC.AllocateArray<Cell>(cells + 1, pinned: true);
        // On their size: none lies in two cache lines.
        nint first = Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
        _cells = (Cell*)((first + sizeof(Cell) - 1) & -sizeof(Cell));
    }

    /// <summary>How often a lock was parked; any thread.</summary>
    public long ParkedCount => Volatile.Read(ref _parkedCount);

    /// <summary>Nobody has anything, or waits.</summary>
    public bool IsIdle
    {
        get
        {
            for (int i = 0; i < _count; i++)
                if (Volatile.Read(ref _cells[i].Word) != 0) return false;
            return true;
        }
    }

    private static ReadOnlySpan<long> Units => [Reader, Writer, Copying, Alone];

    private static ReadOnlySpan<long> Fields => [Readers, Writers, Copying, Alone];

    private static ReadOnlySpan<long> Conflicts => [Alone, Alone | Copying, Alone | Copying | Writers, Holders];

    /// <summary>
    /// Takes the blocks. False: it is parked, and comes through <paramref name="queue"/>, the calling thread's own.
    /// </summary>
    public bool Take(BlockLock* it, GrantQueue queue)
    {
        Invariant.Check(it->BlockCount > 0);
        it->Held = 0;
        it->IsPromoting = false;
        it->Queue = (ushort)queue.Index;
        return Advance(it, queue);
    }

    /// <summary>Takes the blocks if nobody is in the way; false: it is as free as before.</summary>
    public bool TryTake(BlockLock* it)
    {
        Invariant.Check(it->BlockCount > 0);
        Cells cells = CellsOf(it);
        it->IsPromoting = false;
        for (it->Held = 0; it->Held < cells.Count; it->Held++)
        {
            if (TryEnter(At(cells, it->Held), it->Mode)) continue;
            Leave(it, cells);
            return false;
        }
        return true;
    }

    /// <summary>
    /// Makes a taken lock that lies within one cell exclusive. It waits for those who have the cell with it, not for
    /// those in line, and is held as it was meanwhile.
    /// </summary>
    public Promotion Promote(BlockLock* it, GrantQueue queue)
    {
        Cells cells = CellsOf(it);
        Invariant.Check(cells.Count == 1);
        Invariant.Check(it->Held == 1);
        it->Queue = (ushort)queue.Index;
        Volatile.Write(ref _queues[queue.Index], queue);
        Cell* cell = At(cells, 0);
        cell->Latch.Enter();
        Promotion result = PromoteOrPark(cell, it);
        cell->Latch.Exit();
        return result;
    }

    /// <summary>Frees a taken lock: those in line have its blocks in their turn.</summary>
    public void Release(BlockLock* it)
    {
        Invariant.Check(it->Held > 0);
        Invariant.Check(!it->IsPromoting);
        Leave(it, CellsOf(it));
    }

    // False: it is parked, and whoever grants may have it already. No queue: it has been parked before.
    private bool Advance(BlockLock* it, GrantQueue? queue)
    {
        Cells cells = CellsOf(it);
        while (it->Held < cells.Count)
        {
            Cell* cell = At(cells, it->Held);
            if (!TryEnter(cell, it->Mode) && !EnterOrPark(cell, it, queue)) return false;
            it->Held++;
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryEnter(Cell* cell, BlockLockMode mode)
    {
        long conflicts = ConflictsOf(mode) | (Mutant.Is(LockMutant.Overtakes) ? 0 : Parked);
        long word = Volatile.Read(ref cell->Word);
        while ((word & conflicts) == 0)
        {
            Interleaving.Step();
            long found = Exchange(cell, word + Units[(int)mode], word);
            if (found == word) return true;
            word = found;
        }
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool EnterOrPark(Cell* cell, BlockLock* it, GrantQueue? queue)
    {
        // Before whoever grants can look for it.
        if (queue != null) Volatile.Write(ref _queues[queue.Index], queue);
        cell->Latch.Enter();
        bool entered = TryEnter(cell, it->Mode);
        while (!entered && !TryMarkParked(cell, ConflictsOf(it->Mode))) entered = TryEnter(cell, it->Mode);
        if (!entered) Append(cell, it);
        cell->Latch.Exit();
        return entered;
    }

    // Under the latch. False: the conflict has gone.
    private static bool TryMarkParked(Cell* cell, long conflicts)
    {
        long word = Volatile.Read(ref cell->Word);
        while ((word & Parked) == 0)
        {
            Interleaving.Step();
            if (Mutant.Is(LockMutant.ParksBlindly)) word = Volatile.Read(ref cell->Word);
            else if ((word & conflicts) == 0) return false;
            long found = Exchange(cell, word | Parked, word);
            if (found == word) return true;
            word = found;
        }
        return true;
    }

    private void Append(Cell* cell, BlockLock* it)
    {
        Interlocked.Increment(ref _parkedCount);
        it->Next = null;
        if (cell->Last == null) cell->First = it;
        else cell->Last->Next = it;
        cell->Last = it;
    }

    // Under the latch.
    private Promotion PromoteOrPark(Cell* cell, BlockLock* it)
    {
        if (cell->First != null && cell->First->IsPromoting) return Promotion.Refused;
        long word = Volatile.Read(ref cell->Word);
        while (true)
        {
            Interleaving.Step();
            bool alone = MayPromote(word, it->Mode);
            long found = Exchange(cell, alone ? Promoted(word, it->Mode) : word | Parked, word);
            if (found != word) word = found;
            else if (alone) break;
            else return ParkFirst(cell, it);
        }
        it->Mode = BlockLockMode.Exclusive;
        return Promotion.Done;
    }

    private Promotion ParkFirst(Cell* cell, BlockLock* it)
    {
        Interlocked.Increment(ref _parkedCount);
        it->IsPromoting = true;
        it->Next = cell->First;
        cell->First = it;
        if (cell->Last == null) cell->Last = it;
        return Promotion.Parked;
    }

    private void Leave(BlockLock* it, in Cells cells)
    {
        int mode = (int)it->Mode;
        Granted granted = default;
        while (it->Held > 0)
        {
            Cell* cell = At(cells, --it->Held);
            long word = Interlocked.Add(ref cell->Word, -Units[mode]);
            Invariant.Check(((word + Units[mode]) & Fields[mode]) != 0);
            Interleaving.Step();
            if ((word & Parked) != 0 && !Mutant.Is(LockMutant.ReleaseUnseen)) Grant(cell, ref granted);
        }
        if (granted.First != null) Deliver(granted);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Grant(Cell* cell, ref Granted granted)
    {
        cell->Latch.Enter();
        for (BlockLock* it = cell->First; it != null && TryGrant(cell, it); it = cell->First)
        {
            cell->First = it->Next;
            if (cell->First == null) cell->Last = null;
            if (it->IsPromoting) it->Mode = BlockLockMode.Exclusive;
            else it->Held++;
            it->IsPromoting = false;
            granted.Add(it);
        }
        cell->Latch.Exit();
    }

    // Under the latch; it is the first. With the last, the bit goes.
    private static bool TryGrant(Cell* cell, BlockLock* it)
    {
        long word = Volatile.Read(ref cell->Word);
        while (it->IsPromoting ? MayPromote(word, it->Mode) : (word & ConflictsOf(it->Mode)) == 0)
        {
            Interleaving.Step();
            long next = it->IsPromoting ? Promoted(word, it->Mode) : word + Units[(int)it->Mode];
            long found = Exchange(cell, it->Next == null ? next & ~Parked : next, word);
            if (found == word) return true;
            word = found;
        }
        return false;
    }

    private void Deliver(Granted granted)
    {
        BlockLock* next;
        for (BlockLock* it = granted.First; it != null; it = next)
        {
            next = it->Next;
            if (Advance(it, null)) _queues[it->Queue]!.Add(it);
        }
    }

    // Nobody but the one to be promoted has the cell.
    private static bool MayPromote(long word, BlockLockMode mode) =>
        (word & Holders) == Units[(int)mode] || Mutant.Is(LockMutant.PromotesEarly);

    private static long Promoted(long word, BlockLockMode mode) => word - Units[(int)mode] + Alone;

    private static long ConflictsOf(BlockLockMode mode)
    {
        long conflicts = Conflicts[(int)mode];
        if (Mutant.Is(LockMutant.ReadsBeside) && mode == BlockLockMode.Read) conflicts = 0;
        if (Mutant.Is(LockMutant.AloneBeside) && mode == BlockLockMode.Exclusive) conflicts = Alone;
        return conflicts;
    }

    private static long Exchange(Cell* cell, long next, long word)
    {
        if (!Mutant.Is(LockMutant.NotAtomic)) return Interlocked.CompareExchange(ref cell->Word, next, word);
        Volatile.Write(ref cell->Word, next);
        return word;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Cells CellsOf(BlockLock* it)
    {
        long first = it->FirstBlock >> _cellShift;
        long last = (it->FirstBlock + it->BlockCount - 1) >> _cellShift;
        return new Cells((int)first & (_count - 1), (int)Math.Min(last - first + 1, _count));
    }

    // In ascending order: those behind the end of the table, which are its first ones, come first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Cell* At(in Cells cells, int place)
    {
        int wrapped = cells.First + cells.Count - _count;
        if (wrapped <= 0) return &_cells[cells.First + place];
        if (Mutant.Is(LockMutant.CellsUnordered)) return &_cells[(cells.First + place) & (_count - 1)];
        return &_cells[place < wrapped ? place : cells.First + place - wrapped];
    }

    /// <summary>The cells of a lock: neighbours from the first on, modulo the table.</summary>
    private readonly record struct Cells(int First, int Count);

    /// <summary>32 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Cell
    {
        public long Word;
        public BlockLock* First;
        public BlockLock* Last;
        public SpinLatch Latch;
    }

    /// <summary>Those that one release grants, in order.</summary>
    private struct Granted
    {
        public BlockLock* First;
        private BlockLock* _last;

        public void Add(BlockLock* it)
        {
            it->Next = null;
            if (First == null) First = it;
            else _last->Next = it;
            _last = it;
        }
    }
}
