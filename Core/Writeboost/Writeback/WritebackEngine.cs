using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// Write-back: oldest segments first, a batch at a time, read sequentially, merged, sorted, coalesced, written; then
/// the backing device is flushed, and the mark made durable, in exactly this order (R7, R8). It never blocks.
/// </summary>
internal sealed unsafe partial class WritebackEngine : IIoHandler, IBackgroundTask, IDisposable
{
    private const byte FillStep = 1, BlocksStep = 2, RangeStep = 3, AheadStep = 5,
        SingleStep = 6, SegmentStep = 7, BelowStep = 8;
    private const long RetryUs = 200;

    /// <summary>The same while a device refuses what it is asked: nobody need look often.</summary>
    private const long HeldUpRetryUs = 10_000;

    private const int MaxBatchBytes = 32 << 20;

    private readonly LogPort _port;
    private readonly LogAppender _appender;
    private readonly IoContext _io;
    private readonly DeviceQueue _cache;
    private readonly BackingQueues _backings;
    private readonly SuperblockWriter _superblocks;
    private readonly ushort _handler;
    private readonly Batch _batch;
    private Phase _phase;
    private int _outstanding;
    private int _error;
    private long _finishedSlots;
    private long _workDone;
    private long _durableBefore;
    private long _resumeUs;
    private bool _mayStart;
    private bool _isCalledOff;

    /// <summary>The volume's one write-back, on the thread of <paramref name="port"/>.</summary>
    public WritebackEngine(
        WritebackParts parts, LogPort port, DeviceQueue cache, BackingQueues backings, SuperblockWriter superblocks)
    {
        (_log, _superblock, _index, _ranges) = (parts.Log, parts.Superblock, parts.Index, parts.Ranges);
        (_versions, _changes, _lost, _rot) = (parts.Versions, parts.Changes, parts.Lost, parts.Rot);
        (_devices, _samples, _dirty, _drains) = (parts.Backings, parts.Samples, parts.Dirty, parts.Drains);
        (_aroundLosses, _refusals, _pressure) = (parts.AroundLosses, parts.Refusals, parts.RangePressure);
        (_options, _governor, _throttle, _activity) = (parts.Options, parts.Governor, parts.Throttle, parts.Activity);
        (_giveUps, _resumes, _progress) = (parts.GiveUps, parts.Resumes, parts.Progress);
        (_health, _queues, _cacheName) = (parts.Health, parts.Queues, parts.CacheName);
        (_port, _io, _cache, _backings, _superblocks) = (port, port.Io, cache, backings, superblocks);
        _appender = new LogAppender(_log, port);
        _handler = _io.AddHandler(this);
        _batch = new Batch(_log.Geometry, MaxSegments(_log.Geometry));
        _unread = new UnreadPlaces(_batch.MaxSegments << _log.Geometry.SlotShift);
        _flusher = new DeviceFlusher(parts.FlushLock, _io) { Failed = FailFlush };
        _progress.MemoryBytes = _batch.Bytes + (CleaningGovernor.MostWrites * (long)WriteCoalescer.BufferBytes);
        _entries = (LogEntry*)NativeMemory.Alloc(RecordHeader.MaxEntries, (nuint)sizeof(LogEntry));
    }

    private enum Phase
    {
        Idle,
        Read,
        ReadSingly,
        Plan,
        Drop,
        Zero,
        Fill,
        Write,
        Move,
        Flush,
        AwaitDurable,
        Mark,
        Settle,
        Sample,
        Clean,
        Pause,
        Stuck,
    }

    /// <summary>No batch is under way.</summary>
    public bool IsQuiet => HasNoBatch && _aheadUnderWay == 0 && !_readsBelow;

    private bool HasNoBatch => _phase is Phase.Idle or Phase.Stuck;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => Math.Min(
        Math.Min(PhaseDeadlineUs, _samples.DeadlineUs), Math.Min(LookAtLostUs,
        _given.IsTaken || _giveUps.Order is { IsDone: false } ? _io.NowUs + RetryUs : long.MaxValue));

