using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>Lots decide. The same seed, the same lots. A bit for each place.</summary>
internal struct RandomPolicy : IPolicy<RandomPolicy>
{
    /// <summary>Lots drawn in one search, and places looked at in turn when none of them may go.</summary>
    private const int Draws = 32, InTurn = 64;

    private readonly uint _places;
    private PlaceBits _holds;
    private Prng _prng;
    private Admission _admission;
    private uint _turn;

    private RandomPolicy(in PolicyShape shape)
    {
        _places = shape.Places;
        _holds = new PlaceBits(_places);
        _prng = new Prng(shape.Seed);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("random", 0, (1, 0, 0), "lots decide what gives way");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _holds.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static RandomPolicy Create(in PolicyShape shape) => new(shape);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint) => ForceMapping(place, home);

    /// <inheritdoc/>
    public readonly void Hit(uint place, in Access access) => CheckHolds(place);

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        if (Residency == 0) return PolicyInfo.NoPlace;
        for (int draw = 0; draw < Draws; draw++)
        {
            uint place = NextHolding((uint)_prng.Below((long)_places));
            if (gate.MayGo(place) || Mutant.Is(PolicyMutant.GateNotAsked)) return place;
        }
        for (int i = 0; i < InTurn; i++)
        {
            uint place = NextHolding(_turn);
            _turn = place + 1;
            if (gate.MayGo(place)) return place;
        }
        return PolicyInfo.NoPlace;
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        CheckHolds(place);
        _holds.Clear(place);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access) => ForceMapping(place, home);

    /// <inheritdoc/>
    public void ForceMapping(uint place, long home)
    {
        Invariant.Check(place < _places);
        Invariant.Check(!_holds.Has(place));
        _holds.Set(place);
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

    /// <summary>Nothing.</summary>
    public readonly uint HintOf(uint place)
    {
        CheckHolds(place);
        return 0;
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
    public readonly void CheckInvariants() => Invariant.Check(_holds.Count() == Residency);

    /// <inheritdoc/>
    public void Dispose() => _holds.Dispose();

    // Once round when there is none further on.
    private readonly uint NextHolding(uint from)
    {
        uint place = _holds.NextSet(from);
        return place < _places ? place : _holds.NextSet(0);
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_holds.Has(place));
    }
}
