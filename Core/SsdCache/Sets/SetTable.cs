using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Sets;

/*
 * Outlives the process where the caller has such memory:
 *   tags     16 x u32 a set: block + 1; 0: nothing is there
 *   valid    words for each way: bit i, sector i is here
 *   dirty    words for each way: bit i, 4 KiB i are not written back; of these, what is valid is dirty
 * The process's own:
 *   states   16 x u32 a set: WayState
 *   times    16 x u32 a set, counts 16 x u8 a set: what strategies look at
 *   heads    8 bytes a set: latch, hand
 */

/// <summary>
/// The directory: which blocks are cached, where, and which of their sectors. Sets of 16 ways; a block may be in one of
/// a few sets, see <see cref="SsdGeometry.SetOf"/>. It is the truth while the process lives. No allocation after the
/// constructor; no call waits for anything but a latch.
/// </summary>
/// <remarks>
/// Protocol.
/// <list type="bullet">
/// <item><b>Tags</b> are stored by whoever has claimed the way, under the latch of its set. A lookup compares tags
/// without a latch, adds its pin (an atomic operation, a full fence), and then looks at the tag again: while there is a
/// pin the tag stays. Where it finds a claim it takes its pin back and waits for the claim to end, for a claim may end
/// in nothing.</item>
/// <item><b>Claims</b>: the state goes from 0 to claimed and one pin in one atomic step, so nobody has pinned the way,
/// nothing of it is dirty, written back, or named dirty by the device.</item>
/// <item><b>Bits</b> are stored under the latch of the set, by those who have the way pinned or have begun to write it
/// back. They are read without: who asks for a sector holds its lock, and the bits of others in the same word may come
/// and go meanwhile.</item>
/// <item><b>States</b> change by atomic operations alone; <see cref="WayState.Dirty"/>, <see cref="WayState.Cleaning"/>
/// and the coming of writers under the latch as well. <see cref="WayState.Named"/> comes with a snapshot, under the
/// latch, and goes when the committer says so.</item>
/// <item><b>Times, counts and hands</b> are hints: anybody stores them, and what is lost does no harm.</item>
/// <item>Latches: a stripe of the blocks, so that no block comes in twice, then one set at a time.</item>
/// <item>The process may die between any two stores to memory that outlives it. Hence the order: valid goes before
/// dirty, dirty comes before valid, and both are gone before a tag changes.</item>
/// </list>
/// </remarks>
internal sealed unsafe partial class SetTable : IDisposable
{
    private const int Ways = SsdGeometry.Ways, LineBytes = 64, PageBytes = 4096;
    private const int Stripes = 1024, Cells = 16, CellBytes = 128;

    private struct Head
    {
        public SpinLatch Latch;
        public uint Hand;
    }

    // Ways in use, ways with something dirty, dirty units: a line of their own for every sixteenth set.
    [StructLayout(LayoutKind.Explicit, Size = CellBytes)]
    private struct Cell
    {
        [FieldOffset(0)] public long Used;
        [FieldOffset(8)] public long Dirty;
        [FieldOffset(16)] public long Units;
    }

    private readonly SsdGeometry _geometry;
    private readonly int _assoc, _validWords, _dirtyWords, _dirtyBits;
    private readonly uint* _tags, _states, _times;
    private readonly ulong* _valid, _dirty;
    private readonly byte* _counts;
    private readonly Head* _heads;
    private readonly SpinLatch* _stripes;
    private readonly Cell* _cells;
    private readonly void* _own;
    private readonly long _ownBytes;
    private int _reach;
    private int _strategy;

