using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// An order to take out what some places hold. Worked off by the first queue's thread, looked at by whoever has given
/// it.
/// </summary>
/// <remarks>
/// Protocol. All but <c>_progress</c> is the working thread's; that one is replaced as a whole, under the lock.
/// </remarks>
internal sealed class InvalidateOrder(IReadOnlyList<PlaceRange> ranges)
{
    /// <summary>Places that are named one by one; of more it is said how many.</summary>
    private const int NamedMax = 16;

    private readonly System.Threading.Lock _lock = new();
    private readonly List<uint> _dirty = [];
    private OrderProgress _progress = OrderProgress.UnderWay("blocks are taken out");
    private int _range;
    private uint _next;
    private long _taken;
    private long _dirtyCount;

    /// <summary>How far it is; any thread.</summary>
    public OrderProgress Progress
    {
        get
        {
            lock (_lock) return _progress;
        }
        private set
        {
            lock (_lock) _progress = value;
        }
    }

    /// <summary>A block has been taken out.</summary>
    public bool HasTaken => _taken > 0;

    /// <summary>The place that is next; false: all are done.</summary>
    public bool TryPeek(out uint place)
    {
        place = 0;
        while (_range < ranges.Count && _next >= ranges[_range].End - ranges[_range].Begin)
            (_range, _next) = (_range + 1, 0);
        if (_range == ranges.Count) return false;
        place = ranges[_range].Begin + _next;
        return true;
    }

    /// <summary>That one is done with.</summary>
    public void Advance(uint place, Taking taking)
    {
        _next++;
        if (taking == Taking.Taken) _taken++;
        if (taking != Taking.Dirty) return;
        _dirtyCount++;
        if (_dirty.Count < NamedMax) _dirty.Add(place);
    }

    /// <summary>All that could leave has left, durably.</summary>
    public void End()
    {
        string taken = $"{_taken} block{(_taken == 1 ? " is" : "s are")} out";
        if (_dirtyCount == 0)
        {
            Progress = OrderProgress.DoneWith("done, " + taken);
            return;
        }
        string more = _dirtyCount > NamedMax ? $" and {_dirtyCount - NamedMax} more" : "";
        string stays = _dirtyCount == 1 ? "1 is dirty and stays: place" : $"{_dirtyCount} are dirty and stay: places";
        Fail($"{taken}, {stays} {string.Join(", ", _dirty)}{more}; 'weir message drain' writes back what is dirty");
    }

    /// <summary>It cannot go on.</summary>
    public void Fail(string reason) => Progress = default(OrderProgress).Fail(reason);
}
