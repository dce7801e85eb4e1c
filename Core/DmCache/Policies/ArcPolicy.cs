using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   remembered <-- [ B1 | T1: used once ]   [ T2: used twice or more | B2 ] --> remembered
 *                            |-- target -->
 *
 *   used again: to T2. A block that B1 remembers says that T1 is too small, one that B2 remembers that it is too large.
 */

/// <summary>
/// ARC (Megiddo and Modha: FAST 2003). Over a restart queues, order and the target are kept, and what is remembered is
/// not. 36 bytes for each place.
/// </summary>
/// <remarks>
/// The paper adapts, evicts and brings in at one stroke. Here a miss adapts, once until its block comes in, and the
/// victim is chosen as for the block that was missed last; trimming what is remembered follows when a block comes in.
/// Where nothing happens between those, all is as in the paper.
/// </remarks>
internal struct ArcPolicy : IPolicy<ArcPolicy>
{
    private const int Once = 0, Often = 1, Queues = 2, GhostOnce = 2, GhostOften = 3, Lists = 4;

    /// <summary>Ghosts beyond one for each place: of blocks whose successors have not come yet.</summary>
    private const uint MoreGhosts = 8;

    private readonly uint _places;
    private PlaceLists _lists;
    private PlaceBits _inOften, _hasAdapted;
    private Cells<uint> _ids;
    private GhostTable _ghosts;
    private OrderHints _hints;
    private Admission _admission;
    private uint _target;
    private int _missed;

