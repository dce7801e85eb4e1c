using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Passthrough;

/// <summary>
/// One thread's way to a <see cref="PassthroughVolume"/>. A request holds one operation from its start to its end
/// and submits it once per <see cref="Step"/>; requests that find a pool empty wait in order.
/// </summary>
internal sealed unsafe partial class PassthroughQueue : IVolumeQueue, IIoHandler
{
    /// <summary>What the request's operation does at the moment, in <see cref="IoOp.Step"/>.</summary>
    private enum Step : byte
    {
        /// <summary>The request itself.</summary>
        Main,
        /// <summary>The flush of a FUA write, or of the stop.</summary>
        Flush,
    }

    private readonly PassthroughVolume _volume;
    private readonly IoContext _io;
    private readonly DeviceQueue _device;
    private readonly ushort _handler;
    private readonly PassthroughCounters _counters;
    private RequestList _parked;
    private RequestList _completed;
    private int _inFlight;
    private bool _stopping;
    private readonly QueueWaker _waker;

    public PassthroughQueue(PassthroughVolume volume, int index, IoContext io)
    {
        _volume = volume;
        _io = io;
        _waker = volume.Queues.Open(index, io);
        _device = volume.Blocks.OpenQueue(index, io);
        _handler = io.AddHandler(this);
        Invariant.Check(sizeof(PassthroughRequest) <= Request.EngineBytes);
        _counters = volume.Counters.Of(index);
    }

    public StopStatus StopStatus { get; private set; }

    public long DeadlineUs => _waker.IsWoken ? 0 : long.MaxValue;

    public void Submit(Request* request)
    {
        Invariant.Check(!_stopping);
        request->Result = 0;
        *PassthroughRequest.Of(request) = new PassthroughRequest { Resumes = _volume.Resumes };
        request->Next = null;
        _counters.CountRequest(request->Kind, request->Flags, request->LengthBytes);
        Request.FetchAll(request);
        if (_volume.ReadOnly && request->Kind != RequestKind.Read) Finish(request, ReadOnlyResult(request));
        else if (!_parked.IsEmpty || !TryStart(request)) _parked.Add(request);
    }

    public void CountAsked(RequestKind kind, RequestFlags flags, long lengthBytes) =>
        _counters.CountRequest(kind, flags, lengthBytes);

    public Request* TakeCompleted() => _completed.Take();

    public void Poll(long nowUs)
    {
        _waker.Take();
        _device.Poll();
        BeginFlush();
        IoOp* op;
        while (!_parked.IsEmpty && (op = TryAcquire(_parked.First)) != null) Start(op, _parked.Take());
        TryFinishStop();
    }

    public void Completed(IoOp* op)
    {
        Request* request = op->Request;
        if ((Step)op->Step == Step.Flush) EndFlush(op);
        else if (op->Result < 0 && Request.FallBackToMemory(op)) _device.Submit(op);
        else if (op->Result < 0) End(op, request, op->Result);
        else Next(op, request);
    }

    public void BeginStop()
    {
        _stopping = true;
        TryFinishStop();
    }

    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        const uint hole = 1, zero = 2;
        long end = offsetBytes + lengthBytes;
        int count = 0;
        while (offsetBytes < end && count < extents.Length)
        {
            long next = Math.Min(_volume.Backing.ExtentEnd(offsetBytes, out bool isHole), end);
            uint flags = isHole ? hole | zero : 0;
            if (count > 0 && extents[count - 1].Flags == flags) count--;
            else extents[count].LengthBytes = 0;
            extents[count].LengthBytes += next - offsetBytes;
            extents[count++].Flags = flags;
            offsetBytes = next;
        }
        return count;
    }

    /// <summary>Nothing to flush where nothing is written; all else changes something.</summary>
    private static int ReadOnlyResult(Request* request) => request->Kind == RequestKind.Flush ? 0 : -Errno.EPERM;

    private bool TryStart(Request* request)
    {
        IoOp* op = TryAcquire(request);
        if (op == null) return false;
        Start(op, request);
        return true;
    }

    /// <summary>Null: no operation is free; nothing has happened.</summary>
    private IoOp* TryAcquire(Request* request)
    {
        IoOp* op = _io.Acquire(_handler, KindOf(request));
        if (op != null) op->Request = request;
        return op;
    }

    // The request is in no list: it may enter another at once.
    private void Start(IoOp* op, Request* request)
    {
        _inFlight++;
        if (request->Kind == RequestKind.Flush && Mutant.Is(PassthroughMutant.R6FlushSkipped)) End(op, request, 0);
        else if (request->Kind == RequestKind.Flush) SubmitFlush(op);
        else SubmitMain(op, request);
    }

    private void Next(IoOp* op, Request* request)
    {
        if (NeedsFlush(request)) SubmitFlush(op);
        else End(op, request, 0);
    }

    private static PassthroughRequest* Own(Request* request) => PassthroughRequest.Of(request);

    private static bool NeedsFlush(Request* request) =>
        request->Kind != RequestKind.Read && (request->Flags & RequestFlags.Fua) != 0
        && !Mutant.Is(PassthroughMutant.R6FuaIgnored);

    private void SubmitMain(IoOp* op, Request* request)
    {
        op->Step = (byte)Step.Main;
        op->OffsetBytes = request->OffsetBytes;
        op->LengthBytes = request->LengthBytes;
        op->Buffer = request->Data;
        if (request->Kind == RequestKind.Read) Request.TryZeroCopy(op, _device);
        _device.Submit(op);
    }

    /// <summary>The request is done. A flush is believed only if none has failed before (R6).</summary>
    private void End(IoOp* op, Request* request, int result)
    {
        if ((Step)op->Step == Step.Flush)
            result = _volume.ResultOfFlush(PassthroughRequest.Of(request)->Resumes, result);
        _io.Release(op);
        _inFlight--;
        Finish(request, result);
    }

    private void Finish(Request* request, int result)
    {
        request->Result = result;
        if (result < 0) _counters.Add(PassthroughCounters.Errors, 1);
        _completed.Add(request);
    }

    private static IoKind KindOf(Request* request) => request->Kind switch
    {
        RequestKind.Read => IoKind.Read,
        RequestKind.Write => IoKind.Write,
        RequestKind.Flush => IoKind.Flush,
        RequestKind.Discard => IoKind.Discard,
        RequestKind.WriteZeroes when (request->Flags & RequestFlags.NoHole) == 0 => IoKind.Discard,
        _ => IoKind.WriteZeroes,
    };
}
