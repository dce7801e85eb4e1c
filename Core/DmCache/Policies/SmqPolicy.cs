using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   misses ---> hotspot queue: regions of up to 16 blocks, 64 levels ---level high enough---> bring the block in
 *
 *   hits  ----> clean queue, 64 levels        a hit: one level up, and what was oldest there comes down
 *               dirty queue, 64 levels        now and then all levels are made equally full
 */

/// <summary>
/// The stochastic multiqueue, the kernel's default since 4.2, as it behaves today (dm-cache-policy-smq.c, policy
/// version 2.0.0; nothing of it was copied). The hint is the level, as the kernel has it, so either goes on with the
/// other's. 15 bytes for each place.
/// </summary>
/// <remarks>
/// What differs: time is counted in calls of <see cref="Tick"/>, a second each, and in requests, for there is no clock
/// here; where the lower half of the clean queue has nothing that may go, the kernel brings nothing in until the levels
/// are filled again, and here the search goes on upwards, and to dirty blocks if the gate lets them go; write-back is
/// not the policy's; long streams are not brought in.
/// </remarks>
internal struct SmqPolicy : IPolicy<SmqPolicy>
{
    private const int Levels = 64, CleanLists = 0, DirtyLists = Levels, HotspotLists = 2 * Levels, Lists = 3 * Levels;

    /// <summary>Blocks of a region at most, and regions at least (calc_hotspot_params).</summary>
    private const uint RegionBlocksMax = 16, RegionsMin = 1024, PlacesOfRegion = 4;

    /// <summary>Levels at the top of the hotspot queue that have few regions each.</summary>
    private const int TopLevels = 8;

    /// <summary>Ticks until the levels of cached blocks are filled evenly: CACHE_UPDATE_PERIOD, 60 s.</summary>
    private const int CachePeriodTicks = 60;

    /// <summary>Requests in which a region rises once: the kernel's ticks pass with requests too.</summary>
    private const int RegionTickRequests = 64;

    private readonly uint _places, _regions, _regionBlocks;
    private PlaceLists _lists;
    private EvenQueue _clean, _dirty, _hotspot;
    private GhostTable _regionTable;
    private Cells<byte> _levels;
    private PlaceBits _isDirty, _wasHit, _regionWasHit;
    private Admission _admission;
    private LevelStats _cacheStats, _hotspotStats;
    private uint _promoteLevel, _levelJump;
    private int _requests, _ticks;

    private SmqPolicy(in PolicyShape shape)
    {
        _places = shape.Places;
        _regions = Math.Max(_places / PlacesOfRegion, RegionsMin);
        _regionBlocks = RegionBlocksMax;
        while (_regionBlocks > 1 && (long)_regionBlocks * _regions > shape.Homes) _regionBlocks /= 2;
        _lists = new PlaceLists(checked(_places + _regions), Lists);
        _clean = new EvenQueue(CleanLists, topLevels: 0, inTopLevels: 0);
        _dirty = new EvenQueue(DirtyLists, topLevels: 0, inTopLevels: 0);
        _hotspot = new EvenQueue(HotspotLists, TopLevels, Math.Min(_regions / Levels, _places / _regionBlocks));
        _regionTable = new GhostTable(_places, _regions);
        _levels = new Cells<byte>(_places + (long)_regions);
        _isDirty = new PlaceBits(_places);
        _wasHit = new PlaceBits(_places);
        _regionWasHit = new PlaceBits(_regions);
        (_promoteLevel, _levelJump) = (Levels, 1);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("smq", sizeof(uint), (2, 0, 0),
        "the kernel's default: what is hit rises level by level, by chance");

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _clean.MemoryBytes + _dirty.MemoryBytes
        + _hotspot.MemoryBytes + _regionTable.MemoryBytes + _levels.SizeBytes + _isDirty.MemoryBytes
        + _wasHit.MemoryBytes + _regionWasHit.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static SmqPolicy Create(in PolicyShape shape) => new(shape);

    /// <summary>At the old end of its level, so that it may go at once; without a hint at any level.</summary>
    public void Load(uint place, long home, uint hint)
    {
        CheckHoldsNone(place);
        bool isKnown = hint != PolicyInfo.NoHint && !Mutant.Is(PolicyMutant.HintsIgnored);
        _levels[place] = (byte)(isKnown ? Math.Min(hint, Levels - 1) : HomeId.Mix(place) % Levels);
        _clean.Queue.Prepend(ref _lists, _levels[place], place);
        Residency++;
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        CheckHolds(place);
        Advance();
        _cacheStats.Accessed(_levels[place]);
        if (_wasHit.Has(place) || Mutant.Is(PolicyMutant.HitIgnored)) return;
        _wasHit.Set(place);
        if (_isDirty.Has(place)) _dirty.Rise(ref _lists, _levels, place, 1);
        else _clean.Rise(ref _lists, _levels, place, 1);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access)
    {
        Advance();
        if (!_admission.Admits(access)) return false;
        _cacheStats.Missed();
        byte level = NoteRegion(home / _regionBlocks);
        bool isFree = access.IsWrite && access.IsCheap && Residency < _places;
        return isFree || level >= _promoteLevel || _admission.Refuse();
    }

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        uint victim = _clean.Queue.FindVictim(ref _lists, ref gate);
        return victim != PlaceLists.None ? victim : _dirty.Queue.FindVictim(ref _lists, ref gate);
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        CheckHolds(place);
        QueueOf(place).Unlink(ref _lists, _levels[place], place);
        _isDirty.Clear(place);
        _wasHit.Clear(place);
        Residency--;
    }

