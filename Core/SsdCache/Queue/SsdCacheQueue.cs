using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.SsdCache.Settings;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Queue;

/// <summary>
/// One thread's way to a volume. A request goes piece by piece: it takes the lock of the piece's bytes, looks its
/// blocks up, and does what <see cref="LookupTable"/> says, in as few operations as the places allow.
/// </summary>
internal sealed unsafe partial class SsdCacheQueue : IVolumeQueue, IIoHandler, IDisposable
{
    // Requests that have something under way; more wait.
    private const int PieceCount = 512, OverlayCount = 2 * Piece.MaxBytes / SsdGeometry.UnitBytes;

    private readonly QueueParts _parts;
    private readonly SsdGeometry _geometry;
    private readonly SetTable _table;
    private readonly PageStates _pages;
    private readonly CommitTickets _tickets;
    private readonly DataDevices _devices;
    private readonly SsdCacheOptions _options;
    private readonly int _index;
    private readonly IoContext _io;
    private readonly DeviceQueue _cache;
    private readonly DeviceQueue _backing;
    private readonly GrantQueue _grants;
    private readonly ushort _handler;
    private readonly QueueCounters _counters;
    private readonly QueueWaker _waker;
    private readonly Filler _filler;
    private readonly FallbackQueue _fallback;
    private readonly IQueueWork? _work;
    private readonly PiecePool _pieces = new(PieceCount);
    private readonly OverlayPool _overlays = new(OverlayCount, SsdGeometry.UnitBytes);
    private readonly bool _mixesUnits;
    private readonly SequentialDetector _streams = new();
    private RequestList _completed;
    // Not begun: a mode changes, or requests are held.
    private RequestList _parked;
    // Begun: no operation or piece was free, or write-back has a block.
    private RequestList _starved;
    // Begun: pages are to be opened.
    private RequestList _opening;
    private int _underWay;
    private int _modeVersion;
    private bool _stopping;

    /// <summary>Opened by the volume, on the queue's thread.</summary>
    public SsdCacheQueue(QueueParts parts, int index, IoContext io)
    {
        (_parts, _index, _io) = (parts, index, io);
        (_geometry, _table, _pages, _tickets) = (parts.Geometry, parts.Table, parts.Pages, parts.Tickets);
        (_devices, _options) = (parts.Devices, parts.Options);
        _waker = _parts.Queues.Open(index, io);
        _cache = _devices.Cache.OpenQueue(index, io);
        _backing = _devices.Backing.OpenQueue(index, io);
        _grants = new GrantQueue(index, io);
        _handler = io.AddHandler(this);
        _counters = parts.Counters.Of(index);
        _modeVersion = _parts.Mode.Version;
        _mixesUnits = Math.Max(_devices.Cache.Device.LogicalBlockBytes, _devices.Backing.Device.LogicalBlockBytes)
            > SsdGeometry.SectorBytes;
        _filler = new Filler(parts, _counters, new DataQueues(io, _cache, _backing));
        _fallback = new FallbackQueue(parts.Fallback, index, io, new FlushTickets(),
            static (_, result) => $"backing device: flush failed: {Errno.Text(result)}");
        Invariant.Check(sizeof(SsdCacheRequest) <= Request.EngineBytes);
        if (index == 0) _work = parts.Work(new DataQueues(io, _cache, _backing));
    }

