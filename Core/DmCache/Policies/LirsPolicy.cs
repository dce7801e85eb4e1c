using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   stack, by last use:  new | hot | cold, cached | ghost | hot | ghost | hot     ends with a hot one
 *   queue:               cold, cached ---> gives way, and stays in the stack as a ghost
 *
 *   A cold block or a ghost that is used while it is in the stack becomes hot, and the last hot one in it cold.
 */

/// <summary>
/// LIRS (Jiang and Zhang: SIGMETRICS 2002). Blocks that come again soon are hot (LIR) and have all places but a
/// hundredth; others are cold (resident HIR) and pass through the rest. Over a restart hot, cold and their orders are
/// kept, and where cold ones were among the hot ones is not. 48 bytes for each place.
/// </summary>
internal struct LirsPolicy : IPolicy<LirsPolicy>
{
    /// <summary>Of <see cref="_lists"/>: cold ones; hot ones; ghosts in the order in which they left.</summary>
    private const int Cold = 0, Hot = 1, Queues = 2, Ghosts = 2, Lists = 3;

    private const int Stack = 0;

    /// <summary>Cold blocks have a hundredth of all places, as the paper advises.</summary>
    private const uint ColdDivisor = 100;

    private readonly uint _places, _hotTarget;
    private PlaceLists _stack, _lists;
    private PlaceBits _isHot;
    private Cells<uint> _ids;
    private GhostTable _ghosts;
    private OrderHints _hints;
    private Admission _admission;
    private long _hotRankedAt;

