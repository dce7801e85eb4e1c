using System;
using System.Numerics;
using System.Runtime.InteropServices;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Places;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/*
 * A group of places, from round to round:
 *
 *   marked, written --> [round] its clean places are quiet --> [round] all still are: its marks go, by a commit
 *          ^                         |                                      |
 *          +------- a write ---------+------------- a write ----------------+
 */

/// <summary>
/// Takes away the marks of blocks that are clean (B1), in idle time, on the first queue's thread: so a crash later
/// leaves few blocks dirty. A round looks at all groups, some at a time; a group loses its marks when nobody has
/// written it since the round before: so one that is written again and again keeps them, and its writes wait for no
/// commit. A round that somebody has ordered takes all that is clean at once.
/// </summary>
internal sealed unsafe class Unmarker(MigrationParts parts, UnmarkOrders orders, CleaningGovernor governor)
    : IBackgroundTask, IDisposable
{
    private const uint GroupsPerTurn = 64;

    private readonly BlockLock* _lock = (BlockLock*)NativeMemory.AllocZeroed(1, (nuint)sizeof(BlockLock));
    private bool _isRound;
    private bool _isOrdered;
    private long _order;
    private uint _group;
    private long _nextUs;
    private long _ticket;

    private CacheMap Map => parts.Residency.Map;

    private PlaceTable Table => parts.Residency.Map.Table;

    private ChangeList Changes => parts.Residency.Changes;

    /// <inheritdoc/>
    public long DeadlineUs => parts.Mode.IsHeld ? long.MaxValue : _isRound ? 0
        : parts.Options.UnmarkUs == 0 || Table.MarkedCount == 0 || IsOver ? long.MaxValue
        : Math.Max(_nextUs, governor.IdleAtUs);

    // No commit is to come any more.
    private bool IsOver => Changes.Failure != null || parts.Devices.FlushError < 0;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (IsOver) _isRound = false;
        if (IsOver || parts.Mode.IsHeld || !IsSettled()) return;
        if (!_isRound && !TryBegin(nowUs)) return;
        uint end = Math.Min(Table.Groups, _group + GroupsPerTurn);
        for (; _group < end; _group++) Look(_group);
        if (_group == Table.Groups) End(nowUs);
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_lock);

    // An order is waited for before the next is begun.
    private bool IsSettled()
    {
        if (_ticket == 0) return true;
        if (!Changes.IsDone(_ticket)) return false;
        _ticket = 0;
        orders.Done = _order;
        return true;
    }

    private bool TryBegin(long nowUs)
    {
        _isOrdered = orders.Asked > orders.Done;
        if (!_isOrdered && nowUs < DeadlineUs) return false;
        _order = orders.Asked;
        (_isRound, _group) = (true, 0);
        return true;
    }

    private void Look(uint group)
    {
        ulong marked = Table.MarksOf(group) & Table.GroupWith(group, PlaceState.Mapped);
        if (marked == 0 && Changes.WantedOf(group) == 0) return;
        bool wasQuiet = (marked & ~Table.GroupWith(group, PlaceState.Quiet)) == 0;
        if (!wasQuiet) Quieten(group, marked);
        if (!wasQuiet && !_isOrdered) return;
        Changes.SetWanted(group, marked & ~Table.GroupWith(group, PlaceState.Quiet));
        Changes.Add(group, isUrgent: true);
    }

    private void Quieten(uint group, ulong places)
    {
        places &= ~(Table.GroupWith(group, PlaceState.Dirty) | Table.GroupWith(group, PlaceState.Quiet));
        for (; places != 0; places &= places - 1)
            TryQuieten((group << PlaceTable.GroupShift) + (uint)BitOperations.TrailingZeroCount(places));
    }

    // Nobody writes the block while it is locked like this. Whoever does now keeps it marked.
    private void TryQuieten(uint place)
    {
        long home = Table.HomeOf(place);
        *_lock = new BlockLock { FirstBlock = home, BlockCount = 1, Mode = BlockLockMode.Copy };
        if (!Map.Locks.TryTake(_lock)) return;
        if (!Table.AnyLossUnderWay && Map.Find(home) == place) Table.TryQuieten(place);
        Map.Locks.Release(_lock);
    }

    private void End(long nowUs)
    {
        _isRound = false;
        _nextUs = nowUs + parts.Options.UnmarkUs;
        if (_isOrdered) _ticket = Changes.Urge();
    }
}
