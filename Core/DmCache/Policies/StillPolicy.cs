using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>What makes <c>cleaner</c> and <c>noop</c> differ: one is for emptying a cache.</summary>
internal interface IStillKind
{
    /// <summary>What the policy is.</summary>
    static abstract PolicyInfo Info { get; }
}

/// <summary>Brings nothing in, so that whoever writes dirty blocks back has an end to it.</summary>
internal readonly struct CleanerKind : IStillKind
{
    /// <summary>Name, hints and version are the kernel's (dm-cache-policy-smq.c).</summary>
    public static PolicyInfo Info { get; } = new("cleaner", sizeof(uint), (2, 0, 0),
        "brings nothing in and writes everything back: before a cache is taken away")
    { IsCleaner = true };
}

/// <summary>Brings nothing in; what is cached stays.</summary>
internal readonly struct NoopKind : IStillKind
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("noop", sizeof(uint), (1, 0, 0),
        "brings nothing in; what is cached stays cached");
}

/// <summary>
/// Nothing comes in, and nothing need go. It keeps what hints it was given, so that the policy that was there before
/// finds them again. 4 bytes and a bit for each place.
/// </summary>
internal struct StillPolicy<TKind> : IPolicy<StillPolicy<TKind>>
    where TKind : struct, IStillKind
{
    private readonly uint _places;
    private PlaceBits _holds;
    private Cells<uint> _hints;
    private Admission _admission;

    private StillPolicy(uint places)
    {
        _places = places;
        _holds = new PlaceBits(places);
        _hints = new Cells<uint>(places);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info => TKind.Info;

    /// <inheritdoc/>
    public readonly long MemoryBytes => _holds.MemoryBytes + _hints.SizeBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static StillPolicy<TKind> Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        ForceMapping(place, home);
        if (hint != PolicyInfo.NoHint && !Mutant.Is(PolicyMutant.HintsIgnored)) _hints[place] = hint;
    }

    /// <inheritdoc/>
    public readonly void Hit(uint place, in Access access) => CheckHolds(place);

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access) && _admission.Refuse();

    /// <summary>None: nothing comes in that another block would have to give way for.</summary>
    public readonly uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate => PolicyInfo.NoPlace;

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        CheckHolds(place);
        _holds.Clear(place);
        Residency--;
    }

    /// <summary>What was on its way when the policy was changed.</summary>
    public void Insert(uint place, long home, in Access access) => ForceMapping(place, home);

    /// <inheritdoc/>
    public void ForceMapping(uint place, long home)
    {
        Invariant.Check(place < _places);
        Invariant.Check(!_holds.Has(place));
        _holds.Set(place);
        _hints[place] = 0;
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
    public readonly uint HintOf(uint place)
    {
        CheckHolds(place);
        return _hints[place];
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
    public void Dispose()
    {
        _holds.Dispose();
        _hints.Dispose();
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_holds.Has(place));
    }
}
