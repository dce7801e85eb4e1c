using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// One thread's way to a volume: requests come in, are answered from RAM, cache or backing
/// device, or wait for room (parked) or for durability (waiting), and go out through the completed list.
/// </summary>
internal sealed unsafe partial class WriteboostQueue : IVolumeQueue, IIoHandler, IDisposable
{
    /// <summary>A request that waits for room when the stop comes is refused when it has waited so long.</summary>
    private const long StopPatienceUs = 2_000_000, RefusalTurnUs = 100_000;

    private readonly WriteboostOptions _options;
    private readonly Layout _layout;
    private readonly Geometry _geometry;
    private readonly VolumeHealth _health;
    private readonly QueueSet _queues;
    private readonly ActivityMark _activity;
    private readonly BackingTable _devices;
    private readonly SegmentLog _log;
    private readonly LogMemory _memory;
    private readonly ReaderEpoch _readers;
    private readonly WriteThrottle _throttle;
    private readonly RoomRefusal _noRoom;
    private readonly BlockIndex _blocks;
    private readonly RangeMap _ranges;
    private readonly RangePressure _pressure;
    private readonly VersionMap _versions;
    private readonly StripedVersions _changes;
    private readonly RotReports _rot;
    private readonly WritesAround _around;
    private readonly RefusingDevices _refusals;
    private readonly CleanValidity _clean;
    private readonly Fingerprints _samples;
    private readonly int _index;
    private readonly IoContext _io;
    private readonly LogPort _port;
    private readonly LogAppender _appender;
    private readonly DeviceQueue _cache;
    private readonly BackingQueues _backings;
    private readonly FallbackQueue _fallback;
    private readonly ushort _handler;
    private readonly QueueCounters _counters;
    private readonly int[] _requests = new int[BackingTable.MaxId + 1];
    private int _seenGeneration;
    private RequestList _completed;
    private RequestList _parked;
    private RequestList _parkedRanges;
    private RequestList _parkedReads;
    private RequestList _parkedAside;
    private bool _lacksBudget;
    private bool _meetsAround;
    private long _refuseFromUs = long.MaxValue;
    private bool _isHurried;
    private RequestList _waiting;
    private readonly QueueWork? _work;
    private readonly QueueWaker _waker;
    private bool _stopping;

    /// <summary>Opened by the volume, on the queue's thread.</summary>
    public WriteboostQueue(QueueParts parts, int index, IoContext io)
    {
        (_index, _io, _options, _health, _queues) = (index, io, parts.Options, parts.Health, parts.Queues);
        (_layout, _geometry) = (_options.Layout, parts.Log.Geometry);
        (_devices, _activity) = (parts.Backings, parts.Activity);
        (_log, _memory, _readers, _throttle, _noRoom) =
            (parts.Log, parts.Memory, parts.Readers, parts.Throttle, parts.NoRoom);
        (_blocks, _ranges, _pressure) = (parts.Index, parts.Ranges, parts.RangePressure);
        (_versions, _changes, _rot) = (parts.Versions, parts.Changes, parts.Rot);
        (_around, _refusals, _clean, _samples) = (parts.Around, parts.Refusals, parts.Clean, parts.Samples);
        _waker = _queues.Open(index, io);
        _cache = parts.Cache.OpenQueue(io);
        _backings = new BackingQueues(_devices, io);
        _seenGeneration = _backings.Generation;
        _fallback = new FallbackQueue(
            parts.Alone.Fallback, index, io, parts.Alone.Flushes, parts.Alone.DescribeLoss);
        _handler = io.AddHandler(this);
        Invariant.Check(sizeof(WriteboostRequest) <= Request.EngineBytes);
        _port = new LogPort(_log, parts.Cache, _cache, io) { Options = _options };
        _appender = new LogAppender(_log, _port);
        _counters = parts.Counters.Of(index);
        _flusher = new BackingFlusher(
            _around, parts.AroundLosses, parts.FlushLock, _devices, _backings, _health, io);
        if (index == 0) _work = parts.Work(new QueuePorts(_port, _cache, _backings, _flusher, _fallback));
    }

    /// <inheritdoc/>
    public long DeadlineUs => _flushIsForeseen || _waker.IsWoken
        ? 0
        : Math.Min(
            Math.Min(_work?.Background.DeadlineUs ?? long.MaxValue, _port.DeadlineUs),
            Math.Min(_fallback.DeadlineUs, RefusalUs));

    private long RefusalUs => _refuseFromUs == long.MaxValue || !IsParkedAny
        ? long.MaxValue
        : Math.Max(_refuseFromUs, _io.NowUs + RefusalTurnUs);

