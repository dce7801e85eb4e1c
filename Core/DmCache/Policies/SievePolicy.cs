using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>
/// SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: NSDI 2024). Blocks lie in the order in which they came; a hit marks one.
/// A hand goes from the old end to the new one, takes marks away, and evicts the first block that has none; blocks that
/// it passes stay where they are, and new ones come in ahead of it. Over a restart order, marks and hand are kept.
/// 10 bytes and three bits for each place.
/// </summary>
/// <remarks>
/// The hand passes 256 marked blocks at a time, so that a search is short even when all are marked, and need not be
/// broken off.
/// </remarks>
internal struct SievePolicy : IPolicy<SievePolicy>
{
    /// <summary>Of a hint, beyond how new the block is.</summary>
    private const byte IsMarked = 1, IsAtHand = 2;

    /// <summary>Blocks that may not go, in one search.</summary>
    private const int RefusalsMax = 64;

    private readonly uint _places;
    private AgeRing _ring;
    private Admission _admission;
    private bool _isLoading;

    private SievePolicy(uint places)
    {
        _places = places;
        _ring = new AgeRing(places);
        _isLoading = true;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("sieve", sizeof(uint), (1, 0, 0),
        "SIEVE: what was not used since the hand came by gives way");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _ring.MemoryBytes;

    /// <inheritdoc/>
    public readonly int Residency => (int)_ring.Count;

    /// <inheritdoc/>
    public static SievePolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        byte extra = OrderHints.ExtraOf(hint);
        _ring.Load(place, OrderHints.RankOf(hint), (extra & IsMarked) != 0, (extra & IsAtHand) != 0);
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (!Mutant.Is(PolicyMutant.HitIgnored)) _ring.Mark(place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        for (int refused = 0; refused < RefusalsMax; refused++)
        {
            uint place = _ring.Advance();
            if (place == AgeRing.None) break;
            if (gate.MayGo(place) || Mutant.Is(PolicyMutant.GateNotAsked)) return place;
            _ring.Pass();
        }
        return PolicyInfo.NoPlace;
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        _ring.Remove(place);
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        CheckHoldsNone(place);
        _ring.Append(place);
    }

    /// <summary>At the old end, where the hand had it.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        CheckHoldsNone(place);
        _ring.Prepend(place);
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
        int extra = (_ring.IsMarked(place) ? IsMarked : 0) | (_ring.IsAtHand(place) ? IsAtHand : 0);
        return OrderHints.Of(_ring.RankOf(place), 0, (byte)extra);
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
        _ring.CheckInvariants();
    }

    /// <inheritdoc/>
    public void Dispose() => _ring.Dispose();

    private void Settle()
    {
        if (!_isLoading) return;
        _ring.EndLoad();
        _isLoading = false;
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_ring.Has(place));
    }

    private readonly void CheckHoldsNone(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(!_ring.Has(place));
    }
}