    /// <summary>
    /// For blocks that may go to their own set or one of <paramref name="assoc"/> further ones; in
    /// <paramref name="shared"/>, which is zero, or as a process that died has left it, or null: then all of it is this
    /// process's.
    /// </summary>
    public SetTable(SsdGeometry geometry, int assoc, byte* shared)
    {
        Invariant.Check(assoc is >= 0 and <= SsdGeometry.MaxAssoc);
        (_geometry, _assoc, _reach) = (geometry, assoc, assoc);
        (_validWords, _dirtyWords) = (geometry.WordsPerBitmap, geometry.DirtyWords);
        _dirtyBits = int.Max(geometry.BlockUnits, SectorBitmap.SectorsMin);
        long slots = geometry.Slots, sharedBytes = SharedBytesFor(geometry);
        _ownBytes = (shared == null ? sharedBytes : 0) + OwnBytesFor(geometry);
        _own = NativeMemory.AllocZeroed((nuint)_ownBytes + LineBytes);
        byte* at = (byte*)(((nuint)_own + LineBytes - 1) & ~(nuint)(LineBytes - 1));
        byte* bits = shared == null ? Take(ref at, sharedBytes) : shared;
        Invariant.Check((nuint)bits % LineBytes == 0);
        _tags = (uint*)Take(ref bits, slots * sizeof(uint));
        _valid = (ulong*)Take(ref bits, slots * _validWords * sizeof(ulong));
        _dirty = (ulong*)Take(ref bits, slots * _dirtyWords * sizeof(ulong));
        _states = (uint*)Take(ref at, slots * sizeof(uint));
        _times = (uint*)Take(ref at, slots * sizeof(uint));
        _counts = Take(ref at, slots);
        _heads = (Head*)Take(ref at, geometry.Sets * sizeof(Head));
        _stripes = (SpinLatch*)Take(ref at, Stripes * sizeof(SpinLatch));
        _cells = (Cell*)Take(ref at, Cells * sizeof(Cell));
        if (shared != null) TakeOver();
    }

    /// <summary>Whose way a new block takes; set by any thread.</summary>
    public Strategy Strategy
    {
        get => (Strategy)Volatile.Read(ref _strategy);
        set => Volatile.Write(ref _strategy, (int)value);
    }

    /// <summary>Ways that blocks have.</summary>
    public long UsedCount
    {
        get
        {
            long sum = 0;
            for (int i = 0; i < Cells; i++) sum += Volatile.Read(ref _cells[i].Used);
            return sum;
        }
    }

    /// <summary>Ways with something dirty.</summary>
    public long DirtyCount
    {
        get
        {
            long sum = 0;
            for (int i = 0; i < Cells; i++) sum += Volatile.Read(ref _cells[i].Dirty);
            return sum;
        }
    }

    /// <summary>Units of 4 KiB that are dirty.</summary>
    public long DirtyUnits
    {
        get
        {
            long sum = 0;
            for (int i = 0; i < Cells; i++) sum += Volatile.Read(ref _cells[i].Units);
            return sum;
        }
    }

    /// <summary>Bytes of memory, with what outlives the process.</summary>
    public long MemoryBytes => SharedBytesFor(_geometry) + OwnBytesFor(_geometry);

    /// <summary>Bytes of the part that may outlive the process.</summary>
    public static long SharedBytesFor(SsdGeometry geometry) => geometry.Slots
        * (sizeof(uint) + ((long)sizeof(ulong) * (geometry.WordsPerBitmap + geometry.DirtyWords)));

    /// <summary>The block has a way.</summary>
    public bool Has(uint block) => Find(block) >= 0;

    /// <summary>The way of a block, which may be another's the next moment; -1: it has none.</summary>
    public int Find(uint block)
    {
        uint tag = block + 1, set = _geometry.SetOf(block, 0);
        int way = SetSearch.FindTag(_tags + ((nuint)set * Ways), tag);
        return way >= 0 ? (int)((set * Ways) + (uint)way) : FindFurther(block, set);
    }

    /// <summary>The way of a block, which stays its until <see cref="Unpin"/>; -1: it has none.</summary>
    public int FindAndPin(uint block)
    {
        for (; ; )
        {
            int slot = Find(block);
            if (slot < 0) return -1;
            if (TryPin((uint)slot, block + 1)) return slot;
        }
    }

    /// <summary>Once more: the way is pinned already.</summary>
    public void Pin(uint slot)
    {
        uint state = Interlocked.Add(ref *StateOf(slot), WayState.Pin);
        Invariant.Check((state & WayState.Pins) > 1);
    }

