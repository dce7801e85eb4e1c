using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   new ---> [ in: a quarter, fifo ] ---> gone, remembered [ out: half as many as places, fifo ]
 *                                                                |
 *                                                          comes again
 *                                                                v
 *                                                   [ main: the rest, lru ] ---> gone
 */

/// <summary>
/// 2Q, the full version (Johnson and Shasha: VLDB 1994). Over a restart queues and order are kept, and what is
/// remembered is not. 22 bytes for each place.
/// </summary>
internal struct TwoQueuePolicy : IPolicy<TwoQueuePolicy>
{
    private const int In = 0, Main = 1, Queues = 2, Out = 2, Lists = 3;

    /// <summary>Parts of all places: the queue of new ones, and what is remembered; as the paper advises.</summary>
    private const uint InDivisor = 4, OutDivisor = 2;

    private readonly uint _places, _inTarget;
    private PlaceLists _lists;
    private PlaceBits _inMain;
    private Cells<uint> _ids;
    private GhostTable _ghosts;
    private OrderHints _hints;
    private Admission _admission;

    private TwoQueuePolicy(uint places)
    {
        uint ghosts = Math.Max(1, places / OutDivisor);
        _places = places;
        _inTarget = Math.Max(1, places / InDivisor);
        _lists = new PlaceLists(checked(places + ghosts), Lists + OrderHints.ListsFor(places, Queues));
        _inMain = new PlaceBits(places);
        _ids = new Cells<uint>(places);
        _ghosts = new GhostTable(places, ghosts);
        _hints = new OrderHints(places, Queues, Lists);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("twoqueue", sizeof(uint), (1, 0, 0),
        "2Q: a queue for new blocks, and lru for those that come again");

    /// <inheritdoc/>
    public readonly long MemoryBytes =>
        _lists.MemoryBytes + _inMain.MemoryBytes + _ids.SizeBytes + _ghosts.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static TwoQueuePolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Main);
        _hints.Load(ref _lists, place, queue, hint);
        Enter(place, home, queue);
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (_inMain.Has(place) && !Mutant.Is(PolicyMutant.HitIgnored)) _lists.Refresh(Main, place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        int first = _lists.Count(In) > _inTarget || _lists.Count(Main) == 0 ? In : Main;
        uint victim = _lists.FindVictim(first, ref gate);
        return victim != PlaceLists.None ? victim : _lists.FindVictim(first == In ? Main : In, ref gate);
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        int queue = QueueOf(place);
        _lists.Unlink(queue, place);
        _inMain.Clear(place);
        if (isEvicted && queue == In && !Mutant.Is(PolicyMutant.GhostsForgotten)) Remember(_ids[place]);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        int queue = TryForget(HomeId.Of(home)) ? Main : In;
        _lists.Append(queue, place);
        Enter(place, home, queue);
    }

    /// <summary>At the old end of the queue that it has left.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        int queue = TryForget(HomeId.Of(home)) ? In : Main;
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
        return _hints.HintOf(ref _lists, place, QueueOf(place));
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
        for (int list = 0; list < Lists; list++) _lists.CheckInvariants(list);
        for (uint place = _lists.Oldest(Main); place != PlaceLists.None; place = _lists.Newer(place))
            Invariant.Check(_inMain.Has(place));
        Invariant.Check(_inMain.Count() == _lists.Count(Main));
        Invariant.Check(_lists.Count(In) + _lists.Count(Main) == Residency);
        Invariant.Check(_lists.Count(Out) == _ghosts.Count);
        _ghosts.CheckInvariants();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _inMain.Dispose();
        _ids.Dispose();
        _ghosts.Dispose();
        _hints.Dispose();
    }

    private void Enter(uint place, long home, int queue)
    {
        _ids[place] = HomeId.Of(home);
        if (queue == Main) _inMain.Set(place);
        else _inMain.Clear(place);
        Residency++;
    }

    private void Remember(uint id)
    {
        TryForget(id);
        if (_ghosts.IsFull) Forget(_lists.Oldest(Out));
        _lists.Append(Out, _ghosts.Add(id));
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
        _lists.Unlink(Out, ghost);
        _ghosts.Remove(ghost);
    }

    private readonly int QueueOf(uint place) => _inMain.Has(place) ? Main : In;

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
