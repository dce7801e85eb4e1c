using System;
using System.Numerics;
using System.Runtime.InteropServices;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Takes blocks out that the cache device does not give (B11), on the first queue's thread: those that are clean, since
/// home has them, and those that the user has given up. The others stay, and are lost unless the device gives them
/// after all.
/// </summary>
internal sealed unsafe class UnreadableKeeper(MigrationParts parts) : IBackgroundTask, IDisposable
{
    // Somebody is at work with a block: it is looked at again after this.
    private const long RoundUs = 1000;

    private readonly BlockLock* _lock = (BlockLock*)NativeMemory.AllocZeroed(1, (nuint)sizeof(BlockLock));
    private long _againUs = long.MaxValue;

    private CacheMap Map => parts.Residency.Map;

    /// <inheritdoc/>
    public long DeadlineUs => parts.Mode.IsHeld ? long.MaxValue : Map.Unreadable.HasNews ? 0 : _againUs;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (parts.Mode.IsHeld) return;
        if (!Map.Unreadable.TakeNews() && nowUs < _againUs) return;
        _againUs = long.MaxValue;
        if (parts.Residency.Changes.Failure != null) return;
        for (uint word = 0; word < Map.Unreadable.WordCount; word++)
            for (ulong left = Map.Unreadable[word]; left != 0; left &= left - 1)
                if (!TrySettle((word << PlaceTable.GroupShift) + (uint)BitOperations.TrailingZeroCount(left)))
                    _againUs = nowUs + RoundUs;
        if (Map.Unreadable.Count == 0) parts.Health.Pass(Trouble.Writeback);
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_lock);

    // False: it has to go, and cannot now.
    private bool TrySettle(uint place)
    {
        if (!HasToGo(place)) return true;
        long home = Map.Table.HomeOf(place);
        *_lock = new BlockLock { FirstBlock = home, BlockCount = 1, Mode = BlockLockMode.Exclusive };
        if (!Map.Locks.TryTake(_lock)) return false;
        if (Map.Find(home) == place && HasToGo(place))
            parts.Residency.Leave(place, isEvicted: false, isUrgent: Map.Unreadable.IsGivenUp(place));
        Map.Locks.Release(_lock);
        return true;
    }

    private bool HasToGo(uint place)
    {
        bool isClean = (Map.Table.StateOf(place) & PlaceState.Kept) == 0;
        return Map.Unreadable.Has(place) && (isClean || Map.Unreadable.IsGivenUp(place));
    }
}