    private long PhaseDeadlineUs => _phase switch
    {
        Phase.Idle => IdleDeadlineUs,
        Phase.Pause => _retry.DueUs,
        Phase.Plan or Phase.Clean => 0,
        _ when IsListPhase && _outstanding == 0 => _governor.ResumeUs,
        Phase.Move => _moveWaits ? long.MaxValue : 0,
        _ => long.MaxValue,
    };

    /// <summary>Whoever changes devices lets no batch begin.</summary>
    public bool MustRest { get; set; }

    /// <summary>Once per turn: goes on as far as it can without waiting.</summary>
    public void Poll(long nowUs, BackgroundState state)
    {
        // While the volume stops, other queues may still have writers that wait for a free segment.
        bool mayStart = !MustRest && (state == BackgroundState.Serving
            || (state == BackgroundState.Stopping && !_queues.HaveAllStopped));
        _mayStart = mayStart;
        if (_samples.Poll()) _queues.WakeAll();
        if (_given.IsTaken) PublishGiven();
        if (_giveUps.Order != null) GiveUpMore();
        LookAtLost(nowUs);
        _retry.Heed(_health, nowUs);
        if (_resumes.Take()) TryNow();
        if (!mayStart) Abandon();
        if (_phase == Phase.Idle && !mayStart) return;
        if (_phase == Phase.Idle && !TryStart(nowUs))
        {
            _governor.Rest();
            EndTry();
            return;
        }
        do
        {
            while (!IsBusy && Advance(nowUs)) { }
            if (IsListPhase) SubmitMore(nowUs);
        }
        while (_outstanding == 0 && _error == 0 && IsListPhase && _cursor == ListLength());
        _governor.NoteBusy(nowUs, IsBusy);
        if (HasNoBatch || _phase == Phase.Pause) _governor.Rest();
        if (HasNoBatch) EndTry();
    }

    private bool IsBusy => _outstanding > 0 || _flusher.IsUnderWay;

