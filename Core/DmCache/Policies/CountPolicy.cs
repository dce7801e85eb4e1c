using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>What makes <c>lfu</c> and <c>mfu</c> differ.</summary>
internal interface ICountKind
{
    /// <summary>What the policy is.</summary>
    static abstract PolicyInfo Info { get; }

    /// <summary>What was used most gives way first, not what was used least.</summary>
    static abstract bool MostGoes { get; }
}

/// <summary>Least frequently used gives way.</summary>
internal readonly struct LfuKind : ICountKind
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("lfu", sizeof(uint), (1, 0, 0), "least frequently used gives way");

    /// <inheritdoc/>
    public static bool MostGoes => false;
}

/// <summary>Most frequently used gives way: what was used often enough is not needed any more.</summary>
internal readonly struct MfuKind : ICountKind
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("mfu", sizeof(uint), (1, 0, 0), "most frequently used gives way");

    /// <inheritdoc/>
    public static bool MostGoes => true;
}

/// <summary>
/// Uses are counted, up to 255, and decide; of those with as many, the one that has had them longest gives way. Nothing
/// is remembered of what has left. Over a restart uses and order are kept. 9 bytes for each place.
/// </summary>
/// <remarks>A level is a number of uses, or for mfu, what is missing to the most.</remarks>
internal struct CountPolicy<TKind> : IPolicy<CountPolicy<TKind>>
    where TKind : struct, ICountKind
{
    private const int Levels = 256;

    private readonly uint _places;
    private PlaceLists _lists;
    private LevelQueue _queue;
    private Cells<byte> _uses;
    private OrderHints _hints;
    private Admission _admission;

    private CountPolicy(uint places)
    {
        _places = places;
        _lists = new PlaceLists(places, Levels + OrderHints.ListsFor(places, 1));
        _queue = new LevelQueue(0, Levels);
        _uses = new Cells<byte>(places);
        _hints = OrderHints.OfLevels(places, Levels, Levels);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info => TKind.Info;

    /// <inheritdoc/>
    public readonly long MemoryBytes =>
        _lists.MemoryBytes + _queue.MemoryBytes + _uses.SizeBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static CountPolicy<TKind> Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        _uses[place] = (byte)(Mutant.Is(PolicyMutant.HintsIgnored) ? 0 : OrderHints.UpperOf(hint));
        _hints.Load(ref _lists, place, 0, hint);
        Residency++;
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        uint level = LevelOf(place);
        if (_uses[place] < byte.MaxValue && !Mutant.Is(PolicyMutant.HitIgnored)) _uses[place]++;
        _queue.Move(ref _lists, level, LevelOf(place), place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        return _queue.FindVictim(ref _lists, ref gate);
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        _queue.Unlink(ref _lists, LevelOf(place), place);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        _uses[place] = 0;
        _queue.Append(ref _lists, LevelOf(place), place);
        Residency++;
    }

    /// <summary>With the uses that it had: nothing was there since.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        _queue.Prepend(ref _lists, LevelOf(place), place);
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
        return _hints.HintOf(ref _lists, place, _uses[place]);
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
        CountPolicy<TKind> self = this;
        _queue.CheckInvariants(_lists, (place, level) => Invariant.Check(self.LevelOf(place) == level));
        Invariant.Check(_queue.Count == Residency);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _queue.Dispose();
        _uses.Dispose();
        _hints.Dispose();
    }

    private readonly uint LevelOf(uint place) => TKind.MostGoes ? (uint)byte.MaxValue - _uses[place] : _uses[place];

    // What was loaded lies in one list, in order: each goes to its level.
    private void Settle()
    {
        if (!_hints.IsLoading) return;
        _hints.Settle(ref _lists);
        _queue.TakeLoaded(_lists);
        for (uint place = _lists.Oldest(0); place != PlaceLists.None;)
        {
            uint next = _lists.Newer(place), level = LevelOf(place);
            if (level != 0) _queue.Move(ref _lists, 0, level, place);
            place = next;
        }
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }
}
