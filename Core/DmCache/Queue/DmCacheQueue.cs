using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Queue;

/// <summary>
/// One thread's way to a volume. A request takes the lock of its blocks, waits for marks where it writes blocks that
/// are not marked, and moves its bytes in as few operations as the places allow.
/// </summary>
internal sealed unsafe partial class DmCacheQueue : IVolumeQueue, IIoHandler, IDisposable
{
    private readonly QueueParts _all;
    private readonly MigrationParts _parts;
    private readonly CacheMap _map;
    private readonly DataDevices _devices;
    private readonly DmCacheOptions _options;
    private readonly int _index;
    private readonly IoContext _io;
    private readonly DeviceQueue _cache;
    private readonly DeviceQueue _backing;
    private readonly GrantQueue _grants;
    private readonly ushort _handler;
    private readonly QueueCounters _counters;
    private readonly QueueWaker _waker;
    private readonly IQueueWork? _work;
    private RequestList _completed;
    // Not begun: a mode changes, requests are held, or those before them wait.
    private RequestList _parked;
    // Begun: no operation, lock entry or buffer was free.
    private RequestList _starved;
    // Begun: a commit is awaited.
    private RequestList _committing;
    private int _underWay;
    private int _modeVersion;
    private bool _stopping;

    /// <summary>Opened by the volume, on the queue's thread.</summary>
    public DmCacheQueue(QueueParts parts, int index, IoContext io)
    {
        (_all, _parts, _index, _io) = (parts, parts.Shared, index, io);
        (_map, _devices, _options) = (_parts.Residency.Map, _parts.Devices, _parts.Options);
        _waker = _parts.Queues.Open(index, io);
        _cache = _devices.Cache.OpenQueue(index, io);
        _backing = _devices.Backing.OpenQueue(index, io);
        _grants = new GrantQueue(index, io);
        _handler = io.AddHandler(this);
        _counters = parts.Counters.Of(index);
        _modeVersion = _parts.Mode.Version;
        Invariant.Check(sizeof(DmCacheRequest) <= Request.EngineBytes);
        if (index == 0) _work = parts.Work(new DataQueues(io, _cache, _backing), _grants);
    }

    /// <inheritdoc/>
    public long DeadlineUs => _waker.IsWoken || !_log.IsEmpty || AwaitsNothing ? 0
        : _work?.Background.DeadlineUs ?? long.MaxValue;

    /// <inheritdoc/>
    public IVolumeBackground? Background => _work?.Background;

    /// <summary>The mode version that everything under way here is of; any thread.</summary>
    internal int SeenModeVersion => _waker.HasLeft ? int.MaxValue : System.Threading.Volatile.Read(ref _modeVersion);

    /// <inheritdoc/>
    public StopStatus StopStatus
    {
        get
        {
            if (!_stopping) return StopStatus.Running;
            StopStatus own = _waker.HasLeft ? StopStatus.Stopped : StopStatus.Running;
            return _work?.Background.StopStatus ?? own;
        }
    }

    private static DmCacheRequest* Own(Request* request) => DmCacheRequest.Of(request);

    /// <inheritdoc/>
    public void CountAsked(RequestKind kind, RequestFlags flags, long lengthBytes) =>
        _counters.CountRequest(kind, flags, lengthBytes);

    /// <inheritdoc/>
    public Request* TakeCompleted() => _completed.Take();

    /// <inheritdoc/>
    public void Submit(Request* request)
    {
        Invariant.Check(!_stopping);
        request->Result = 0;
        request->Next = null;
        *Own(request) = new DmCacheRequest { StartUs = (uint)_io.NowUs };
        _counters.CountRequest(request->Kind, request->Flags, request->LengthBytes);
        _parts.Activity.Note(_io.NowUs);
        Request.FetchAll(request);
        if (_options.ReadOnly && request->Kind != RequestKind.Read)
            Finish(request, request->Kind == RequestKind.Flush ? 0 : -Errno.EPERM);
        else if (_parked.IsEmpty && IsModeSeen) Begin(request);
        else _parked.Add(request);
        _parts.Queues.NoteChange(_index);
    }

    /// <inheritdoc/>
    public void Poll(long nowUs)
    {
        _waker.Take();
        _cache.Poll();
        _backing.Poll();
        for (BlockLock* it; (it = _grants.Take()) != null;) Granted(it);
        RetryCommitting();
        RetryStarved();
        // May end the last request that keeps another mode waiting: nobody would wake this queue for it.
        BeginFlush();
        SeeMode();
        while (!_parked.IsEmpty && IsModeSeen) Begin(_parked.Take());
        if (_all.Suspension.MustRefuse)
            while (!_parked.IsEmpty) Finish(_parked.Take(), -Errno.EIO);
        TellPolicy();
        _work?.Background.Poll(nowUs);
        if (_stopping && !_waker.HasLeft) ContinueStop();
    }

    /// <summary>What waits for a resume goes on, see <see cref="Suspension"/>.</summary>
    public void Hurry(bool mayRefuse) => _all.Suspension.Hurry();

    /// <inheritdoc/>
    public void BeginStop()
    {
        _stopping = true;
        if (_work == null) return;
        _parts.Queues.NoteStopped();
        _work.Background.BeginStop();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _work?.Dispose();
        (_cache as IDisposable)?.Dispose();
        (_backing as IDisposable)?.Dispose();
        NativeMemory.Free(_orders);
    }

    private bool IsModeSeen => _modeVersion == _parts.Mode.Version && !_parts.Mode.IsHeld;

    // What is under way is of the old mode.
    private void SeeMode()
    {
        if (_modeVersion == _parts.Mode.Version || _underWay > 0) return;
        System.Threading.Volatile.Write(ref _modeVersion, _parts.Mode.Version);
        _parts.Queues.WakeFirst();
    }