    private ArcPolicy(uint places)
    {
        uint ghosts = checked(places + MoreGhosts);
        _places = places;
        _lists = new PlaceLists(checked(places + ghosts), Lists + OrderHints.ListsFor(places, Queues));
        _inOften = new PlaceBits(places + ghosts);
        _hasAdapted = new PlaceBits(ghosts);
        _ids = new Cells<uint>(places);
        _ghosts = new GhostTable(places, ghosts);
        _hints = new OrderHints(places, Queues, Lists);
        _missed = -1;
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("arc", sizeof(uint), (1, 0, 0),
        "ARC: balances what was used once and what was used often");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _inOften.MemoryBytes + _hasAdapted.MemoryBytes
        + _ids.SizeBytes + _ghosts.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static ArcPolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Often);
        _hints.Load(ref _lists, place, queue, hint);
        // Every hint has the target, as a part of 255.
        _target = (uint)((((ulong)OrderHints.ExtraOf(hint) * _places) + byte.MaxValue - 1) / byte.MaxValue);
        Enter(place, home, queue);
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (Mutant.Is(PolicyMutant.HitIgnored)) return;
        _lists.Move(place, QueueOf(place), Often);
        _inOften.Set(place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access)
    {
        if (!_admission.Admits(access)) return false;
        uint ghost = _ghosts.Find(HomeId.Of(home));
        _missed = ghost == GhostTable.None ? -1 : QueueOf(ghost);
        if (ghost == GhostTable.None || _hasAdapted.Has(ghost - _places)) return true;
        _hasAdapted.Set(ghost - _places);
        Adapt(_missed, _lists.Count(GhostOnce), _lists.Count(GhostOften));
        return true;
    }

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        uint once = _lists.Count(Once);
        bool fromOnce = once > 0 && (once > _target || (_missed == Often && once == _target));
        if (_lists.Count(Often) == 0) fromOnce = true;
        uint victim = _lists.FindVictim(fromOnce ? Once : Often, ref gate);
        return victim != PlaceLists.None ? victim : _lists.FindVictim(fromOnce ? Often : Once, ref gate);
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        int queue = QueueOf(place);
        // Where all places hold blocks that were used once, and a new one comes, the oldest of them is not remembered.
        bool isForgotten = queue == Once && _lists.Count(Once) == _places && _missed < 0;
        _lists.Unlink(queue, place);
        if (isEvicted && !isForgotten && !Mutant.Is(PolicyMutant.GhostsForgotten)) Remember(_ids[place], queue);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        uint ghost = _ghosts.Find(HomeId.Of(home));
        int queue = ghost == GhostTable.None ? Once : Often;
        if (ghost != GhostTable.None) Forget(ghost);
        else Trim();
        _lists.Append(queue, place);
        Enter(place, home, queue);
    }

    /// <summary>At the old end of the queue that it has left.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        uint ghost = _ghosts.Find(HomeId.Of(home));
        int queue = ghost == GhostTable.None ? Once : QueueOf(ghost);
        if (ghost != GhostTable.None) Forget(ghost);
        _lists.Prepend(queue, place);
        Enter(place, home, queue);
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
        CheckHolds(place);
        return _hints.HintOf(ref _lists, place, QueueOf(place), (byte)((ulong)_target * byte.MaxValue / _places));
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("target_used_once", _target);
    }

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
        for (int list = 0; list < Lists; list++)
        {
            _lists.CheckInvariants(list);
            for (uint node = _lists.Oldest(list); node != PlaceLists.None; node = _lists.Newer(node))
                Invariant.Check(_inOften.Has(node) == list is Often or GhostOften);
        }
        Invariant.Check(_lists.Count(Once) + _lists.Count(Often) == Residency);
        Invariant.Check(_lists.Count(GhostOnce) + _lists.Count(GhostOften) == _ghosts.Count);
        Invariant.Check(_target <= _places);
        _ghosts.CheckInvariants();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _inOften.Dispose();
        _hasAdapted.Dispose();
        _ids.Dispose();
        _ghosts.Dispose();
        _hints.Dispose();
    }

    private void Enter(uint place, long home, int queue)
    {
        _ids[place] = HomeId.Of(home);
        Mark(place, queue);
        Residency++;
    }

    private void Adapt(int queue, uint ghostsOnce, uint ghostsOften)
    {
        if (Mutant.Is(PolicyMutant.ArcNotAdapting)) return;
        if (queue == Once) _target = Math.Min(_places, _target + Math.Max(1, ghostsOften / ghostsOnce));
        else _target -= Math.Min(_target, Math.Max(1, ghostsOnce / ghostsOften));
    }

    private void Remember(uint id, int queue)
    {
        uint known = _ghosts.Find(id);
        if (known != GhostTable.None) Forget(known);
        if (_ghosts.IsFull) ForgetOldest(_lists.Count(GhostOnce) > _lists.Count(GhostOften) ? GhostOnce : GhostOften);
        uint ghost = _ghosts.Add(id);
        Mark(ghost, queue);
        _hasAdapted.Clear(ghost - _places);
        _lists.Append(GhostListOf(queue), ghost);
    }

    private void Forget(uint ghost)
    {
        _lists.Unlink(GhostListOf(QueueOf(ghost)), ghost);
        _ghosts.Remove(ghost);
    }

    private void ForgetOldest(int list) => Forget(_lists.Oldest(list));

    // Before a new block comes to T1: at most as many in T1 and B1 as there are places, twice as many in all.
    private void Trim()
    {
        uint once = _lists.Count(Once) + _lists.Count(GhostOnce);
        if (once >= _places)
        {
            if (_lists.Count(GhostOnce) > 0) ForgetOldest(GhostOnce);
        }
        else if (Residency + (long)_ghosts.Count >= 2L * _places && _lists.Count(GhostOften) > 0)
            ForgetOldest(GhostOften);
    }

    private readonly void Mark(uint node, int queue)
    {
        if (queue == Often) _inOften.Set(node);
        else _inOften.Clear(node);
    }

    private static int GhostListOf(int queue) => queue == Once ? GhostOnce : GhostOften;

    private readonly int QueueOf(uint node) => _inOften.Has(node) ? Often : Once;

    private void Settle()
    {
        if (_hints.IsLoading) _hints.Settle(ref _lists);
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }
}
