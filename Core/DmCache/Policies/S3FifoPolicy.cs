using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Core.DmCache.Policies;

/*
 *   new ---> [ small: a tenth ] --used twice or more--> [ main: nine tenths ] <--- new, but remembered
 *                   |                                      |         ^
 *                 else                                   unused     used: once less, and round again
 *                   v                                      v
 *            gone, remembered                             gone
 */

/// <summary>What makes <c>s3fifo</c> and <c>s3fifod</c> differ.</summary>
internal interface IS3FifoKind
{
    /// <summary>What the policy is.</summary>
    static abstract PolicyInfo Info { get; }

    /// <summary>Uses in the small queue with which a block goes to the main one.</summary>
    static abstract int UsesForMain { get; }

    /// <summary>The size of the small queue follows from what comes again.</summary>
    static abstract bool IsAdaptive { get; }
}

/// <summary>As in the paper.</summary>
internal readonly struct S3FifoKind : IS3FifoKind
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("s3fifo", sizeof(uint), (1, 0, 0),
        "S3-FIFO: a small queue for what is used once, a main one for the rest");

    /// <inheritdoc/>
    public static int UsesForMain => 2;

    /// <inheritdoc/>
    public static bool IsAdaptive => false;
}

/// <summary>
/// After the paper's S3-FIFO-D: where blocks come again just after they have left one queue, and less so of the other,
/// that one becomes larger. A use is enough for the main queue, for the small one may be large.
/// </summary>
internal readonly struct S3FifoDynamicKind : IS3FifoKind
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("s3fifod", sizeof(uint), (1, 0, 0),
        "S3-FIFO whose queues grow and shrink by what comes again");

    /// <inheritdoc/>
    public static int UsesForMain => 1;

    /// <inheritdoc/>
    public static bool IsAdaptive => true;
}