    private LirsPolicy(uint places)
    {
        _places = places;
        _hotTarget = places - Math.Max(1, places / ColdDivisor);
        _stack = new PlaceLists(checked(places * 2), 1);
        _lists = new PlaceLists(checked(places * 2), Lists + OrderHints.ListsFor(places, Queues));
        _isHot = new PlaceBits(places);
        _ids = new Cells<uint>(places);
        _ghosts = new GhostTable(places, places);
        _hints = new OrderHints(places, Queues, Lists);
        _hotRankedAt = -1;
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("lirs", sizeof(uint), (1, 0, 0),
        "LIRS: what comes again soonest stays; good for loops and scans");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _stack.MemoryBytes + _lists.MemoryBytes + _isHot.MemoryBytes
        + _ids.SizeBytes + _ghosts.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static LirsPolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Hot);
        _hints.Load(ref _lists, place, queue, hint);
        if (queue == Hot) _isHot.Set(place);
        _ids[place] = HomeId.Of(home);
        Residency++;
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (Mutant.Is(PolicyMutant.HitIgnored)) return;
        bool wasInStack = _stack.IsLinked(place);
        if (wasInStack) _stack.Unlink(Stack, place);
        _stack.Append(Stack, place);
        if (!_isHot.Has(place))
        {
            if (wasInStack) MakeHot(place);
            else _lists.Refresh(Cold, place);
        }
        Prune();
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        uint victim = _lists.FindVictim(Cold, ref gate);
        if (victim != PlaceLists.None || _lists.Count(Hot) == 0) return victim;
        // The stack ends with a hot one.
        uint last = _stack.Oldest(Stack);
        return gate.MayGo(last) ? last : _lists.FindVictim(Hot, ref gate);
    }

    /// <summary>A victim that was in the stack is there still, as a ghost.</summary>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        bool isHot = _isHot.Has(place);
        _lists.Unlink(isHot ? Hot : Cold, place);
        _isHot.Clear(place);
        Residency--;
        if (!_stack.IsLinked(place)) return;
        bool isRemembered = isEvicted && !isHot && !Mutant.Is(PolicyMutant.GhostsForgotten);
        if (isRemembered) BecomeGhost(place);
        else _stack.Unlink(Stack, place);
        Prune();
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        CheckHoldsNone(place);
        bool isRemembered = TryForget(HomeId.Of(home));
        _ids[place] = HomeId.Of(home);
        Residency++;
        _stack.Append(Stack, place);
        _lists.Append(Cold, place);
        if (isRemembered || _lists.Count(Hot) < _hotTarget) MakeHot(place);
        Prune();
    }

    /// <summary>As a cold one that goes next.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        CheckHoldsNone(place);
        uint ghost = _ghosts.Find(HomeId.Of(home));
        if (ghost != GhostTable.None)
        {
            _stack.Replace(Stack, ghost, place);
            _lists.Unlink(Ghosts, ghost);
            _ghosts.Remove(ghost);
        }
        _ids[place] = HomeId.Of(home);
        _lists.Prepend(Cold, place);
        Residency++;
    }

    /// <inheritdoc/>
    public readonly void SetDirty(uint place, bool isDirty)
    {
    }

    /// <inheritdoc/>
    public readonly void Tick()
    {
    }

    /// <inheritdoc/>
    public uint HintOf(uint place)
    {
        Settle();
        CheckHolds(place);
        if (_hotRankedAt != _stack.Changes) SortHot();
        return _hints.HintOf(ref _lists, place, _isHot.Has(place) ? Hot : Cold);
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count) => _admission.Report(count);

    /// <inheritdoc/>
    public readonly void Set(int setting, long value)
    {
    }

    /// <inheritdoc/>
    public readonly long Get(int setting) => 0;

    /// <inheritdoc/>
    public void CheckInvariants()
    {
        Settle();
        _stack.CheckInvariants(Stack);
        for (int list = 0; list < Lists; list++) _lists.CheckInvariants(list);
        Invariant.Check(_lists.Count(Cold) + _lists.Count(Hot) == Residency);
        Invariant.Check(_lists.Count(Ghosts) == _ghosts.Count);
        Invariant.Check(_isHot.Count() == _lists.Count(Hot));
        Invariant.Check(_lists.Count(Hot) <= _hotTarget);
        _ghosts.CheckInvariants();
        uint last = _stack.Oldest(Stack);
        Invariant.Check(last == PlaceLists.None || IsHotNode(last));
        for (uint place = _lists.Oldest(Hot); place != PlaceLists.None; place = _lists.Newer(place))
        {
            Invariant.Check(_isHot.Has(place));
            Invariant.Check(_stack.IsLinked(place));
        }
        for (uint ghost = _lists.Oldest(Ghosts); ghost != PlaceLists.None; ghost = _lists.Newer(ghost))
            Invariant.Check(_stack.IsLinked(ghost));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stack.Dispose();
        _lists.Dispose();
        _isHot.Dispose();
        _ids.Dispose();
        _ghosts.Dispose();
        _hints.Dispose();
    }

    private readonly bool IsHotNode(uint node) => node < _places && _isHot.Has(node);

    // It is cold and on top of the stack. Where there are too many hot ones, the last one becomes cold.
    private void MakeHot(uint place)
    {
        _lists.Move(place, Cold, Hot);
        _isHot.Set(place);
        if (_lists.Count(Hot) <= _hotTarget) return;
        Prune();
        CoolLast();
    }

    private void CoolLast()
    {
        uint last = _stack.Oldest(Stack);
        _stack.Unlink(Stack, last);
        _isHot.Clear(last);
        _lists.Move(last, Hot, Cold);
    }

    // The stack ends with a hot one: what lies below the last one says nothing.
    private void Prune()
    {
        for (uint last = _stack.Oldest(Stack); last != PlaceLists.None && !IsHotNode(last); last = _stack.Oldest(Stack))
            if (last < _places) _stack.Unlink(Stack, last);
            else Forget(last);
    }

    private void BecomeGhost(uint place)
    {
        TryForget(_ids[place]);
        if (_ghosts.IsFull) Forget(_lists.Oldest(Ghosts));
        uint ghost = _ghosts.Add(_ids[place]);
        _stack.Replace(Stack, place, ghost);
        _lists.Append(Ghosts, ghost);
    }

    private bool TryForget(uint id)
    {
        uint ghost = _ghosts.Find(id);
        if (ghost == GhostTable.None) return false;
        Forget(ghost);
        return true;
    }

    private void Forget(uint ghost)
    {
        _stack.Unlink(Stack, ghost);
        _lists.Unlink(Ghosts, ghost);
        _ghosts.Remove(ghost);
    }

    // The hot list is by time of becoming hot: for hints it is put into the order of the stack.
    private void SortHot()
    {
        for (uint node = _stack.Oldest(Stack); node != PlaceLists.None; node = _stack.Newer(node))
            if (IsHotNode(node)) _lists.Refresh(Hot, node);
        _hotRankedAt = _stack.Changes;
    }

    private void Settle()
    {
        if (!_hints.IsLoading) return;
        _hints.Settle(ref _lists);
        for (uint place = _lists.Oldest(Hot); place != PlaceLists.None; place = _lists.Newer(place))
            _stack.Append(Stack, place);
        while (_lists.Count(Hot) > _hotTarget) CoolLast();
    }

    private readonly void CheckHoldsNone(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(!_lists.IsLinked(place));
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }
}
