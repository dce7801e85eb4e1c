using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>What makes one policy of <see cref="ListPolicy{TOrder}"/> differ from the others.</summary>
internal interface IListOrder
{
    /// <summary>What the policy is.</summary>
    static abstract PolicyInfo Info { get; }

    /// <summary>A hit makes a block as new as one that has just come.</summary>
    static abstract bool HitMakesNew { get; }

    /// <summary>The newest gives way first, not the oldest.</summary>
    static abstract bool NewestGoes { get; }
}

/// <summary>
/// All blocks in one list, from the end of which victims are taken: fifo, lru and mru. Over a restart the order is kept
/// (<see cref="OrderHints"/>). 8 bytes for each place.
/// </summary>
/// <remarks>The end that victims come from is the list's old one, also where the newest go first.</remarks>
internal struct ListPolicy<TOrder> : IPolicy<ListPolicy<TOrder>>
    where TOrder : struct, IListOrder
{
    private const int Order = 0, Queues = 1;

    private readonly uint _places;
    private PlaceLists _lists;
    private OrderHints _hints;
    private Admission _admission;

    private ListPolicy(uint places)
    {
        _places = places;
        _lists = new PlaceLists(places, Queues + OrderHints.ListsFor(places, Queues));
        _hints = new OrderHints(places, Queues, Queues);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info => TOrder.Info;

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static ListPolicy<TOrder> Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        _hints.Load(ref _lists, place, Order, hint);
        Residency++;
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (!TOrder.HitMakesNew || Mutant.Is(PolicyMutant.HitIgnored)) return;
        _lists.Unlink(Order, place);
        Link(place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        return _lists.FindVictim(Order, ref gate);
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        _lists.Unlink(Order, place);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        Link(place);
        Residency++;
    }

    /// <summary>At the end that victims come from: it was to give way.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        _lists.Prepend(Order, place);
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
        CheckHolds(place);
        return _hints.HintOf(ref _lists, place, Order);
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
        _lists.CheckInvariants(Order);
        Invariant.Check(_lists.Count(Order) == Residency);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _hints.Dispose();
    }

    private void Settle()
    {
        if (_hints.IsLoading) _hints.Settle(ref _lists);
    }

    private void Link(uint place)
    {
        if (TOrder.NewestGoes) _lists.Prepend(Order, place);
        else _lists.Append(Order, place);
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }
}
