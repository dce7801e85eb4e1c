using System;
using System.Numerics;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Which dirty block is written back next: some hundred are picked in the order of their places, and given out in the
/// order of their homes. One that was written since the last round may wait for the next: it would not stay clean. One
/// thread.
/// </summary>
internal sealed class DirtyOrder(PlaceTable table, UnreadablePlaces unreadable)
{
    /// <summary>How long a round that has found nothing waits for the next, in microseconds.</summary>
    public const long RoundUs = 20_000;

    private const int Capacity = 512;

    private readonly (long Home, uint Place)[] _picked = new (long, uint)[Capacity];
    private int _count;
    private int _next;
    private uint _hand;

    /// <summary>Blocks that are written again and again are left alone for a round.</summary>
    public bool SkipsHot { get; set; }

    /// <summary>Blocks that the cache device has refused to give are tried, too.</summary>
    public bool TriesUnreadable { get; set; }

    /// <summary>The next one, as far as a look without a lock can tell. False: none in this round.</summary>
    public bool TryNext(out uint place)
    {
        if (_next == _count) Pick();
        bool isFound = _next < _count;
        place = isFound ? _picked[_next++].Place : 0;
        return isFound;
    }

    // From the hand on, once around at most.
    private void Pick()
    {
        (_count, _next) = (0, 0);
        for (uint looked = 0; looked < table.Groups && _count <= Capacity - PlaceTable.GroupPlaces; looked++)
        {
            PickFrom(_hand);
            _hand = _hand + 1 == table.Groups ? 0 : _hand + 1;
        }
        Array.Sort(_picked, 0, _count);
    }

    private void PickFrom(uint group)
    {
        ulong dirty = table.GroupWith(group, PlaceState.Mapped | PlaceState.Dirty);
        if (dirty == 0) return;
        dirty &= ~table.GroupWith(group, PlaceState.Cleaning);
        if (!TriesUnreadable) dirty &= ~unreadable[group];
        for (; dirty != 0; dirty &= dirty - 1)
        {
            uint place = (group << PlaceTable.GroupShift) + (uint)BitOperations.TrailingZeroCount(dirty);
            if (!SkipsHot || !IsHot(place)) _picked[_count++] = (table.HomeOf(place), place);
        }
    }

    // Each round takes the mark of a write away, and nothing else goes by it but who writes the block back.
    private bool IsHot(uint place) => (table.Change(place, 0, PlaceState.Written) & PlaceState.Written) != 0;
}