    /// <inheritdoc/>
    public void Submit(Request* request)
    {
        request->Result = 0;
        request->Next = null;
        *Own(request) = new WriteboostRequest { SubmittedUs = _io.NowUs };
        _counters.CountRequest(request->Kind, request->Flags, request->LengthBytes);
        _activity.Note(_io.NowUs);
        // The state is looked at once per request: whoever submits after it has changed no longer meets the log.
        VolumeState state = _health.State;
        if (Dispatch.Of(state, request->Kind, WritePath.Logged) == RequestAction.PassOn)
        {
            _fallback.Submit(request);
            return;
        }
        int id = IdOf(request);
        _requests[id]++;
        if (!_devices.IsServed(id) || !_backings.IsOpen(id))
        {
            Complete(request, -Errno.ESHUTDOWN);
            return;
        }
        if (IsToGoAround(request)) Own(request)->Path = WritePath.Around;
        Begin(request, Dispatch.Of(state, request->Kind, Own(request)->Path));
    }

    private void Begin(Request* request, RequestAction action)
    {
        switch (action)
        {
            case RequestAction.Read: SubmitRead(request); break;
            case RequestAction.Flush: SubmitFlush(request); break;
            case RequestAction.Log: SubmitToLog(request); break;
            case RequestAction.GoAround: SubmitAround(request); break;
            default:
                Invariant.Check(action == RequestAction.Fail);
                Complete(request, -Errno.EIO);
                break;
        }
    }

    /// <inheritdoc/>
    public void CountAsked(RequestKind kind, RequestFlags flags, long lengthBytes) =>
        _counters.CountRequest(kind, flags, lengthBytes);

    /// <inheritdoc/>
    public Request* TakeCompleted()
    {
        Request* request = _completed.Take();
        return request != null ? request : _fallback.TakeCompleted();
    }

    /// <inheritdoc/>
    public void Poll(long nowUs)
    {
        _waker.Take();
        // A flush of this thread may still be under way on a device that goes.
        bool change = _flusher.IsQuiet && _backings.Update();
        _port.Poll();
        StartForeseenFlush();
        RetryParked();
        RetryRanges();
        RetryAside();
        RetryReads();
        CheckWaiting();
        _work?.Background.Poll(nowUs);
        _fallback.Poll(nowUs);
        if (change) NoteDevices();
        if (_stopping && !_waker.HasLeft) ContinueStop();
    }

    /// <inheritdoc/>
    public void Hurry(bool mayRefuse)
    {
        _isHurried = true;
        if (mayRefuse) _refuseFromUs = _io.NowUs + StopPatienceUs;
    }

    /// <inheritdoc/>
    public void BeginStop()
    {
        Invariant.Check(_parked.IsEmpty);
        Invariant.Check(_parkedReads.IsEmpty);
        Invariant.Check(_parkedRanges.IsEmpty);
        Invariant.Check(_parkedAside.IsEmpty);
        Invariant.Check(_waiting.IsEmpty);
        _stopping = true;
        _fallback.BeginStop();
        if (_work == null) return;
        _queues.NoteStopped();
        _work.Background.BeginStop();
    }

    /// <inheritdoc/>
    public StopStatus StopStatus
    {
        get
        {
            if (!_stopping) return StopStatus.Running;
            StopStatus own = _waker.HasLeft ? StopStatus.Stopped : StopStatus.Running;
            return StopStatus.Both(_work?.Background.StopStatus ?? own, _fallback.StopStatus);
        }
    }

    /// <summary>The volume's, which is the first queue's.</summary>
    public IVolumeBackground? Background => _work?.Background;

    /// <summary>Generation of the device table that this queue goes by; any thread.</summary>
    internal int SeenGeneration => _waker.HasLeft ? int.MaxValue : Volatile.Read(ref _seenGeneration);

    /// <summary>Requests for device <paramref name="id"/> that are not answered; any thread.</summary>
    internal int RequestsOf(int id) => Volatile.Read(ref _requests[id]);

    // What came before the change is counted in the requests; what comes now goes by it.
    private void NoteDevices()
    {
        Volatile.Write(ref _seenGeneration, _backings.Generation);
        _queues.WakeFirst();
    }

    /// <summary>Gives native memory back; nothing is under way.</summary>
    public void Dispose()
    {
        _overlays.Dispose();
        _work?.Dispose();
        _fallback.Dispose();
    }

    // A queue's log writes and flushes come back on its own thread: it stays until they have.
    private void ContinueStop()
    {
        bool done = _work != null ? _work.Background.StopStatus.IsOver : _port.IsQuiet && _flusher.IsQuiet;
        if (!done) return;
        Invariant.Check(!IsParkedAny);
        Invariant.Check(_waiting.IsEmpty);
        _waker.Leave();
        if (_work == null) _queues.NoteStopped();
    }

    private static WriteboostRequest* Own(Request* request) => WriteboostRequest.Of(request);