    /// <summary>Takes one pin away.</summary>
    public void Unpin(uint slot)
    {
        uint state = Interlocked.Add(ref *StateOf(slot), unchecked(0 - WayState.Pin));
        Invariant.Check((state & WayState.Pins) != WayState.Pins);
    }

    /// <summary>Whose the way is; it is somebody's.</summary>
    public uint BlockOf(uint slot)
    {
        Invariant.Check(slot < _geometry.Slots);
        return Volatile.Read(ref _tags[slot]) - 1;
    }

    /// <summary>It is some block's.</summary>
    public bool IsUsed(uint slot) => Volatile.Read(ref _tags[slot]) != 0;

    /// <summary>A hit; not for a way that has just been taken. Ticks: a millisecond each, about.</summary>
    public void Touch(uint slot, uint tick)
    {
        Invariant.Check(slot < _geometry.Slots);
        VictimChoice.Use(Strategy, _times + slot, _counts + slot, tick);
    }

    /// <summary>Somebody has pinned a way of this page. A closer says first that it closes.</summary>
    public bool HasPins(int page)
    {
        uint first = _geometry.FirstSetOf(page);
        for (int i = 0; i < _geometry.SetsOf(page); i++)
            if (SetSearch.Any(_states + (((nuint)first + (nuint)i) * Ways), WayState.Pins) != 0) return true;
        return false;
    }

    /// <summary>Touches all memory, so that the machine gives it now.</summary>
    public void Preload()
    {
        PreloadFrom((byte*)_tags, SharedBytesFor(_geometry));
        PreloadFrom((byte*)_states, OwnBytesFor(_geometry));
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_own);

    private static long OwnBytesFor(SsdGeometry geometry) => (geometry.Slots * ((2L * sizeof(uint)) + sizeof(byte)))
        + (geometry.Sets * sizeof(Head)) + (Stripes * sizeof(SpinLatch)) + (Cells * sizeof(Cell)) + (8 * LineBytes);

    private static byte* Take(ref byte* at, long bytes)
    {
        byte* taken = at;
        at += (bytes + LineBytes - 1) & -LineBytes;
        return taken;
    }

    private static void PreloadFrom(byte* start, long bytes)
    {
        for (long at = 0; at < bytes; at += PageBytes) Interlocked.Or(ref *(uint*)(start + at), 0);
    }

    // The hash is only needed where the first set does not have it.
    private int FindFurther(uint block, uint set)
    {
        uint step = _geometry.StepOf(block);
        for (int left = _reach; left > 0; left--)
        {
            set = _geometry.NextSet(set, step);
            int way = SetSearch.FindTag(_tags + ((nuint)set * Ways), block + 1);
            if (way >= 0) return (int)((set * Ways) + (uint)way);
        }
        return -1;
    }

    // False: it has to be looked for again.
    private bool TryPin(uint slot, uint tag)
    {
        uint state = Interlocked.Add(ref _states[slot], WayState.Pin);
        Invariant.Check((state & WayState.Pins) != 0);
        Interleaving.Step();
        if ((state & WayState.Claimed) == 0 && Volatile.Read(ref _tags[slot]) == tag) return true;
        Interlocked.Add(ref _states[slot], unchecked(0 - WayState.Pin));
        SpinWait spin = default;
        while ((Volatile.Read(ref _states[slot]) & WayState.Claimed) != 0)
            if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint* StateOf(uint slot)
    {
        Invariant.Check(slot < _geometry.Slots);
        return _states + slot;
    }

    private ref SpinLatch LatchOf(uint slot) => ref _heads[slot / Ways].Latch;

    private ref Cell CellOf(uint slot) => ref _cells[(slot / Ways) % Cells];

    private SetUse UseOf(uint set) => new()
    {
        Times = _times + ((nuint)set * Ways), Counts = _counts + ((nuint)set * Ways), Hand = &_heads[set].Hand,
    };
}
