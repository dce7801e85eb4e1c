using System;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Example;

/// <summary>One thread's queue: a block from RAM, or one operation of the device for each request.</summary>
internal sealed unsafe class ExampleQueue : IVolumeQueue, IIoHandler
{
    private readonly ExampleVolume _volume;
    private readonly IoContext _io;
    private readonly DeviceQueue _device;
    private readonly ushort _handler;
    private RequestList _parked, _completed;
    private int _inFlight;
    private bool _stopping;

    public ExampleQueue(ExampleVolume volume, IoContext io)
    {
        (_volume, _io, _device) = (volume, io, volume.Backing.OpenQueue(io));
        _handler = io.AddHandler(this);
    }

    public StopStatus StopStatus { get; private set; }
    public long DeadlineUs => long.MaxValue;

    public void Submit(Request* request)
    {
        Request.FetchAll(request);
        bool isRefused = _volume.ReadOnly && request->Kind != RequestKind.Read;
        request->Result = isRefused && request->Kind != RequestKind.Flush ? -Errno.EPERM : 0;
        if (isRefused) _completed.Add(request);
        else if (IsBlock(request) && _volume.Cache.TryRead(BlockOf(request), request->Data)) _completed.Add(request);
        else if (!_parked.IsEmpty || !TryStart(request)) _parked.Add(request);
    }

    public Request* TakeCompleted() => _completed.Take();

    public void Poll(long nowUs)
    {
        while (!_parked.IsEmpty && TryStart(_parked.First)) _ = _parked.Take();
        bool isLast = _stopping && !StopStatus.IsOver && _inFlight == 0 && _parked.IsEmpty;
        if (isLast && _volume.ReadOnly) StopStatus = StopStatus.Stopped;
        else if (isLast && _io.Acquire(_handler, IoKind.Flush, true) is var op && op != null) Start(op, op->Kind);
    }

    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        extents[0] = new Extent { LengthBytes = lengthBytes };
        return 1;
    }

    public void BeginStop() => _stopping = true;

    public void Completed(IoOp* op)
    {
        Request* request = op->Request;
        if (op->Kind == IoKind.Flush && op->Result < 0) _volume.FlushError = op->Result;
        int result = op->Kind == IoKind.Flush ? _volume.FlushError : Math.Min(op->Result, 0);
        bool changes = request != null && op->Kind is not (IoKind.Read or IoKind.Flush);
        if (changes) _volume.Cache.NoteChange(request->OffsetBytes, request->LengthBytes, -1);
        _inFlight--;
        bool isMadeDurable = changes && result == 0 && (request->Flags & RequestFlags.Fua) != 0;
        if (isMadeDurable) Start(op, IoKind.Flush);
        if (isMadeDurable) return;
        if (op->Kind == IoKind.Read && result == 0 && IsBlock(request))
            _volume.Cache.Keep(BlockOf(request), *(int*)request->Engine, request->Data);
        _io.Release(op);
        if (request == null) StopStatus = StopStatus.EndedWith(result);
        else request->Result = result;
        if (request != null) _completed.Add(request);
    }

    // False: no operation is free, and nothing has happened.
    private bool TryStart(Request* request)
    {
        IoOp* op = _io.Acquire(_handler, KindOf(request->Kind));
        if (op == null) return false;
        (op->OffsetBytes, op->LengthBytes) = (request->OffsetBytes, request->LengthBytes);
        op->Buffer = request->Data;
        op->Request = request;
        // What the engine has to know of a request while it has it: its own bytes of it.
        if (IsBlock(request)) *(int*)request->Engine = _volume.Cache.VersionOf(BlockOf(request));
        else if (op->Kind is not (IoKind.Read or IoKind.Flush))
            _volume.Cache.NoteChange(request->OffsetBytes, request->LengthBytes, 1);
        Start(op, op->Kind);
        return true;
    }

    private void Start(IoOp* op, IoKind kind)
    {
        op->Kind = kind;
        _inFlight++;
        _device.Submit(op);
    }

    private static bool IsBlock(Request* request) => request->Kind == RequestKind.Read
        && request->LengthBytes == BlockCache.BlockBytes && request->OffsetBytes % BlockCache.BlockBytes == 0;

    private static long BlockOf(Request* request) => request->OffsetBytes / BlockCache.BlockBytes;

    private static IoKind KindOf(RequestKind kind) => kind == RequestKind.Read ? IoKind.Read
        : kind == RequestKind.Write ? IoKind.Write : kind == RequestKind.Flush ? IoKind.Flush
        : kind == RequestKind.Discard ? IoKind.Discard : IoKind.WriteZeroes;
}
