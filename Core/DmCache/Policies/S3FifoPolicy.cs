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

/// <summary>
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: SOSP 2023). Most blocks are used once, and leave from a small queue soon;
/// what was used twice in it goes to the main one, and what comes again after it has left, too. Over a restart queues,
/// order and uses are kept, and what is remembered is not. 15 bytes for each place: links, number of the home, uses,
/// and two for what has left.
/// </summary>
internal struct S3FifoPolicy : IPolicy<S3FifoPolicy>
{
    private const int Small = 0, Main = 1, Queues = 2;
    private const byte UsesMask = 3, UsesForMain = 2, InMain = 4;

    /// <summary>The small queue's part of all places: a tenth, as in the paper.</summary>
    private const uint SmallDivisor = 10;

    /// <summary>Blocks that one search moves at most: a few dozen microseconds.</summary>
    private const int StepsMax = 1024;

    /// <summary>Blocks that may not go, in one search.</summary>
    private const int RefusalsMax = 64;

    private readonly uint _places, _mainTarget;
    private PlaceLists _lists;
    private Cells<uint> _ids;
    private Cells<byte> _states;
    private GhostBuckets _ghosts;
    private OrderHints _hints;
    private Admission _admission;
    private long _remembered;

    private S3FifoPolicy(uint places)
    {
        _places = places;
        _mainTarget = places - Math.Max(1, places / SmallDivisor);
        _lists = new PlaceLists(places, Queues + OrderHints.ListsFor(places, Queues));
        _ids = new Cells<uint>(places);
        _states = new Cells<byte>(places);
        _ghosts = new GhostBuckets(Math.Max(1, _mainTarget));
        _hints = new OrderHints(places, Queues, Queues);
        Residency = 0;
    }

    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("s3fifo", sizeof(uint), (1, 0, 0),
        "S3-FIFO: a small queue for what is used once, a main one for the rest");

    /// <inheritdoc/>
    public readonly long MemoryBytes =>
        _lists.MemoryBytes + _ids.SizeBytes + _states.SizeBytes + _ghosts.MemoryBytes + _hints.MemoryBytes;

    /// <inheritdoc/>
    public int Residency { get; private set; }

    /// <inheritdoc/>
    public static S3FifoPolicy Create(in PolicyShape shape) => new(shape.Places);

    /// <inheritdoc/>
    public void Load(uint place, long home, uint hint)
    {
        Invariant.Check(place < _places);
        int queue = _hints.QueueOf(hint, Main);
        _hints.Load(ref _lists, place, queue, hint);
        Enter(place, home, queue, (byte)(OrderHints.ExtraOf(hint) & UsesMask));
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
        Residency--;
    }

    /// <inheritdoc/>
    public void Insert(uint place, long home, in Access access)
    {
        Settle();
        Invariant.Check(place < _places);
        bool isRemembered = _ghosts.Remove(HomeId.Of(home));
        if (isRemembered) _remembered++;
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
        return _hints.HintOf(ref _lists, place, QueueOf(place), (byte)(_states[place] & UsesMask));
    }

    /// <inheritdoc/>
    public readonly void Report(Action<string, long> count)
    {
        _admission.Report(count);
        count("came_again", _remembered);
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
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lists.Dispose();
        _ids.Dispose();
        _states.Dispose();
        _ghosts.Dispose();
        _hints.Dispose();
    }

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
        return _lists.Count(Main) > _mainTarget != isRefused;
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
        if ((_states[place] & UsesMask) < UsesForMain || Mutant.Is(PolicyMutant.S3NoPromotion)) return false;
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