    private void Complete(Request* request, int result)
    {
        // Nobody is told before nothing of it is under way, or laid over its bytes.
        Invariant.Check(Own(request)->Pending == 0);
        Invariant.Check(Own(request)->Overlays == 0);
        Invariant.Check(_requests[IdOf(request)] > 0);
        if (result < 0) request->Result = result;
        bool wasRefused = Own(request)->Path == WritePath.Refused;
        if (wasRefused) _refusals.Ended(IdOf(request), Own(request)->WaitPosition);
        long targetUs = _options.LatencyTargetUs;
        if (targetUs != 0) _counters.Latency.Count(_io.NowUs - Own(request)->SubmittedUs, targetUs);
        Volatile.Write(ref _requests[IdOf(request)], _requests[IdOf(request)] - 1);
        _completed.Add(request);
    }

    // Requests that need log space keep their order among themselves: none overtakes a parked one. Those that wait for
    // the budget of ranges are overtaken: requests under way at the same time have no order.
    private void SubmitToLog(Request* request)
    {
        if (!_parked.IsEmpty) _parked.Add(request);
        else if (TryFill(request)) FinishAtOnce(request);
        else Park(request);
        _queues.NoteChange(_index);
    }

    private void SubmitAround(Request* request)
    {
        if (AwaitsSamples(request)) _parkedAside.Add(request);
        else if (!_parked.IsEmpty) _parked.Add(request);
        else if (!TryGoAround(request))
        {
            SubmitToLog(request);
            return;
        }
        _queues.NoteChange(_index);
    }

    // Whoever waits for something else than room in the log waits aside.
    private void Park(Request* request)
    {
        if (_lacksBudget) _parkedRanges.Add(request);
        else if (_meetsAround) _parkedAside.Add(request);
        else _parked.Add(request);
    }

    private void FinishAtOnce(Request* request)
    {
        FinishChange(request);
        NoteForesight();
    }

    // A writer that has to wait for its turn: write-back, on the first queue's thread, shall hear of it.
    private bool TryAdmit(Request* request, int slots)
    {
        bool isNew = Own(request)->Ticket == 0;
        if (_throttle.TryAdmit(ref Own(request)->Ticket, slots)) return true;
        if (isNew && _index != 0) _queues.WakeFirst();
        return false;
    }

    private bool IsParkedAny => !_parked.IsEmpty || !_parkedRanges.IsEmpty || !_parkedAside.IsEmpty;

    private void RetryParked()
    {
        while (!_parked.IsEmpty)
        {
            if (IsRefused(_parked.First, out int error)) Refuse(_parked.Take(), error);
            else if (AwaitsSamples(_parked.First)) _parkedAside.Add(_parked.Take());
            else if (TryGoAround(_parked.First)) _parked.Take();
            else if (TryFill(_parked.First)) FinishChange(_parked.Take());
            else if (_lacksBudget || _meetsAround) Park(_parked.Take());
            else if (_noRoom.Errno != 0) Refuse(_parked.Take(), -_noRoom.Errno);
            else return;
        }
    }

    // The first has its turn with the budget that comes back; it may have to wait for room in the log like all others.
    private void RetryRanges()
    {
        while (!_parkedRanges.IsEmpty)
        {
            if (IsRefused(_parkedRanges.First, out int error)) Refuse(_parkedRanges.Take(), error);
            else if (TryFill(_parkedRanges.First)) FinishChange(_parkedRanges.Take());
            else if (_noRoom.Errno != 0) Refuse(_parkedRanges.Take(), -_noRoom.Errno);
            else return;
        }
    }

    // Writes round the log end in any order.
    private void RetryAside()
    {
        RequestList aside = _parkedAside;
        _parkedAside = default;
        while (!aside.IsEmpty)
        {
            Request* request = aside.Take();
            if (IsRefused(request, out int error)) Refuse(request, error);
            else if (AwaitsSamples(request)) _parkedAside.Add(request);
            else if (TryGoAround(request)) continue;
            else if (TryFill(request)) FinishChange(request);
            else Park(request);
        }
    }

    private bool IsRefused(Request* request, out int error)
    {
        bool fails = Dispatch.Of(_health.State, request->Kind, Own(request)->Path)
            is RequestAction.Fail or RequestAction.PassOn;
        error = fails ? -Errno.EIO : -Errno.ESHUTDOWN;
        return error == -Errno.EIO
            || (_io.NowUs >= _refuseFromUs && _io.NowUs - Own(request)->SubmittedUs >= StopPatienceUs);
    }

    // What it took of the budget, and did not use, is given back.
    private void Refuse(Request* request, int error)
    {
        Invariant.Check(error < 0);
        bool isRange = request->Kind != RequestKind.Write && _layout.HasRanges;
        if (isRange && Own(request)->HasBudget) _ranges.ReturnBudget(1);
        // The log does not take it either: the device's own word.
        if (Own(request)->Path == WritePath.Refused) error = Own(request)->RefusedWith;
        Complete(request, error);
    }

    private bool TryFill(Request* request)
    {
        _lacksBudget = _meetsAround = false;
        return request->Kind == RequestKind.Write ? TryFillWrite(request) : TryFillZero(request);
    }
}
