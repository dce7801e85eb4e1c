using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   new ---> [ window, lru ] ---asked for more often than that one---> [ probation, lru ] --used--> [ protected, lru ]
 *                  |                                                      |          ^                    |
 *                else                                                   oldest       +-- too many: oldest +
 *                  v                                                      v
 *                gone                                                   gone
 */

/// <summary>
/// W-TinyLFU (Einziger, Friedman, Manes: ACM ToS 2017), with a window that grows and shrinks by what that does to hits
/// (Einziger, Eytan, Friedman, Manes: Middleware 2018). Over a restart queues, order and frequencies of what is cached
/// are kept, and those of other blocks are not. 17 bytes for each place.
/// </summary>
internal struct WTinyLfuPolicy : IPolicy<WTinyLfuPolicy>
{
    private const int Window = 0, Probation = 1, Protected = 2, Queues = 3;

    /// <summary>At first: a hundredth of all places; of the others, four fifths are protected.</summary>
    private const uint WindowDivisor = 100, ProtectedPercent = 80;

    /// <summary>The window's first step, a sixteenth of all places; each next one is a little shorter.</summary>
    private const double FirstStep = 0.0625, StepDecay = 0.98, StepLeast = 0.0005;

    /// <summary>Requests between two steps, for each place; what change of the hit ratio is another load.</summary>
    private const int SamplesOfPlace = 10;
    private const double NewLoad = 0.05, WindowMost = 0.8;

    private readonly uint _places;
    private PlaceLists _lists;
    private Cells<uint> _ids;
    private Cells<byte> _queues;
    private FrequencySketch _sketch;
    private OrderHints _hints;
    private Admission _admission;
    private uint _windowTarget;
    private long _hits, _requests;
    private double _step, _hitRatio;

    private WTinyLfuPolicy(uint places)
    {
        _places = places;
        _lists = new PlaceLists(places, Queues + OrderHints.ListsFor(places, Queues));
        _ids = new Cells<uint>(places);
        _queues = new Cells<byte>(places);
        _sketch = new FrequencySketch(places);
        _hints = new OrderHints(places, Queues, Queues);
        _windowTarget = Math.Max(1, places / WindowDivisor);
        _step = FirstStep;
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("wtinylfu", sizeof(uint), (1, 0, 0),
        "W-TinyLFU: a window for new blocks; what is asked for more often stays");

    /// <inheritdoc/>
    public readonly long MemoryBytes =>
        _lists.MemoryBytes + _ids.SizeBytes + _queues.SizeBytes + _sketch.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static WTinyLfuPolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Probation);
        _hints.Load(ref _lists, place, queue, hint);
        Enter(place, home, queue);
        _sketch.AtLeast(_ids[place], OrderHints.ExtraOf(hint));
    }

    /// <inheritdoc/>
    public void Hit(uint place, in Access access)
    {
        Settle();
        CheckHolds(place);
        _hits++;
        Note(_ids[place]);
        if (Mutant.Is(PolicyMutant.HitIgnored)) return;
        Move(place, _queues[place] == Window ? Window : Protected);
        if (_lists.Count(Protected) > ProtectedTarget) Move(_lists.Oldest(Protected), Probation);
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access)
    {
        if (!_admission.Admits(access)) return false;
        Note(HomeId.Of(home));
        return true;
    }

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        uint candidate = _lists.Count(Window) >= _windowTarget ? _lists.Oldest(Window) : PlaceLists.None;
        uint victim = _lists.Oldest(_lists.Count(Probation) > 0 ? Probation : Protected);
        if (candidate != PlaceLists.None && (victim == PlaceLists.None || !IsWanted(candidate, victim)))
            victim = candidate;
        if (victim == PlaceLists.None) victim = _lists.Oldest(Window);
        if (victim == PlaceLists.None) return PolicyInfo.NoPlace;
        if (!gate.MayGo(victim) && !Mutant.Is(PolicyMutant.GateNotAsked)) return FindAnother(ref gate);
        if (candidate != PlaceLists.None && victim != candidate) Move(candidate, Probation);
        return victim;
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        _lists.Unlink(_queues[place], place);
        Residency--;
    }

    /// <summary>To the window; what is too many there, while there are places, leaves it unasked.</summary>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        _lists.Append(Window, place);
        Enter(place, home, Window);
        if (_lists.Count(Window) > _windowTarget) Move(_lists.Oldest(Window), Probation);
    }

    /// <inheritdoc/>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        _lists.Prepend(Probation, place);
        Enter(place, home, Probation);
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
        return _hints.HintOf(ref _lists, place, _queues[place], (byte)_sketch.Estimate(_ids[place]));
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("window_places", _windowTarget);
    }

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
        uint count = 0;
        for (int queue = 0; queue < Queues; queue++)
        {
            _lists.CheckInvariants(queue);
            count += _lists.Count(queue);
            for (uint place = _lists.Oldest(queue); place != PlaceLists.None; place = _lists.Newer(place))
                Invariant.Check(_queues[place] == queue);
        }
        Invariant.Check(count == Residency);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _ids.Dispose();
        _queues.Dispose();
        _sketch.Dispose();
        _hints.Dispose();
    }

    private readonly long ProtectedTarget => (long)(_places - _windowTarget) * ProtectedPercent / 100;

    private void Enter(uint place, long home, int queue)
    {
        _ids[place] = HomeId.Of(home);
        _queues[place] = (byte)queue;
        Residency++;
    }

    private void Move(uint place, int queue)
    {
        _lists.Move(place, _queues[place], queue);
        _queues[place] = (byte)queue;
    }

    // It leaves the window for a place that has been asked for less often.
    private readonly bool IsWanted(uint candidate, uint victim) =>
        Mutant.Is(PolicyMutant.TinyLfuAdmitsAll) || _sketch.Estimate(_ids[candidate]) > _sketch.Estimate(_ids[victim]);

    private readonly uint FindAnother<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        uint victim = _lists.FindVictim(Probation, ref gate);
        if (victim == PlaceLists.None) victim = _lists.FindVictim(Window, ref gate);
        return victim != PlaceLists.None ? victim : _lists.FindVictim(Protected, ref gate);
    }

    private void Note(uint id)
    {
        _sketch.Add(id);
        if (++_requests >= (long)_places * SamplesOfPlace) Climb();
    }

    // On while hits become more, back when they become fewer, in ever shorter steps; from the first one on when the
    // load is another one.
    private void Climb()
    {
        double ratio = (double)_hits / _requests, change = ratio - _hitRatio;
        double step = change >= 0 ? _step : -_step;
        double target = Math.Clamp(_windowTarget + (step * _places), 1, Math.Max(1, _places * WindowMost));
        _step = Math.Abs(change) >= NewLoad ? Math.CopySign(FirstStep, step) : step * StepDecay;
        if (Math.Abs(_step) < StepLeast) _step = Math.CopySign(StepLeast, _step);
        _windowTarget = (uint)target;
        _hitRatio = ratio;
        (_hits, _requests) = (0, 0);
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