    /// <inheritdoc/>
    public long DeadlineUs => _waker.IsWoken || AwaitsNothing ? 0
        : Math.Min(_fallback.DeadlineUs, _work?.Background.DeadlineUs ?? long.MaxValue);

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
            return StopStatus.Both(_work?.Background.StopStatus ?? own, _fallback.StopStatus);
        }
    }

    private static SsdCacheRequest* Own(Request* request) => SsdCacheRequest.Of(request);

    private Piece* PieceOf(Request* request) => _pieces[Own(request)->Piece];

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
    public void Submit(Request* request)
    {
        Invariant.Check(!_stopping);
        request->Result = 0;
        request->Next = null;
        *Own(request) = new SsdCacheRequest { StartUs = (uint)_io.NowUs };
        _counters.CountRequest(request->Kind, request->Flags, request->LengthBytes);
        _parts.Activity.Note(_io.NowUs);
        Request.FetchAll(request);
        if (_parts.Health.CacheHasFailed) _fallback.Submit(request);
        else if (_options.ReadOnly && request->Kind != RequestKind.Read)
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
        for (BlockLock* it; (it = _grants.Take()) != null;) Locked((Request*)it->Owner);
        RetryOpening();
        RetryStarved();
        EndFlushes();
        SeeMode();
        while (!_parked.IsEmpty && IsModeSeen) Begin(_parked.Take());
        if (_parts.Health.CacheHasFailed)
            while (!_parked.IsEmpty) _fallback.Submit(_parked.Take());
        _work?.Background.Poll(nowUs);
        _fallback.Poll(nowUs);
        if (_stopping && !_waker.HasLeft) ContinueStop();
    }

    /// <inheritdoc/>
    public void BeginStop()
    {
        _stopping = true;
        _fallback.BeginStop();
        if (_work == null) return;
        _parts.Queues.NoteStopped();
        _work.Background.BeginStop();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _work?.Dispose();
        _filler.Dispose();
        _fallback.Dispose();
        (_cache as IDisposable)?.Dispose();
        (_backing as IDisposable)?.Dispose();
        _pieces.Dispose();
        _overlays.Dispose();
    }

    private bool IsModeSeen => _modeVersion == _parts.Mode.Version && !_parts.Mode.IsHeld;

    // What is under way is of the old mode.
    private void SeeMode()
    {
        if (_modeVersion == _parts.Mode.Version || _underWay > 0 || !_filler.IsQuiet) return;
        System.Threading.Volatile.Write(ref _modeVersion, _parts.Mode.Version);
        _parts.Queues.WakeFirst();
    }

    private void ContinueStop()
    {
        Invariant.Check(_underWay == 0);
        Invariant.Check(_parked.IsEmpty);
        if (!_filler.IsQuiet) return;
        bool isDone = _work == null || _work.Background.StopStatus.IsOver;
        if (!isDone) return;
        _waker.Leave();
        if (_work == null) _parts.Queues.NoteStopped();
    }

    private void Begin(Request* request)
    {
        _underWay++;
        Own(request)->Mode = _parts.Mode.Current;
        if (request->Kind == RequestKind.Flush)
        {
            AddFlush(request);
            return;
        }
        NoteStream(request);
        BeginPiece(request, request->OffsetBytes);
    }

    private void NoteStream(Request* request)
    {
        int threshold = _options.SequentialThreshold;
        bool isMove = request->Kind is RequestKind.Read or RequestKind.Write;
        if (threshold == 0 || !isMove) return;
        if (_streams.IsLong((ulong)request->OffsetBytes, request->LengthBytes, threshold))
            Own(request)->Facts |= RequestFacts.IsSequential;
    }

    private void BeginPiece(Request* request, long offset)
    {
        SsdCacheRequest* own = Own(request);
        own->Step = RequestStep.Starting;
        if (own->Piece == 0) own->Piece = _pieces.Take();
        own->Ticket = offset;
        if (own->Piece == 0)
        {
            _starved.Add(request);
            return;
        }
        Piece* piece = PieceOf(request);
        *piece = new Piece { Offset = offset, FirstBlock = (uint)(offset >> _geometry.BlockShift) };
        piece->Length = Math.Min(request->OffsetBytes + request->LengthBytes, MostOf(request, piece)) - offset;
        TakeLock(request, piece);
    }

    // Where a piece that begins there ends at the latest.
    private long MostOf(Request* request, Piece* piece)
    {
        bool isMove = request->Kind is RequestKind.Read or RequestKind.Write;
        int blocks = isMove ? Piece.MaxBlocks : Piece.MaxZeroedBlocks;
        long end = (piece->FirstBlock + (long)blocks) << _geometry.BlockShift;
        return isMove ? Math.Min(end, piece->Offset + Piece.MaxBytes) : end;
    }

    private void TakeLock(Request* request, Piece* piece)
    {
        SsdCacheRequest* own = Own(request);
        own->Step = RequestStep.Locking;
        long first = piece->Offset / SsdGeometry.UnitBytes;
        long last = (piece->End - 1) / SsdGeometry.UnitBytes;
        own->Lock = new BlockLock
        {
            FirstBlock = first, BlockCount = last - first + 1, Owner = request,
            Mode = request->Kind == RequestKind.Read ? BlockLockMode.Read : BlockLockMode.Exclusive,
        };
        if (_parts.Locks.Take(&own->Lock, _grants))
        {
            Locked(request);
            return;
        }
        own->Facts |= RequestFacts.HasWaited;
        _counters.Add(QueueCounters.LockWaits, 1);
    }

    private void Locked(Request* request)
    {
        Own(request)->Facts |= RequestFacts.IsLocked;
        Look(request);
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
                case RequestStep.Starting: BeginPiece(request, Own(request)->Ticket); break;
                case RequestStep.Looking: Look(request); break;
                case RequestStep.AwaitingRescue: Rescue(request, PieceOf(request)); break;
                default: Move(request); break;
            }
        }
    }

    // The piece is done: the next one, or what follows the last.
    private void EndPiece(Request* request)
    {
        SsdCacheRequest* own = Own(request);
        Piece* piece = PieceOf(request);
        long end = piece->End;
        Release(request, piece);
        own->Facts &= ~(RequestFacts.HasWaited | RequestFacts.CacheFailed);
        bool isLast = end == request->OffsetBytes + request->LengthBytes;
        if (request->Result >= 0 && !isLast) BeginPiece(request, end);
        else EndPieces(request);
    }

    private void EndPieces(Request* request)
    {
        SsdCacheRequest* own = Own(request);
        _pieces.Return(own->Piece);
        own->Piece = 0;
        bool isFua = (request->Flags & RequestFlags.Fua) != 0 && !Mutant.Is(SsdCacheMutant.B6FuaIgnored);
        // Nothing else would find what the cache alone has if this process died (B5).
        bool isAlone = (own->Facts & RequestFacts.IsUnknown) != 0 && !_parts.OutlivesProcess
            && !Mutant.Is(SsdCacheMutant.B5EntryNotAwaited);
        if ((isFua || isAlone) && request->Result >= 0) AddFlush(request);
        else End(request, request->Result);
    }

    private void End(Request* request, int result)
    {
        Invariant.Check(Own(request)->Left == 0);
        Invariant.Check(Own(request)->Piece == 0);
        _underWay--;
        Finish(request, result);
    }

    // All of it again, and whatever was done of it stands: the cache has failed, and home has everything.
    private void PassOn(Request* request)
    {
        SsdCacheRequest* own = Own(request);
        Invariant.Check(own->Left == 0);
        if (own->Piece != 0)
        {
            Release(request, PieceOf(request));
            _pieces.Return(own->Piece);
            own->Piece = 0;
        }
        _underWay--;
        request->Result = 0;
        _fallback.Submit(request);
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
