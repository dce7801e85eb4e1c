using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/// <summary>
/// MQ (Zhou, Philbin, Li: USENIX 2001): eight lru queues; which one a block is in follows from the logarithm of its
/// uses, and one that was not used for long goes down a queue: at each request the oldest of one queue is looked at.
/// Uses of blocks that have left are remembered. Over a restart queues, uses and order are kept. 41 bytes for each
/// place.
/// </summary>
/// <remarks>Not <c>mq</c>, dm-cache's own, which counts also before a block comes in.</remarks>
internal struct MultiQueuePolicy : IPolicy<MultiQueuePolicy>
{
    private const int Levels = 8, Out = Levels, Lists = Levels + 1;

    /// <summary>A block goes down when it was not used in as many requests as twice the places.</summary>
    private const uint LifePerPlace = 2;

    /// <summary>Hints have thirteen bits for uses, and three for the queue.</summary>
    private const int HintUsesBits = 13;

    private readonly uint _places, _life;
    private PlaceLists _lists;
    private LevelQueue _queue;
    private GhostTable _ghosts;
    private Cells<uint> _ids, _expiries;
    private Cells<ushort> _uses;
    private Cells<byte> _levels;
    private OrderHints _hints;
    private Admission _admission;
    private uint _now;

    private MultiQueuePolicy(uint places)
    {
        _places = places;
        _life = (uint)Math.Min((long)places * LifePerPlace, int.MaxValue / 2);
        _lists = new PlaceLists(checked(places * 2), Lists + OrderHints.ListsFor(places, 1));
        _queue = new LevelQueue(0, Levels);
        _ghosts = new GhostTable(places, places);
        _ids = new Cells<uint>(places);
        _expiries = new Cells<uint>(places);
        _uses = new Cells<ushort>(places * 2L);
        _levels = new Cells<byte>(places);
        _hints = OrderHints.OfLevels(places, Levels, Lists);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("multiqueue", sizeof(uint), (1, 0, 0),
        "MQ: eight lru queues by number of uses");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _queue.MemoryBytes + _ghosts.MemoryBytes
        + _ids.SizeBytes + _expiries.SizeBytes + _uses.SizeBytes + _levels.SizeBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static MultiQueuePolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int upper = Mutant.Is(PolicyMutant.HintsIgnored) ? 0 : OrderHints.UpperOf(hint);
        _hints.Load(ref _lists, place, 0, hint);
        Enter(place, home, (uint)upper & ((1 << HintUsesBits) - 1));
        _levels[place] = (byte)(upper >> HintUsesBits);
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        if (!Mutant.Is(PolicyMutant.HitIgnored)) Use(place);
        PassTime();
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
        _queue.Unlink(ref _lists, _levels[place], place);
        if (isEvicted && !Mutant.Is(PolicyMutant.GhostsForgotten)) Remember(_ids[place], _uses[place]);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        Enter(place, home, Recall(HomeId.Of(home)) + 1);
        _queue.Append(ref _lists, _levels[place], place);
        PassTime();
    }

    /// <summary>At the old end of the queue that its uses say.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        Enter(place, home, Recall(HomeId.Of(home)));
        _queue.Prepend(ref _lists, _levels[place], place);
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
        int uses = Math.Min((int)_uses[place], (1 << HintUsesBits) - 1);
        return _hints.HintOf(ref _lists, place, (ushort)((_levels[place] << HintUsesBits) | uses));
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
        MultiQueuePolicy self = this;
        _queue.CheckInvariants(_lists, (place, level) => Invariant.Check(self._levels[place] == level));
        _lists.CheckInvariants(Out);
        _ghosts.CheckInvariants();
        Invariant.Check(_queue.Count == Residency);
        Invariant.Check(_lists.Count(Out) == _ghosts.Count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _queue.Dispose();
        _ghosts.Dispose();
        _ids.Dispose();
        _expiries.Dispose();
        _uses.Dispose();
        _levels.Dispose();
        _hints.Dispose();
    }

    private void Enter(uint place, long home, uint uses)
    {
        _ids[place] = HomeId.Of(home);
        _uses[place] = (ushort)Math.Clamp(uses, 1, ushort.MaxValue);
        _levels[place] = LevelFor(_uses[place]);
        _expiries[place] = _now + _life;
        Residency++;
    }

    private void Use(uint place)
    {
        byte level = _levels[place];
        if (_uses[place] < ushort.MaxValue) _uses[place]++;
        _levels[place] = LevelFor(_uses[place]);
        _expiries[place] = _now + _life;
        _queue.Move(ref _lists, level, _levels[place], place);
    }

    // Of a queue, each but the lowest in turn, the oldest goes down, if its time is over.
    private void PassTime()
    {
        uint level = 1 + (++_now % (Levels - 1)), oldest = _queue.OldestOf(_lists, level);
        if (oldest == PlaceLists.None || (int)(_expiries[oldest] - _now) >= 0) return;
        _expiries[oldest] = _now + _life;
        _levels[oldest] = (byte)(level - 1);
        _queue.Move(ref _lists, level, level - 1, oldest);
    }

    private void Remember(uint id, ushort uses)
    {
        Recall(id);
        if (_ghosts.IsFull) Forget(_lists.Oldest(Out));
        uint ghost = _ghosts.Add(id);
        _uses[ghost] = uses;
        _lists.Append(Out, ghost);
    }

    // Its uses; it is not remembered any more.
    private uint Recall(uint id)
    {
        uint ghost = _ghosts.Find(id);
        if (ghost == GhostTable.None) return 0;
        uint uses = _uses[ghost];
        Forget(ghost);
        return uses;
    }

    private void Forget(uint ghost)
    {
        _lists.Unlink(Out, ghost);
        _ghosts.Remove(ghost);
    }

    private static byte LevelFor(uint uses) => (byte)Math.Min(BitOperations.Log2(uses), Levels - 1);

    // What was loaded lies in one list, in order: each goes to its level.
    private void Settle()
    {
        if (!_hints.IsLoading) return;
        _hints.Settle(ref _lists);
        _queue.TakeLoaded(_lists);
        for (uint place = _lists.Oldest(0); place != PlaceLists.None;)
        {
            uint next = _lists.Newer(place);
            if (_levels[place] != 0) _queue.Move(ref _lists, 0, _levels[place], place);
            place = next;
        }
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }
}