/// <summary>
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: SOSP 2023). Most blocks are used once, and leave from a small queue soon;
/// what was used in it goes to the main one, and what comes again after it has left, too. Over a restart queues, order,
/// uses and sizes are kept, and what is remembered is not. 15 bytes for each place: links, number of the home, uses,
/// and two for what has left.
/// </summary>
internal struct S3FifoPolicy<TKind> : IPolicy<S3FifoPolicy<TKind>>
    where TKind : struct, IS3FifoKind
{
    private const int Small = 0, Main = 1, Queues = 2;
    private const byte UsesMask = 3, InMain = 4;

    /// <summary>The small queue's part of all places: a tenth, as in the paper; at first, where it adapts.</summary>
    private const uint SmallDivisor = 10;

    /// <summary>
    /// It adapts by a fiftieth of all places, which is also the least that either queue has, when of so many blocks
    /// that came again at once twice as many had left one queue as the other.
    /// </summary>
    private const uint StepDivisor = 50, ComersOfStep = 64, Clearly = 2;

    /// <summary>Six bits of a hint are the size of the small queue.</summary>
    private const int SizeShift = 2;
    private const uint SizeMost = 63;

    /// <summary>Blocks that one search moves at most: a few dozen microseconds.</summary>
    private const int StepsMax = 1024;

    /// <summary>Blocks that may not go, in one search.</summary>
    private const int RefusalsMax = 64;

    private readonly uint _places;
    private PlaceLists _lists;
    private Cells<uint> _ids;
    private Cells<byte> _states;
    private GhostBuckets _ghosts, _mainGhosts;
    private OrderHints _hints;
    private Admission _admission;
    private long _remembered;
    private uint _smallTarget, _smallComers, _mainComers;

    private S3FifoPolicy(uint places)
    {
        _places = places;
        _smallTarget = Math.Max(1, places / SmallDivisor);
        _lists = new PlaceLists(places, Queues + OrderHints.ListsFor(places, Queues));
        _ids = new Cells<uint>(places);
        _states = new Cells<byte>(places);
        _ghosts = new GhostBuckets(Math.Max(1, MainTarget));
        // As many as the newest of the others, with which they are compared.
        _mainGhosts = new GhostBuckets(TKind.IsAdaptive ? Math.Max(1, MainTarget / GhostBuckets.Tags) : 1);
        _hints = new OrderHints(places, Queues, Queues);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info => TKind.Info;

    /// <inheritdoc/>
    public readonly long MemoryBytes => _lists.MemoryBytes + _ids.SizeBytes + _states.SizeBytes + _ghosts.MemoryBytes
        + _mainGhosts.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static S3FifoPolicy<TKind> Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Main);
        _hints.Load(ref _lists, place, queue, hint);
        byte extra = OrderHints.ExtraOf(hint);
        Enter(place, home, queue, (byte)(extra & UsesMask));
        uint size = (uint)extra >> SizeShift;
        if (TKind.IsAdaptive && size > 0) SetSmallTarget((long)(((ulong)size * _places) + SizeMost - 1) / SizeMost);
    }

    /// <inheritdoc/>
    public readonly void Hit(uint place, in Access access)
    {
        CheckHolds(place);
        ref byte state = ref _states[place];
        if ((state & UsesMask) < UsesMask && !Mutant.Is(PolicyMutant.HitIgnored)) state++;
    }

    /// <inheritdoc/>
    public bool Miss(long home, in Access access) => _admission.Admits(access);

    /// <inheritdoc/>
    public uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate
    {
        Settle();
        int refused = 0;
        for (int step = 0; step < StepsMax && refused < RefusalsMax && Residency > 0; step++)
        {
            bool fromMain = IsMainsTurn(refused >= RefusalsMax / 2);
            uint place = _lists.Oldest(fromMain ? Main : Small);
            if (fromMain ? GoesRound(place) : GoesToMain(place)) continue;
            if (gate.MayGo(place) || Mutant.Is(PolicyMutant.GateNotAsked)) return place;
            _lists.Refresh(fromMain ? Main : Small, place);
            refused++;
        }
        return PolicyInfo.NoPlace;
    }

    /// <inheritdoc/>
    public void Remove(uint place, bool isEvicted)
    {
        Settle();
        CheckHolds(place);
        int queue = QueueOf(place);
        _lists.Unlink(queue, place);
        if (isEvicted && queue == Small && !Mutant.Is(PolicyMutant.S3NoGhosts)) _ghosts.Add(_ids[place]);
        if (isEvicted && queue == Main && TKind.IsAdaptive) _mainGhosts.Add(_ids[place]);
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        bool isRemembered = _ghosts.Remove(HomeId.Of(home), out int age);
        if (isRemembered) _remembered++;
        if (TKind.IsAdaptive) Adapt(isRemembered && age == 0, _mainGhosts.Remove(HomeId.Of(home)));
        int queue = isRemembered ? Main : Small;
        _lists.Append(queue, place);
        Enter(place, home, queue, 0);
    }

    /// <summary>At the old end of the queue that it has left.</summary>
    public void ForceMapping(uint place, long home)
    {
        Settle();
        Invariant.Check(place < _places);
        int queue = _ghosts.Remove(HomeId.Of(home)) ? Small : Main;
        if (TKind.IsAdaptive) _mainGhosts.Remove(HomeId.Of(home));
        _lists.Prepend(queue, place);
        Enter(place, home, queue, 0);
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
        uint size = TKind.IsAdaptive ? (uint)((ulong)_smallTarget * SizeMost / _places) : 0;
        return _hints.HintOf(
            ref _lists, place, QueueOf(place), (byte)((size << SizeShift) | (uint)(_states[place] & UsesMask)));
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("came_again", _remembered);
        count("small_queue_places", _smallTarget);
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
        for (int queue = 0; queue < Queues; queue++)
        {
            _lists.CheckInvariants(queue);
            for (uint place = _lists.Oldest(queue); place != PlaceLists.None; place = _lists.Newer(place))
                Invariant.Check(QueueOf(place) == queue);
        }
        Invariant.Check(_lists.Count(Small) + _lists.Count(Main) == Residency);
        _ghosts.CheckInvariants();
        _mainGhosts.CheckInvariants();
        Invariant.Check(_smallTarget >= 1);
        Invariant.Check(_smallTarget <= _places);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _ids.Dispose();
        _states.Dispose();
        _ghosts.Dispose();
        _mainGhosts.Dispose();
        _hints.Dispose();
    }

    private readonly uint MainTarget => _places - _smallTarget;

    // What comes again just after it has left a queue would have been found, had that queue been a little larger.
    private void Adapt(bool hadLeftSmall, bool hadLeftMain)
    {
        if (hadLeftSmall) _smallComers++;
        if (hadLeftMain) _mainComers++;
        if (_smallComers + _mainComers < ComersOfStep || Mutant.Is(PolicyMutant.S3NotAdapting)) return;
        if (_smallComers > Clearly * _mainComers) SetSmallTarget(_smallTarget + (long)Step);
        if (_mainComers > Clearly * _smallComers) SetSmallTarget(_smallTarget - (long)Step);
        (_smallComers, _mainComers) = (0, 0);
    }

    private readonly uint Step => Math.Max(1, _places / StepDivisor);

    private void SetSmallTarget(long places) =>
        _smallTarget = (uint)Math.Clamp(places, Step, Math.Max(Step, _places - (long)Step));

    private void Enter(uint place, long home, int queue, byte uses)
    {
        _ids[place] = HomeId.Of(home);
        _states[place] = (byte)(uses | (queue == Main ? InMain : 0));
        Residency++;
    }

    // Where one queue lets nothing go, the other is asked.
    private readonly bool IsMainsTurn(bool isRefused)
    {
        if (_lists.Count(Small) == 0 || _lists.Count(Main) == 0) return _lists.Count(Small) == 0;
        return _lists.Count(Main) > MainTarget != isRefused;
    }

    // From the old end of the main queue: one that was used goes round again.
    private bool GoesRound(uint place)
    {
        if ((_states[place] & UsesMask) == 0) return false;
        _states[place]--;
        _lists.Refresh(Main, place);
        return true;
    }

    // From the old end of the small queue: its uses in the main one are counted from nothing.
    private bool GoesToMain(uint place)
    {
        if ((_states[place] & UsesMask) < TKind.UsesForMain || Mutant.Is(PolicyMutant.S3NoPromotion)) return false;
        _states[place] = InMain;
        _lists.Move(place, Small, Main);
        return true;
    }

    private readonly int QueueOf(uint place) => (_states[place] & InMain) != 0 ? Main : Small;

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
