using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/// <summary>
/// What each place holds: its home (6 bytes), its state (1 byte), and whether the durable metadata mark it dirty
/// (1 bit).
/// </summary>
/// <remarks>
/// Protocol. The home of a place is written while nothing finds the place: by whoever fills it, before it is mapped.
/// States are changed by compare-exchange, by any thread. Mapped comes and goes under the exclusive lock of the home.
/// <para>
/// Marks (B1). <c>_marks</c> is written by the committer alone: a bit comes when the commit that has it is durable, and
/// goes before one that has it not is begun. A writer sets Dirty first and looks at the mark then; the committer takes
/// the mark away first and looks at Dirty then, and puts the mark back if it is set. One of them sees the other's. A
/// write to both devices says Written instead; in the service a mark goes only of a place that is Quiet, which both
/// end.
/// </para>
/// </remarks>
internal sealed unsafe class PlaceTable : IDisposable
{
    /// <summary>Places whose marks are one word, which is committed as a whole.</summary>
    public const int GroupPlaces = 64, GroupShift = 6;

    private const int VectorBytes = 32;

    private uint* _low;
    private ushort* _high;
    private byte* _states;
    private ulong* _marks;
    private long _dirtyCount;
    private long _mappedCount;
    private long _doubtfulCount;
    private long _leavingCount;
    private long _markedCount;
    private int _lossesUnderWay;

    /// <summary>All of <paramref name="places"/> are free.</summary>
    public PlaceTable(uint places)
    {
        Places = places;
        Groups = (places + GroupPlaces - 1) >> GroupShift;
        _low = (uint*)NativeMemory.AllocZeroed(places, sizeof(uint));
        _high = (ushort*)NativeMemory.AllocZeroed(places, sizeof(ushort));
        // Whole groups, so that scans need no end of their own.
        _states = (byte*)NativeMemory.AllocZeroed((nuint)Groups * GroupPlaces);
        _marks = (ulong*)NativeMemory.AllocZeroed(Groups, sizeof(ulong));
    }

    /// <summary>Places of the cache device.</summary>
    public uint Places { get; private set; }

    /// <summary>Groups of <see cref="GroupPlaces"/>, the last one perhaps not full.</summary>
    public uint Groups { get; private set; }

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes => (Places * 6L) + (Groups * (long)(GroupPlaces + sizeof(ulong)));

    /// <summary>Places that hold something their home may not have; any thread.</summary>
    public long DirtyCount => Volatile.Read(ref _dirtyCount);

    /// <summary>Places that hold a block; any thread.</summary>
    public long MappedCount => Volatile.Read(ref _mappedCount);

    /// <summary>Places whose block is in doubt; any thread.</summary>
    public long DoubtfulCount => Volatile.Read(ref _doubtfulCount);

    /// <summary>Places whose block has left, and the durable metadata may not know it yet; any thread.</summary>
    public long LeavingCount => Volatile.Read(ref _leavingCount);

    /// <summary>Places that the durable metadata mark: what a crash now leaves dirty; any thread.</summary>
    public long MarkedCount => Volatile.Read(ref _markedCount);

    /// <summary>
    /// Somewhere a write has reached home and not the cache, and its block has not left yet: no place is quiet (B1).
    /// </summary>
    public bool AnyLossUnderWay => Volatile.Read(ref _lossesUnderWay) > 0;

    /// <summary>Such a write, before it gives up the lock of its block.</summary>
    public void BeginLoss() => Interlocked.Increment(ref _lossesUnderWay);

    /// <summary>Its block has left, or it has failed.</summary>
    public void EndLoss() => Interlocked.Decrement(ref _lossesUnderWay);

    /// <summary>What the place holds, or held last.</summary>
    public long HomeOf(uint place) => _low[place] | ((long)_high[place] << 32);

    /// <summary>Of a place that nothing finds: what it is about to hold.</summary>
    public void SetHome(uint place, long home)
    {
        Invariant.Check(place < Places);
        Invariant.Check((StateOf(place) & (PlaceState.Mapped | PlaceState.Leaving)) == 0);
        _low[place] = (uint)home;
        _high[place] = (ushort)(home >> 32);
    }

    /// <summary>Its state at this moment.</summary>
    public PlaceState StateOf(uint place) => (PlaceState)Volatile.Read(ref _states[place]);

    /// <summary>The durable metadata mark it: a crash leaves it dirty.</summary>
    public bool IsMarked(uint place) =>
        ((Volatile.Read(ref _marks[place >> GroupShift]) >> (int)(place & (GroupPlaces - 1))) & 1) != 0;

    /// <summary>The marks of a group, as far as they are durable.</summary>
    public ulong MarksOf(uint group) => Volatile.Read(ref _marks[group]);

    /// <summary>By the committer: those of a commit that is durable; or fewer, before one that has fewer.</summary>
    public void SetMarks(uint group, ulong marks) => Interlocked.Exchange(ref _marks[group], marks);

    /// <summary>By the committer: the durable metadata have these marks of a group now, and others before.</summary>
    public void CountMarks(ulong before, ulong marks)
    {
        int change = BitOperations.PopCount(marks) - BitOperations.PopCount(before);
        if (change != 0) Interlocked.Add(ref _markedCount, change);
    }

