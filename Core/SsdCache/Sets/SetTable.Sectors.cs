using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Sets;

// What is there of a block. Ranges are sectors; the way is pinned, and the caller holds the lock of these sectors.
internal sealed unsafe partial class SetTable
{
    private const int UnitShift = 3, UnitSectors = SsdGeometry.UnitBytes / SsdGeometry.SectorBytes;

    /// <summary>All of them are here.</summary>
    public bool IsValid(uint slot, int first, int count) => ValidOf(slot).All(first, count);

    /// <summary>One of them is.</summary>
    public bool AnyValid(uint slot, int first, int count) => ValidOf(slot).Any(first, count);

    /// <summary>The first neighbours from <paramref name="from"/> on, up to a limit, that are here.</summary>
    public bool TryNextValidRun(uint slot, int from, int limit, out int first, out int count)
    {
        bool isFound = ValidOf(slot).TryNextRun(from, out first, out count) && first < limit;
        count = isFound ? int.Min(count, limit - first) : 0;
        return isFound;
    }

    /// <summary>One of them is dirty: here, and in a unit that is not written back.</summary>
    public bool AnyDirty(uint slot, int first, int count) => IsDirty(slot)
        && TryNextDirtyRun(slot, first, first + count, out _, out _);

    /// <summary>Something of it is dirty.</summary>
    public bool IsDirty(uint slot) => (Volatile.Read(ref *StateOf(slot)) & WayState.Dirty) != 0;

    /// <summary>The first neighbours from <paramref name="from"/> on, up to a limit, that are dirty.</summary>
    public bool TryNextDirtyRun(uint slot, int from, int limit, out int first, out int count)
    {
        while (TryNextDirtyUnits(slot, from, limit, out int start, out int end))
        {
            if (TryNextValidRun(slot, start, end, out first, out count)) return true;
            from = end;
        }
        (first, count) = (limit, 0);
        return false;
    }

    /// <summary>
    /// They are here now. True: some were not, and are in a dirty unit; the device has to name them before a flush
    /// ends, for whoever writes over them finds nothing new.
    /// </summary>
    public bool SetValid(uint slot, int first, int count)
    {
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        bool isNew = IsDirty(slot) && LacksInDirtyUnits(slot, first, first + count);
        ValidOf(slot).Set(first, count);
        latch.Exit();
        return isNew;
    }

    private bool LacksInDirtyUnits(uint slot, int first, int limit)
    {
        while (TryNextDirtyUnits(slot, first, limit, out int start, out int end))
        {
            if (!ValidOf(slot).All(start, end - start)) return true;
            first = end;
        }
        return false;
    }

    /// <summary>
    /// They are not here any more. A unit of which nothing is left is not dirty any more.
    /// </summary>
    public void ClearValid(uint slot, int first, int count)
    {
        if (count == 0) return;
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        ValidOf(slot).Clear(first, count);
        Mutant.Point();
        if (IsDirty(slot)) ClearUnits(slot, first, count);
        latch.Exit();
    }

    /// <summary>Those that are not dirty are not here any more: home is about to have newer ones.</summary>
    public void DropClean(uint slot, int first, int count)
    {
        int end = first + count;
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        while (first < end)
        {
            int dirty = end, next = end;
            if (TryNextDirtyUnits(slot, first, end, out int start, out int stop)) (dirty, next) = (start, stop);
            ValidOf(slot).Clear(first, dirty - first);
            first = next;
        }
        latch.Exit();
    }

    /// <summary>
    /// They are here, and what home has is older, or soon will be. True: their units were not dirty before; the device
    /// has to name them before a flush ends.
    /// </summary>
    public bool SetDirty(uint slot, int first, int count)
    {
        if (count == 0) return false;
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        bool isNew = MakeDirty(slot, first, count);
        latch.Exit();
        return isNew;
    }

    /// <summary>
    /// They are here now, and only here. True: something of this is new; the device has to name it before a flush ends.
    /// </summary>
    public bool SetValidDirty(uint slot, int first, int count)
    {
        if (count == 0) return false;
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        bool isNew = MakeDirty(slot, first, count);
        Mutant.Point();
        isNew |= !ValidOf(slot).All(first, count);
        ValidOf(slot).Set(first, count);
        latch.Exit();
        return isNew;
    }

    private bool MakeDirty(uint slot, int first, int count)
    {
        int unit = first >> UnitShift, units = ((first + count - 1) >> UnitShift) - unit + 1;
        NoteWritten(slot);
        if (DirtyOf(slot).All(unit, units)) return false;
        ChangeDirty(slot, unit, units, isSet: true);
        return true;
    }

    private void ClearUnits(uint slot, int first, int count)
    {
        int last = (first + count - 1) >> UnitShift;
        for (int unit = first >> UnitShift; unit <= last; unit++)
            if (!ValidOf(slot).Any(unit << UnitShift, UnitSectors)) ChangeDirty(slot, unit, 1, isSet: false);
    }

    // Under the latch: the bits, how many there are, and what the state says.
    private void ChangeDirty(uint slot, int unit, int units, bool isSet)
    {
        SectorBitmap bits = DirtyOf(slot);
        int before = bits.SetCount;
        if (isSet) bits.Set(unit, units);
        else bits.Clear(unit, units);
        CountDirty(slot, before, bits.SetCount);
    }

    private void CountDirty(uint slot, int before, int after)
    {
        if (before == after) return;
        ref Cell cell = ref CellOf(slot);
        Interlocked.Add(ref cell.Units, after - before);
        if (before != 0 && after != 0) return;
        Interlocked.Add(ref cell.Dirty, after != 0 ? 1 : -1);
        if (after != 0) Interlocked.Or(ref _states[slot], WayState.Dirty);
        else Interlocked.And(ref _states[slot], ~WayState.Dirty);
    }

    // Sectors of the next dirty units, cut to the range.
    private bool TryNextDirtyUnits(uint slot, int from, int limit, out int start, out int end)
    {
        (start, end) = (limit, limit);
        if (from >= limit || !DirtyOf(slot).TryNextRun(from >> UnitShift, out int unit, out int units)) return false;
        start = int.Max(unit << UnitShift, from);
        end = int.Min((unit + units) << UnitShift, limit);
        return start < limit;
    }

    private SectorBitmap ValidOf(uint slot)
    {
        Invariant.Check(slot < _geometry.Slots);
        return new SectorBitmap(_valid + ((nuint)slot * (nuint)_validWords), _geometry.BlockSectors);
    }
    // Small blocks have fewer units than the smallest bitmap has bits: the rest stay 0.
    private SectorBitmap DirtyOf(uint slot)
    {
        Invariant.Check(slot < _geometry.Slots);
        return new SectorBitmap(_dirty + ((nuint)slot * (nuint)_dirtyWords), _dirtyBits);
    }
}