    private void ContinueStop()
    {
        Invariant.Check(_underWay == 0);
        Invariant.Check(_parked.IsEmpty);
        bool isDone = _work == null || _work.Background.StopStatus.IsOver;
        if (!isDone) return;
        _waker.Leave();
        if (_work == null) _parts.Queues.NoteStopped();
    }

    private void Begin(Request* request)
    {
        _underWay++;
        Own(request)->Mode = _parts.Mode.Current;
        if (request->Kind == RequestKind.Flush) AddFlush(request);
        else TakeLock(request, ModeOf(request));
    }

    // Of what is zeroed, whole blocks are taken out.
    private static BlockLockMode ModeOf(Request* request) => request->Kind switch
    {
        RequestKind.Read => BlockLockMode.Read,
        RequestKind.Write => BlockLockMode.Write,
        _ => BlockLockMode.Exclusive,
    };

    private void TakeLock(Request* request, BlockLockMode mode)
    {
        DmCacheRequest* own = Own(request);
        own->Step = RequestStep.Locking;
        long first = _map.Geometry.HomeAt(request->OffsetBytes);
        long last = _map.Geometry.HomeAt(request->OffsetBytes + request->LengthBytes - 1);
        own->Lock = new BlockLock
        {
            FirstBlock = first, BlockCount = last - first + 1, Owner = request, Mode = mode,
        };
        _map.Prefetch(first);
        if (_map.Locks.Take(&own->Lock, _grants)) Locked(request);
        else _counters.Add(QueueCounters.LockWaits, 1);
    }

    private void Granted(BlockLock* it)
    {
        if (_work?.TryTakeGrant(it) == true) return;
        var request = (Request*)it->Owner;
        if (Own(request)->Step == RequestStep.EnteringAlone) Fill(request);
        else if (Own(request)->Step == RequestStep.Ordering) Ordered(request);
        else Locked(request);
    }

    private void Locked(Request* request)
    {
        Own(request)->Facts |= RequestFacts.IsLocked;
        if (request->Kind == RequestKind.Read) BeginRead(request);
        else if (request->Kind == RequestKind.Write) BeginWrite(request);
        else BeginZero(request);
    }

    private void Unlock(Request* request)
    {
        DmCacheRequest* own = Own(request);
        ReturnOrder(own);
        if ((own->Facts & RequestFacts.IsLocked) == 0) return;
        own->Facts &= ~RequestFacts.IsLocked;
        _map.Locks.Release(&own->Lock);
    }

    // Waits for a commit; looked at once per turn.
    private void Await(Request* request, RequestStep step, long ticket)
    {
        Own(request)->Step = step;
        Own(request)->Ticket = ticket;
        _committing.Add(request);
        if (_index != 0) _parts.Queues.WakeFirst();
    }

    // The wake of a commit that fails comes once; one that begins to wait later in a turn ends in the next.
    private bool AwaitsNothing => !_committing.IsEmpty && _parts.Residency.Changes.Failure != null;

    private void RetryCommitting()
    {
        RequestList waiting = _committing;
        _committing = default;
        while (!waiting.IsEmpty)
        {
            Request* request = waiting.Take();
            if (_parts.Residency.Changes.IsDone(Own(request)->Ticket)) Committed(request);
            else if (_parts.Residency.Changes.Failure != null) End(request, -Errno.EIO);
            else _committing.Add(request);
        }
    }

    private void Committed(Request* request)
    {
        switch (Own(request)->Step)
        {
            case RequestStep.Marking: BeginWrite(request); break;
            case RequestStep.AwaitingEntry: EndChange(request); break;
            case RequestStep.AwaitingLoss: EndChange(request); break;
            case RequestStep.AwaitingRemoval when request->Kind == RequestKind.Write: MoveAll(request); break;
            default:
                Invariant.Check(Own(request)->Step == RequestStep.AwaitingRemoval);
                // A mark that was wanted may have gone from the list again: whoever waits looks once more (B1).
                if (Mutant.Is(DmCacheMutant.B1ZeroedUnmarked)) Zero(request);
                else BeginZero(request);
                break;
        }
    }

    private void RetryStarved()
    {
        RequestList starved = _starved;
        _starved = default;
        while (!starved.IsEmpty)
        {
            Request* request = starved.Take();
            switch (Own(request)->Step)
            {
                case RequestStep.Ordering: TakeOrder(request); break;
                case RequestStep.Filling: SubmitFill(request); break;
                case RequestStep.Zeroing: Zero(request); break;
                default: Move(request); break;
            }
        }
    }

    // Everything is done but for FUA.
    private void EndChange(Request* request)
    {
        bool mustFlush = (request->Flags & RequestFlags.Fua) != 0 && !Mutant.Is(DmCacheMutant.B6FuaIgnored);
        Unlock(request);
        if (mustFlush && request->Result >= 0) AddFlush(request);
        else End(request, request->Result);
    }

    private void End(Request* request, int result)
    {
        Invariant.Check(Own(request)->Left == 0);
        if ((Own(request)->Facts & RequestFacts.IsLoss) != 0) _map.Table.EndLoss();
        Unlock(request);
        _underWay--;
        Finish(request, result);
    }

    private void Finish(Request* request, int result)
    {
        request->Result = Math.Min(result, 0);
        if (result < 0) _counters.Add(QueueCounters.Errors, 1);
        long targetUs = _options.LatencyTargetUs;
        if (targetUs != 0) _counters.Latency.Count((uint)_io.NowUs - Own(request)->StartUs, targetUs);
        _completed.Add(request);
    }
}
