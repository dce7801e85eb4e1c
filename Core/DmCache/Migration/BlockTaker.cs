using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Migration;

/// <summary>What became of a try to take a block out.</summary>
internal enum Taking
{
    /// <summary>It leaves.</summary>
    Taken,
    /// <summary>The place holds no block, or another one by now.</summary>
    Absent,
    /// <summary>Home may not have what it has.</summary>
    Dirty,
    /// <summary>Somebody is at work in it.</summary>
    Busy,
}

/// <summary>Takes blocks out of the cache that home has too, one at a time. One thread.</summary>
internal sealed unsafe class BlockTaker(Residency residency) : IDisposable
{
    private readonly BlockLock* _lock = (BlockLock*)NativeMemory.AllocZeroed(1, (nuint)sizeof(BlockLock));

    /// <summary>
    /// Takes out what a place holds, unless somebody is at work there or it is dirty; <paramref name="ticket"/>: the
    /// commit that has it.
    /// </summary>
    public Taking TryTake(uint place, bool isEvicted, out long ticket)
    {
        ticket = 0;
        CacheMap map = residency.Map;
        if ((map.Table.StateOf(place) & PlaceState.Mapped) == 0) return Taking.Absent;
        *_lock = new BlockLock { FirstBlock = map.Table.HomeOf(place), BlockCount = 1, Mode = BlockLockMode.Exclusive };
        if (!map.Locks.TryTake(_lock)) return Taking.Busy;
        Taking taking = Look(place, isEvicted);
        if (taking == Taking.Taken) ticket = residency.Leave(place, isEvicted, isUrgent: false);
        map.Locks.Release(_lock);
        return taking;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_lock);

    // It may have been written, or have left, since somebody chose it.
    private Taking Look(uint place, bool isEvicted)
    {
        PlaceTable table = residency.Map.Table;
        PlaceState state = table.StateOf(place);
        if ((state & PlaceState.Mapped) == 0 || table.HomeOf(place) != _lock->FirstBlock) return Taking.Absent;
        bool isClean = (state & PlaceState.Kept) == 0
            || Mutant.Is(isEvicted ? DmCacheMutant.B4DirtyDemoted : DmCacheMutant.B4DirtyInvalidated);
        return isClean ? Taking.Taken : Taking.Dirty;
    }
}
