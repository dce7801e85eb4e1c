using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>
/// SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: NSDI 2024). Blocks lie in the order in which they came; a hit marks one.
/// A hand goes from the old end to the new one, takes marks away, and evicts the first block that has none; blocks that
/// it passes stay where they are, and new ones come in ahead of it. Over a restart order, marks and hand are kept.
/// 8 bytes and a bit for each place.
/// </summary>
internal struct SievePolicy : IPolicy<SievePolicy>
{
    private const int Order = 0, Queues = 1;

    private const byte IsMarked = 1, IsAtHand = 2;

    /// <summary>Steps of the hand in one search: a few microseconds.</summary>
    private const int StepsMax = 1024;

    /// <summary>Blocks that may not go, in one search.</summary>
    private const int RefusalsMax = 64;

    private readonly uint _places;
    private PlaceLists _lists;
    private PlaceBits _marks;
    private OrderHints _hints;
    private Admission _admission;
    private uint _hand;

    private SievePolicy(uint places)
    {
        _places = places;
        _lists = new PlaceLists(places, Queues + OrderHints.ListsFor(places, Queues));
        _marks = new PlaceBits(places);
        _hints = new OrderHints(places, Queues, Queues);
        _hand = PlaceLists.None;
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("sieve", sizeof(uint), (1, 0, 0),
        "SIEVE: what was not used since the hand came by gives way");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _marks.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static SievePolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        _hints.Load(ref _lists, place, Order, hint);
        byte extra = OrderHints.ExtraOf(hint);
        if ((extra & IsMarked) != 0) _marks.Set(place);
        if ((extra & IsAtHand) != 0) _hand = place;
        Residency++;
    }

    /// <inheritdoc/>
    public readonly void Hit(uint place, in Access access)
    {
        CheckHolds(place);
        if (!Mutant.Is(PolicyMutant.HitIgnored)) _marks.Set(place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        if (Residency == 0) return PolicyInfo.NoPlace;
        int refused = 0;
        for (int step = 0; step < StepsMax && refused < RefusalsMax; step++)
        {
            if (_hand == PlaceLists.None) _hand = _lists.Oldest(Order);
            uint place = _hand;
            if (!_marks.Has(place) && (gate.MayGo(place) || Mutant.Is(PolicyMutant.GateNotAsked))) return place;
            if (!_marks.Has(place)) refused++;
            if (!Mutant.Is(PolicyMutant.SieveMarkKept)) _marks.Clear(place);
            _hand = _lists.Newer(place);
        }
        return PolicyInfo.NoPlace;
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        if (_hand == place && !Mutant.Is(PolicyMutant.CursorLeftBehind)) _hand = _lists.Newer(place);
        _lists.Unlink(Order, place);
        _marks.Clear(place);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        _lists.Append(Order, place);
        Residency++;
    }

    /// <summary>At the old end, where the hand had it.</summary>
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
        int extra = (_marks.Has(place) ? IsMarked : 0) | (place == _hand ? IsAtHand : 0);
        return _hints.HintOf(ref _lists, place, Order, (byte)extra);
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
        Invariant.Check(_hand == PlaceLists.None || _lists.IsLinked(_hand));
        for (uint place = _marks.NextSet(0); place < _places; place = _marks.NextSet(place + 1))
            Invariant.Check(_lists.IsLinked(place));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _marks.Dispose();
        _hints.Dispose();
    }

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
