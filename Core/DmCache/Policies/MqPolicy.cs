using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *             level: log2 of uses      0   1   2  ...  15
 *   cache                            [   |   |   | ... |   ]   --- oldest of the lowest level ---> gives way
 *                                                  ^                                                   |
 *                                      uses >= threshold                                          one use
 *                                                  |                                                   v
 *   before the cache, as many again  [   |   |   | ... |   ]   --- oldest of the lowest level ---> forgotten
 */

/// <summary>
/// The multiqueue of dm-cache's first version (seed 002, L4526-5785): it counts uses of blocks that are cached, and of
/// as many that are not, and brings one in when it has as many as those that would give way, and four more if it is
/// read, or eight if it is written. Over a restart uses and order are kept. 40 bytes for each place.
/// </summary>
/// <remarks>
/// What differs from the seed: a request counts once, however it is served (D2, D5); time passes with hits too (D3);
/// uses age, so that what was hot long ago is forgotten in a time that does not depend on how long it was hot (D4); an
/// empty queue has no oldest block (D6); a hint that is not known is one use (D30); a promotion that came to nothing
/// has to be earned again, and a block is in one queue only (D31).
/// </remarks>
internal struct MqPolicy : IPolicy<MqPolicy>
{
    private const int Levels = 16, CacheLists = 0, BeforeLists = Levels;

    /// <summary>
    /// Requests in which a block counts once: a stream of small ones, or a few of them side by side, are one use.
    /// </summary>
    private const int TickRequests = 16;

    /// <summary>Blocks that the threshold is a mean of (seed: MAX_TO_AVERAGE).</summary>
    private const int Averaged = 20;

    /// <summary>
    /// Uses are halved after so many times as many counted uses as there are places: a set of blocks as large as the
    /// cache can reach twice that many uses, and is forgotten as fast.
    /// </summary>
    private const int PeriodsOfAge = 8;

    /// <summary>Shortest period, in counted uses (seed: generation_period).</summary>
    private const uint PeriodMin = 1024;

    /// <summary>Each node's age is brought up to date once in so many ages: its byte has to tell them apart.</summary>
    private const int AgesOfRound = 128;

    // In the order of dm-cache's table line.
    private const int DiscardSetting = 0, ReadSetting = 1, WriteSetting = 2;

    private readonly uint _places, _period;
    private PlaceLists _lists;
    private LevelQueue _cache, _before;
    private GhostTable _ghosts;
    private Cells<uint> _ids;
    private Cells<Entry> _entries;
    private OrderHints _hints;
    private Admission _admission;
    private byte _tick, _age;
    private int _requests, _periods;
    private uint _counted, _promoteThreshold, _readAdjustment, _writeAdjustment, _discardAdjustment;

