using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;

namespace Weir.Core.SsdCache.Sets;

// Writers and write-back of one way (B4).
internal sealed unsafe partial class SetTable
{
    /// <summary>
    /// Somebody begins to write sectors of the way, here or at home, and holds their lock. False: they are to go home,
    /// and the way is being written back, so the order of the two writes would be open.
    /// </summary>
    public bool BeginWrite(uint slot, bool goesHome)
    {
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        bool mayBegin = !goesHome || !IsCleaning(slot);
        if (mayBegin)
        {
            NoteWritten(slot);
            uint state = Interlocked.Add(ref *StateOf(slot), WayState.Writer);
            Invariant.Check((state & WayState.Writers) != 0);
        }
        latch.Exit();
        return mayBegin;
    }

    /// <summary>The bytes are where they were to go, and the bits say so; or nothing came of it.</summary>
    public void EndWrite(uint slot)
    {
        uint state = Interlocked.Add(ref *StateOf(slot), unchecked(0 - WayState.Writer));
        Invariant.Check((state & WayState.Writers) != WayState.Writers);
    }

    /// <summary>
    /// The way's dirty sectors are about to be read and written home: its dirty units come to <paramref name="units"/>,
    /// as many words as the geometry says. No pin is needed until the end. False: nothing is dirty, somebody is
    /// writing, or this has begun already.
    /// </summary>
    public bool BeginClean(uint slot, ulong* units)
    {
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        uint state = Volatile.Read(ref *StateOf(slot));
        const uint busy = WayState.Cleaning | WayState.Claimed | WayState.Writers;
        bool mayBegin = (state & busy) == 0 && (state & WayState.Dirty) != 0;
        if (mayBegin)
        {
            new ReadOnlySpan<ulong>(_dirty + ((nuint)slot * (nuint)_dirtyWords), _dirtyWords)
                .CopyTo(new Span<ulong>(units, _dirtyWords));
            Interlocked.And(ref _states[slot], ~WayState.Written);
            Interlocked.Or(ref _states[slot], WayState.Cleaning);
        }
        latch.Exit();
        return mayBegin;
    }

    /// <summary>
    /// Home has them, durably. They are clean, unless somebody has begun to write since: then false, and all of them
    /// stay dirty.
    /// </summary>
    public bool EndClean(uint slot, ulong* units)
    {
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        uint state = Volatile.Read(ref *StateOf(slot));
        Invariant.Check((state & WayState.Cleaning) != 0);
        bool isClean = (state & WayState.Written) == 0 || Mutant.Is(SsdCacheMutant.B4WrittenIgnored);
        if (isClean)
        {
            SectorBitmap bits = DirtyOf(slot);
            int before = bits.SetCount;
            bits.AndNot(new SectorBitmap(units, _dirtyBits));
            CountDirty(slot, before, bits.SetCount);
        }
        Interlocked.And(ref _states[slot], ~(WayState.Cleaning | WayState.Written));
        latch.Exit();
        return isClean;
    }

    /// <summary>Nothing came of it: all stays dirty.</summary>
    public void CancelClean(uint slot)
    {
        uint state = Interlocked.And(ref *StateOf(slot), ~(WayState.Cleaning | WayState.Written));
        Invariant.Check((state & WayState.Cleaning) != 0);
    }

    /// <summary>The device names something of it dirty, or may do so.</summary>
    public bool IsNamed(uint slot) => (Volatile.Read(ref *StateOf(slot)) & WayState.Named) != 0;

    /// <summary>It is being written back.</summary>
    public bool IsCleaning(uint slot) => (Volatile.Read(ref *StateOf(slot)) & WayState.Cleaning) != 0;

    private void NoteWritten(uint slot)
    {
        if (IsCleaning(slot)) Interlocked.Or(ref _states[slot], WayState.Written);
    }
}