    private bool IsListPhase => _phase is Phase.Zero or Phase.Fill or Phase.Write;

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Step is AheadStep or BelowStep)
        {
            if (op->Step == AheadStep) EndAhead(op); else EndBelow(op);
            return;
        }
        if (op->Result < 0 && op->Step is SegmentStep or SingleStep)
        {
            if (TryReadAgain(op)) return;
        }
        else if (op->Result < 0) (_error, _errorOf) = (op->Result, op->Own<WritebackOp>().Device);
        if (op->Step == FillStep && op->Result >= 0) EndFill(op);
        if (op->Step is FillStep or BlocksStep) _scratch.Return(op->Own<WritebackOp>().Buffer);
        if (op->Step is RangeStep or BlocksStep && op->Result >= 0) _workDone += op->Own<WritebackOp>().Work;
        if (op->Step == BlocksStep) NoteWritten(op);
        _io.Release(op);
        Invariant.Check(_outstanding > 0);
        _outstanding--;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _batch.Dispose();
        _scratch.Dispose();
        _below.Dispose();
        NativeMemory.Free(_entries);
    }

    /// <summary>What writers may hope for; on this thread.</summary>
    public SpaceBudget Space
    {
        get
        {
            Geometry geometry = _log.Geometry;
            long batch = HasNoBatch ? 0 : (long)_batch.Count << geometry.SlotShift;
            long work = _batch.BlockCount + _batch.RangeCount;
            long earned = _phase <= Phase.Drop || HasNoBatch ? 0 : work == 0 ? batch : batch * _workDone / work;
            Invariant.Check(earned <= batch);
            long all = (long)geometry.SegmentCount << geometry.SlotShift;
            return new SpaceBudget
            {
                All = all,
                Free = all - (_log.ReservedEnd - geometry.Position(_log.DirtySegment, 0)),
                Batch = batch,
                Earned = earned,
                Finished = _finishedSlots,
                Segment = geometry.SlotsPerSegment,
                LargestBatch = (long)LargestBatch << geometry.SlotShift,
                IsHeldUp = _retry.IsHeldUp,
            };
        }
    }

    // Free segments are what keeps writers going while a batch is under way: an eighth of a small cache.
    private int LargestBatch => Math.Clamp(
        _log.Geometry.SegmentCount / 8, 1, Math.Min(_options.MaxBatchedWriteback, _batch.MaxSegments));

    // What is wanted goes on from batch to batch without waiting for anybody's wake-up.
    private long IdleDeadlineUs
    {
        get
        {
            if (!_mayStart || !_health.TakesWrites || IsHeld()) return long.MaxValue;
            long dueUs = WantedUs;
            return _retry.IsHeldUp ? Math.Max(dueUs, _retry.DueUs) : dueUs;
        }
    }

    private long WantedUs
    {
        get
        {
            bool any = _log.DirtySegment < _log.HeadSegment;
            bool open = _log.DirtySegment <= _log.HeadSegment && (_pressure.IsOn || _log.IsStarved);
            bool full = _governor.PaceAt(_io.NowUs) == CleaningPace.Full;
            if (full && (any || open || _drains.IsUnderWay)) return _resumeUs;
            bool wanted = _options.AllowWriteback || _throttle.IsHolding;
            return any && wanted ? Math.Max(_governor.ResumeUs, _resumeUs) : Math.Max(OpenDueUs, _resumeUs);
        }
    }

    // Memory for as many as a user may ask for, but at most 32 MiB.
    private static int MaxSegments(in Geometry geometry) => Math.Clamp(MaxBatchBytes / geometry.SegmentBytes, 1, 32);

    // While writers wait a small batch that ends soon is worth more than a large one.
    private int MostSegments()
    {
        if (!_throttle.IsPacing && !_log.IsStarved)
            return Math.Min(_options.MaxBatchedWriteback, _batch.MaxSegments);
        long free = _log.Geometry.SegmentCount - (_log.HeadSegment - _log.DirtySegment + 1);
        return (int)Math.Clamp(free, 1, LargestBatch);
    }

    // The stop does not wait for a slow disk: what has been written twice does no harm, the log still has it all.
    private void Abandon()
    {
        if (!IsBusy) _flusher.GiveBack();
        if (_phase == Phase.Drop) return;
        if ((!IsBusy && _phase < Phase.Mark) || _phase == Phase.Pause) LetGo();
        else if (IsListPhase && Mutant.Is(WriteboostMutant.R8CalledOffPasses)) _cursor = ListLength();
        else if (IsListPhase) _isCalledOff = true;
    }

    // Nothing more of it is submitted, so it is over when nothing is under way: whoever called it off may have gone by
    // then, and what is left of its list has not been written.
    private bool LetGo()
    {
        Invariant.Check(_outstanding == 0);
        (_phase, _error, _keeping, _isCalledOff) = (Phase.Idle, 0, false, false);
        _progress.BlocksAhead = _keptAhead;
        return false;
    }

    // Nothing is under way: the step's end decides what comes next. True when there is more to do at once.
    private bool Advance(long nowUs)
    {
        if (_isCalledOff) return LetGo();
        if (_error != 0) return Fail(nowUs);
        switch (_phase)
        {
            case Phase.Read: return _aheadUnderWay == 0 && (_aheadFailed ? StartRead() : EndSegments());
            case Phase.ReadSingly: return ReadMoreSingly();
            case Phase.Plan: return PlanMore();
            case Phase.Drop: return EndSamples(Phase.Zero);
            case Phase.Zero: return EndList(Phase.Fill);
            case Phase.Fill: return EndList(Phase.Write) && ReadAhead();
            case Phase.Write: return EndList(Phase.Move) ? StartMove() : IsKeepDue(nowUs) && StartKeep();
            case Phase.Move: return MoveMore();
            case Phase.Flush: return FlushMore();
            case Phase.AwaitDurable: return _log.Durable >= _durableBefore && StartMark();
            case Phase.Mark: return !_superblocks.IsBusy && EndMark();
            case Phase.Settle: return !_superblocks.IsBusy && EndSettle();
            case Phase.Sample: return EndSamples(Phase.Clean);
            case Phase.Clean: return CleanMore();
            case Phase.Pause: return nowUs >= _retry.DueUs && StartAgain();
            default: return false;
        }
    }

    private bool TryStart(long nowUs)
    {
        if (!_health.TakesWrites || (_retry.IsHeldUp && nowUs < _retry.DueUs)) return false;
        _drains.EndReached();
        bool relieve =
            _drains.IsUnderWay || _pressure.IsOn || _governor.MustTry || nowUs >= OpenDueUs;
        bool isNothing = _log.HeadSegment <= _log.DirtySegment && !relieve && !_log.IsStarved;
        if (isNothing || IsHeld() || _governor.Window(nowUs) == 0) return false;
        int most = MostInTime(MostSegmentsNow(MostSegments()));
        int count = CountReadable(_log.DirtySegment, most);
        if (Mutant.Is(WriteboostMutant.R7Undurable))
            count = (int)Math.Clamp(_log.HeadSegment - _log.DirtySegment, 0, most);
        if (count == 0) return NothingReady(nowUs, relieve);
        count = AtLeastKept(CountForRanges(count));
        (_keptUs, _keptAhead) = (nowUs, 0);
        Invariant.Check(_outstanding == 0);
        Invariant.Check(count > 0);
        Invariant.Check(count <= _batch.MaxSegments);
        _batch.Begin(_log.DirtySegment, count);
        return _isMarkInDoubt ? StartSettle() : StartRead(TakeAhead());
    }

    // The budget comes back when a batch has ended: it shall not hold much of it, and while somebody waits for it no
    // more than one segment that has any.
    private int CountForRanges(int most)
    {
        int share = _pressure.IsOn ? 1 : Math.Max(1, _ranges.Budget / 16);
        int ranges = 0;
        for (int i = 0; i < most; i++)
        {
            ranges += _log.Table.RangesIn(_log.Geometry.Physical(_log.DirtySegment + i));
            if (ranges >= share) return i + 1;
        }
        return most;
    }

    // What is wanted back is not durable yet, or still in the open segment.
    private bool NothingReady(long nowUs, bool relieve)
    {
        _resumeUs = nowUs + (_health.State == VolumeState.Healthy ? RetryUs : HeldUpRetryUs);
        bool isInOpenSegment = _log.DirtySegment == _log.HeadSegment;
        if (relieve && isInOpenSegment) _log.RequestDurable(_port, _log.CloseOpenSegment(_port));
        else
            _log.RequestDurable(_port, _log.IsStarved ? _log.ReservedEnd : _log.Geometry.Position(_log.HeadSegment, 0));
        return false;
    }

    // The first ones have been read, or are being read.
    private bool StartRead(int done = 0)
    {
        Invariant.Check(_outstanding == 0);
        Invariant.Check(_batch.First == _log.DirtySegment);
        _phase = Phase.Read;
        _begunUs = _io.NowUs;
        _error = 0;
        _cursor = 0;
        _failuresBefore = _flusher.FailuresOfAll;
        _workDone = 0;
        _keeping = _mayKeep = false;
        _progress.BlocksAhead = 0;
        _batch.Clear();
        ForgetUnread();
        if (done == 0) _aheadFailed = false;
        for (int i = done; i < _batch.Count; i++)
        {
            IoOp* op = ReadOf(_batch.First + i, _batch.Data(i, 0));
            op->Own<WritebackOp>().Index = i;
            Submit(op, _cache);
        }
        return true;
    }

    private IoOp* ReadOf(long segment, byte* buffer)
    {
        IoOp* op = Acquire(IoKind.Read);
        op->Step = SegmentStep;
        op->OffsetBytes = _log.Geometry.OffsetOf(_log.Geometry.Position(segment, 0));
        op->LengthBytes = _log.Geometry.SegmentBytes;
        op->Buffer = buffer;
        return op;
    }

    // Durable segments from this one on (R7).
    private int CountReadable(long first, int most)
    {
        int count = 0;
        while (count < most && _log.Geometry.Position(first + count + 1, 0) <= _log.Durable
            && first + count <= _log.HeadSegment) count++;
        return count;
    }

    private IoOp* Acquire(IoKind kind)
    {
        IoOp* op = _io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        return op;
    }

    private void Submit(IoOp* op, DeviceQueue device)
    {
        _outstanding++;
        device.Submit(op);
    }

    private void Submit(IoOp* op, int backing)
    {
        op->Own<WritebackOp>().Device = backing;
        Submit(op, _backings[backing]);
    }
}