    /// <summary>At the top.</summary>
    public void Insert(uint place, long home, in Access access) => Enter(place, Levels - 1);

    /// <summary>At the bottom, where it came from.</summary>
    public void ForceMapping(uint place, long home) => Enter(place, 0);

    /// <inheritdoc/>
    public void SetDirty(uint place, bool isDirty)
    {
        CheckHolds(place);
        if (_isDirty.Has(place) == isDirty) return;
        QueueOf(place).Unlink(ref _lists, _levels[place], place);
        if (isDirty) _isDirty.Set(place);
        else _isDirty.Clear(place);
        QueueOf(place).Append(ref _lists, _levels[place], place);
    }

    /// <inheritdoc/>
    public void Tick()
    {
        EndRegionTick();
        _levelJump = _hotspotStats.Confidence switch
        {
            Confidence.Poor => 4,
            Confidence.Fair => 2,
            _ => 1,
        };
        _hotspot.Redistribute(ref _lists, _levels);
        _hotspotStats.Reset();
        if (++_ticks % CachePeriodTicks != 0) return;
        _wasHit.ClearAll();
        _dirty.Redistribute(ref _lists, _levels);
        _clean.Redistribute(ref _lists, _levels);
        _cacheStats.Reset();
    }

    /// <summary>Its level.</summary>
    public readonly uint HintOf(uint place)
    {
        CheckHolds(place);
        return _levels[place];
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("promote_level", _promoteLevel);
        count("hotspot_regions", _regionTable.Count);
    }

    /// <inheritdoc/>
    public readonly void Set(int setting, long value)
    {
    }

    /// <inheritdoc/>
    public readonly long Get(int setting) => 0;

    /// <inheritdoc/>
    public readonly void CheckInvariants()
    {
        SmqPolicy self = this;
        _clean.Queue.CheckInvariants(_lists, (place, level) => self.CheckLevel(place, level, isDirty: false));
        _dirty.Queue.CheckInvariants(_lists, (place, level) => self.CheckLevel(place, level, isDirty: true));
        _hotspot.Queue.CheckInvariants(_lists, (node, level) => Invariant.Check(self._levels[node] == level));
        _regionTable.CheckInvariants();
        Invariant.Check(_hotspot.Queue.Count == _regionTable.Count);
        Invariant.Check(_clean.Queue.Count + _dirty.Queue.Count == Residency);
        Invariant.Check(_isDirty.Count() == _dirty.Queue.Count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _clean.Dispose();
        _dirty.Dispose();
        _hotspot.Dispose();
        _regionTable.Dispose();
        _levels.Dispose();
        _isDirty.Dispose();
        _wasHit.Dispose();
        _regionWasHit.Dispose();
    }

    // A region that is asked for rises once in a tick, further when little is known yet. Returns its level.
    private byte NoteRegion(long region)
    {
        uint id = HomeId.Of(region), node = _regionTable.Find(id);
        if (node == GhostTable.None)
        {
            _hotspotStats.Missed();
            node = NewRegion(id);
        }
        else
        {
            _hotspotStats.Accessed(_levels[node]);
            bool wasHit = _regionWasHit.Has(node - _places);
            _regionWasHit.Set(node - _places);
            _hotspot.Rise(ref _lists, _levels, node, wasHit ? 0 : _levelJump);
        }
        return _levels[node];
    }

    private uint NewRegion(uint id)
    {
        if (_regionTable.IsFull)
        {
            uint oldest = _hotspot.Queue.Oldest(_lists);
            _hotspot.Queue.Unlink(ref _lists, _levels[oldest], oldest);
            _regionTable.Remove(oldest);
            _regionWasHit.Clear(oldest - _places);
        }
        uint node = _regionTable.Add(id);
        _levels[node] = 0;
        _hotspot.Queue.Append(ref _lists, 0, node);
        return node;
    }

    private void Enter(uint place, byte level)
    {
        CheckHoldsNone(place);
        _levels[place] = level;
        if (level == 0) _clean.Queue.Prepend(ref _lists, level, place);
        else _clean.Queue.Append(ref _lists, level, place);
        Residency++;
    }

    private void Advance()
    {
        // The bits of all regions are cleared: the more there are, the more seldom.
        if (++_requests >= Math.Max(RegionTickRequests, _regions / RegionsMin * 8)) EndRegionTick();
    }

    // The kernel takes the larger of two levels here, one of which is the highest: so misses decide alone.
    private void EndRegionTick()
    {
        _requests = 0;
        _regionWasHit.ClearAll();
        uint few = _hotspotStats.Confidence switch
        {
            Confidence.Poor => 4,
            Confidence.Fair => 2,
            _ => 1,
        };
        _promoteLevel = Levels - (Levels / few);
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    private ref LevelQueue QueueOf(uint place) => ref _isDirty.Has(place) ? ref _dirty.Queue : ref _clean.Queue;

    private readonly void CheckLevel(uint place, uint level, bool isDirty)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_levels[place] == level);
        Invariant.Check(_isDirty.Has(place) == isDirty);
    }

    private readonly void CheckHolds(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(_lists.IsLinked(place));
    }

    private readonly void CheckHoldsNone(uint place)
    {
        Invariant.Check(place < _places);
        Invariant.Check(!_lists.IsLinked(place));
    }
}