    /// <summary>
    /// A write of the place begins that its home does not get: it is dirty. False: the durable metadata do not say so
    /// yet, and the write has to wait (B1).
    /// </summary>
    public bool BeginWrite(uint place)
    {
        const PlaceState both = PlaceState.Dirty | PlaceState.Written;
        if ((StateOf(place) & both) != both) Change(place, both, 0);
        return IsMarked(place);
    }

    /// <summary>The same of a write that goes to both devices: they may differ while it is under way.</summary>
    public bool BeginWriteThrough(uint place)
    {
        if ((StateOf(place) & PlaceState.Written) == 0) Change(place, PlaceState.Written, 0);
        return IsMarked(place);
    }

    /// <summary>
    /// Sets and clears in one step, whatever else changes beside it; returns what was before. Counts.
    /// </summary>
    public PlaceState Change(uint place, PlaceState set, PlaceState clear)
    {
        while (true)
        {
            PlaceState old = StateOf(place);
            PlaceState next = (old & ~clear) | set;
            if ((next & (PlaceState.Dirty | PlaceState.Written)) != 0) next &= ~PlaceState.Quiet;
            Interleaving.Step();
            if (next != old && !TryExchange(place, old, next)) continue;
            Count(old, next);
            return old;
        }
    }

    /// <summary>
    /// Its home has what it has, and durably: unless a write has begun since <see cref="PlaceState.Written"/> was taken
    /// away (B4). False: it stays dirty.
    /// </summary>
    public bool TryClean(uint place)
    {
        while (true)
        {
            PlaceState old = StateOf(place);
            bool isWritten = (old & PlaceState.Written) != 0 && !Mutant.Is(DmCacheMutant.B4WrittenIgnored);
            PlaceState next = old & ~PlaceState.Cleaning;
            if (!isWritten) next &= ~(PlaceState.Dirty | PlaceState.Doubtful);
            Interleaving.Step();
            if (!TryExchange(place, old, next)) continue;
            Count(old, next);
            return !isWritten;
        }
    }

    /// <summary>
    /// Nobody writes the place now, and its home has what it has: it is quiet until somebody does. By who keeps writers
    /// out.
    /// </summary>
    public void TryQuieten(uint place)
    {
        PlaceState old = StateOf(place);
        while ((old & (PlaceState.Mapped | PlaceState.Dirty)) == PlaceState.Mapped)
        {
            PlaceState next = (old & ~PlaceState.Written) | PlaceState.Quiet;
            Interleaving.Step();
            if (TryExchange(place, old, next)) return;
            old = StateOf(place);
        }
    }

    /// <summary>More places, which are free. Nobody else is at work in it.</summary>
    public void Grow(uint places)
    {
        uint groups = (places + GroupPlaces - 1) >> GroupShift;
        GrownMemory.Grow(ref _low, Places, places);
        GrownMemory.Grow(ref _high, Places, places);
        GrownMemory.Grow(ref _states, Groups * (long)GroupPlaces, groups * (long)GroupPlaces);
        GrownMemory.Grow(ref _marks, Groups, groups);
        (Places, Groups) = (places, groups);
    }

    /// <summary>A bit for each place of a group: it has all of <paramref name="wanted"/>.</summary>
    public ulong GroupWith(uint group, PlaceState wanted)
    {
        byte* states = _states + ((long)group << GroupShift);
        return Avx2Mask(states, (byte)wanted) | ((ulong)Avx2Mask(states + VectorBytes, (byte)wanted) << VectorBytes);
    }

    /// <summary>The scalar twin of <see cref="GroupWith"/>.</summary>
    public ulong GroupWithScalar(uint group, PlaceState wanted)
    {
        ulong found = 0;
        byte* states = _states + ((long)group << GroupShift);
        for (int i = 0; i < GroupPlaces; i++)
            if ((states[i] & (byte)wanted) == (byte)wanted) found |= 1UL << i;
        return found;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_low);
        NativeMemory.Free(_high);
        NativeMemory.Free(_states);
        NativeMemory.Free(_marks);
    }

    private static uint Avx2Mask(byte* states, byte wanted)
    {
        Vector256<byte> mask = Vector256.Create(wanted);
        return Vector256.Equals(Vector256.Load(states) & mask, mask).ExtractMostSignificantBits();
    }

    private bool TryExchange(uint place, PlaceState old, PlaceState next) =>
        Interlocked.CompareExchange(ref _states[place], (byte)next, (byte)old) == (byte)old;

    private void Count(PlaceState old, PlaceState next)
    {
        const PlaceState counted =
            PlaceState.Dirty | PlaceState.Mapped | PlaceState.Doubtful | PlaceState.Leaving;
        if (((old ^ next) & counted) == 0) return;
        Add(ref _dirtyCount, old, next, PlaceState.Dirty);
        Add(ref _mappedCount, old, next, PlaceState.Mapped);
        Add(ref _doubtfulCount, old, next, PlaceState.Doubtful);
        Add(ref _leavingCount, old, next, PlaceState.Leaving);
    }

    private static void Add(ref long count, PlaceState old, PlaceState next, PlaceState bit)
    {
        int change = ((next & bit) != 0 ? 1 : 0) - ((old & bit) != 0 ? 1 : 0);
        if (change != 0) Interlocked.Add(ref count, change);
    }
}