    private MqPolicy(uint places)
    {
        _places = places;
        _period = Math.Max(places, PeriodMin);
        _lists = new PlaceLists(checked(places * 2), (2 * Levels) + OrderHints.ListsFor(places, 1));
        _cache = new LevelQueue(CacheLists, Levels);
        _before = new LevelQueue(BeforeLists, Levels);
        _ghosts = new GhostTable(places, places);
        _ids = new Cells<uint>(places);
        _entries = new Cells<Entry>(places * 2L);
        _hints = OrderHints.OfLevels(places, Levels, 2 * Levels);
        (_readAdjustment, _writeAdjustment, _discardAdjustment) = (4, 8, 1);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("mq", sizeof(uint), (1, 0, 0),
        "dm-cache's first: brings in what is used more often than what would give way")
    {
        Settings =
        [
            new("discard_promote_adjustment", 0, ushort.MaxValue, 1, "uses that a discarded block needs"),
            new("read_promote_adjustment", 0, ushort.MaxValue, 4, "uses that a block needs to be read in, and more"),
            new("write_promote_adjustment", 0, ushort.MaxValue, 8, "uses that a block needs to be written, and more"),
        ],
    };

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _cache.MemoryBytes + _before.MemoryBytes
        + _ghosts.MemoryBytes + _ids.SizeBytes + _entries.SizeBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <summary>What a block's uses are measured by. For tests.</summary>
    internal readonly uint PromoteThreshold => _promoteThreshold;

    /// <inheritdoc/>
    public static MqPolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        _ids[place] = HomeId.Of(home);
        int uses = Mutant.Is(PolicyMutant.HintsIgnored) ? 1 : OrderHints.UpperOf(hint);
        _entries[place] = new Entry { Uses = (ushort)Math.Max(1, uses), Tick = (byte)(_tick - 1), Age = _age };
        _hints.Load(ref _lists, place, CacheLists, hint);
        Residency++;
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        Advance();
        if (!Mutant.Is(PolicyMutant.HitIgnored)) Count(ref _cache, place);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access)
    {
        Settle();
        if (!_admission.Admits(access)) return false;
        Advance();
        uint id = HomeId.Of(home), node = _ghosts.Find(id), threshold = ThresholdFor(access);
        if (node == GhostTable.None)
        {
            Remember(id);
            return threshold <= 1 || _admission.Refuse();
        }
        bool isCounted = Count(ref _before, node);
        if ((!isCounted && !access.IsCheap) || UsesOf(node) < threshold) return _admission.Refuse();
        SetUses(node, UsesOf(node) / 2);
        return true;
    }

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        return _cache.FindVictim(ref _lists, ref gate);
    }

    /// <summary>A victim is remembered, with one use.</summary>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        _cache.Unlink(ref _lists, LevelOf(place), place);
        if (isEvicted && _ghosts.Find(_ids[place]) == GhostTable.None) Remember(_ids[place]);
        Residency--;
    }

    /// <summary>It has the uses that it had when it was asked for.</summary>
    public void Insert(uint place, long home, in Access access) => Enter(place, home, isTakenBack: false);

    /// <inheritdoc/>
    public void ForceMapping(uint place, long home) => Enter(place, home, isTakenBack: true);

    /// <inheritdoc/>
    public readonly void SetDirty(uint place, bool isDirty)
    {
    }

    /// <inheritdoc/>
    public void Tick()
    {
        _requests = 0;
        _tick++;
    }

    /// <inheritdoc/>
    public uint HintOf(uint place)
    {
        Settle();
        CheckHolds(place);
        return _hints.HintOf(ref _lists, place, (ushort)UsesOf(place));
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("promote_threshold", _promoteThreshold);
    }

    /// <inheritdoc/>
    public void Set(int setting, long value)
    {
        PolicySetting what = Info.Settings[setting];
        Invariant.Check(value >= what.Minimum);
        Invariant.Check(value <= what.Maximum);
        if (setting == ReadSetting) _readAdjustment = (uint)value;
        if (setting == WriteSetting) _writeAdjustment = (uint)value;
        if (setting == DiscardSetting) _discardAdjustment = (uint)value;
    }

    /// <inheritdoc/>
    public readonly long Get(int setting) => setting switch
    {
        ReadSetting => _readAdjustment,
        WriteSetting => _writeAdjustment,
        _ => _discardAdjustment,
    };

    /// <inheritdoc/>
    public void CheckInvariants()
    {
        Settle();
        MqPolicy self = this;
        _cache.CheckInvariants(_lists, (node, level) => Invariant.Check(self.LevelOf(node) == level));
        _before.CheckInvariants(_lists, (node, level) => Invariant.Check(self.LevelOf(node) == level));
        _ghosts.CheckInvariants();
        Invariant.Check(_cache.Count == Residency);
        Invariant.Check(_before.Count == _ghosts.Count);
        for (uint place = 0; place < _places; place++)
            if (_lists.IsLinked(place)) Invariant.Check(_ghosts.Find(_ids[place]) == GhostTable.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _cache.Dispose();
        _before.Dispose();
        _ghosts.Dispose();
        _ids.Dispose();
        _entries.Dispose();
        _hints.Dispose();
    }

    private void Enter(uint place, long home, bool isTakenBack)
    {
        Settle();
        Invariant.Check(place < _places);
        Invariant.Check(!_lists.IsLinked(place));
        uint id = HomeId.Of(home), ghost = _ghosts.Find(id), uses = 1;
        if (ghost != GhostTable.None)
        {
            // They were halved when it was asked for.
            if (!isTakenBack) uses = UsesOf(ghost) * 2;
            Forget(ghost);
        }
        _ids[place] = id;
        _entries[place] = new Entry { Uses = (ushort)Math.Min(uses, ushort.MaxValue), Tick = _tick, Age = _age };
        if (isTakenBack) _cache.Prepend(ref _lists, LevelOf(place), place);
        else _cache.Append(ref _lists, LevelOf(place), place);
        Residency++;
    }

    // Where all are taken, the one that was used least gives its node.
    private void Remember(uint id)
    {
        if (_ghosts.IsFull) Forget(_before.Oldest(_lists));
        uint node = _ghosts.Add(id);
        _entries[node] = new Entry { Uses = 1, Tick = _tick, Age = _age };
        _before.Append(ref _lists, 0, node);
    }

    private void Forget(uint ghost)
    {
        _before.Unlink(ref _lists, LevelOf(ghost), ghost);
        _ghosts.Remove(ghost);
    }

    // Once in a tick. False: it has been counted already.
    private bool Count(ref LevelQueue queue, uint node)
    {
        if (_entries[node].Tick == _tick) return false;
        uint level = LevelOf(node), uses = Math.Min(UsesOf(node) + 1, ushort.MaxValue);
        _entries[node] = new Entry { Uses = (ushort)uses, Tick = _tick, Age = _age };
        queue.Move(ref _lists, level, LevelOf(node), node);
        if (++_counted >= _period) EndPeriod();
        return true;
    }

    private void SetUses(uint ghost, uint uses)
    {
        uint level = LevelOf(ghost);
        _entries[ghost].Uses = (ushort)Math.Max(uses, 1);
        _entries[ghost].Age = _age;
        _before.Move(ref _lists, level, LevelOf(ghost), ghost);
    }

    private readonly uint ThresholdFor(in Access access)
    {
        bool isFree = access.IsCheap && access.IsWrite && (access.Flags & AccessFlags.PlaceIsFree) != 0;
        if (isFree) return _discardAdjustment;
        return _promoteThreshold + (access.IsWrite ? _writeAdjustment : _readAdjustment);
    }

    private void Advance()
    {
        if (++_requests < TickRequests) return;
        _requests = 0;
        _tick++;
    }

    private void EndPeriod()
    {
        _counted = 0;
        if (++_periods % PeriodsOfAge == 0 && !Mutant.Is(PolicyMutant.MqNoAgeing)) Age();
        if (Residency == _places) _promoteThreshold = LowestMean();
    }

    private readonly uint LowestMean()
    {
        uint total = 0, count = 0;
        for (uint level = _cache.NextUsed(0); level < Levels && count < Averaged; level = _cache.NextUsed(level + 1))
            for (uint node = _cache.OldestOf(_lists, level); node != PlaceLists.None && count < Averaged; count++)
            {
                total += UsesOf(node);
                node = _lists.Newer(node);
            }
        return count == 0 ? 1 : (total + count - 1) / count;
    }

    // All uses are halved, and all levels go one down, which is the same; what each node says follows by and by.
    private void Age()
    {
        _cache.ShiftDown(ref _lists);
        _before.ShiftDown(ref _lists);
        _age++;
        long share = ((_places * 2L) + AgesOfRound - 1) / AgesOfRound, first = _age % AgesOfRound * share;
        for (long node = first; node < Math.Min(first + share, _places * 2L); node++)
        {
            _entries[(uint)node].Uses = (ushort)UsesOf((uint)node);
            _entries[(uint)node].Age = _age;
        }
    }

    private readonly uint UsesOf(uint node)
    {
        Entry entry = _entries[node];
        return Math.Max(1, (uint)entry.Uses >> Math.Min((int)(byte)(_age - entry.Age), Levels));
    }

    private readonly uint LevelOf(uint node) => (uint)BitOperations.Log2(UsesOf(node));

    // What was loaded lies in one list, in order: each goes to its level.
    private void Settle()
    {
        if (!_hints.IsLoading) return;
        _hints.Settle(ref _lists);
        _cache.TakeLoaded(_lists);
        for (uint node = _lists.Oldest(CacheLists); node != PlaceLists.None;)
        {
            uint next = _lists.Newer(node), level = LevelOf(node);
            if (level != 0) _cache.Move(ref _lists, 0, level, node);
            node = next;
        }
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }

    /// <summary>How often a node was used, as of an age; when it was counted last.</summary>
    private struct Entry
    {
        public ushort Uses;
        public byte Tick;
        public byte Age;
    }
}
