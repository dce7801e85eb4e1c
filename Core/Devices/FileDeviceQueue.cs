using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/// <summary>
/// One thread's I/O on a <see cref="FileDevice"/>: each operation is one or more ring requests one after the other,
/// until it is complete or has failed.
/// </summary>
internal sealed unsafe class FileDeviceQueue : DeviceQueue
{
    // A request is interrupted only in odd moments; a thousand in a row is an error to be shown.
    private const int RetriesMax = 1000;

    // A block device's fallocate takes a thread of the kernel, and memory that it shares with whoever writes back: when
    // memory is short, and all that writes back waits for us, it would wait for them. File systems zero their tables in
    // pieces like these all the time; more at once, plain writes would be too slow.
    private const long ZeroesWrittenBytes = 8 << 20;

    private readonly RingContext _io;
    private readonly FileDevice _device;
    private readonly FileRef _file;
    private readonly FileRef _tailFile;
    private readonly int _index;
    private readonly int _tailIndex = -1;
    private int _underWay;
    private long _answeredMs;

    public FileDeviceQueue(RingContext io, FileDevice device)
    {
        _io = io;
        _device = device;
        _index = io.AddFile(this, device.Descriptor, out _file);
        if (device.TailDescriptor >= 0) _tailIndex = io.AddFile(this, device.TailDescriptor, out _tailFile);
        if (device.Facts.MayBlock) io.AllowWorkers();
        if (!device.CanZeroRange || device.Facts.IsBlockDevice) _ = io.Zeroes;
    }

    public override void Submit(IoOp* op)
    {
        op->DeviceState<FileOp>() = new FileOp { Queue = _index };
        if (_underWay == 0) Volatile.Write(ref _answeredMs, Environment.TickCount64);
        Volatile.Write(ref _underWay, _underWay + 1);
        if (op->Kind != IoKind.Flush) CheckRange(op);
        Issue(op);
    }

    public override bool TakesClientBuffers => true;

    /// <summary>As <see cref="Device.SilentMs"/>; any thread.</summary>
    public long SilentMs => Volatile.Read(ref _underWay) == 0 ? 0
        : Math.Max(0, Environment.TickCount64 - Volatile.Read(ref _answeredMs));

    public override void Close()
    {
        _device.Closed(this);
        _io.RemoveFile(_index);
        if (_tailIndex >= 0) _io.RemoveFile(_tailIndex);
    }

    /// <summary>One ring request of <paramref name="op"/> is done: go on, or complete.</summary>
    public void Advance(IoOp* op, int result)
    {
        if (result is -Errno.EAGAIN or -Errno.EINTR && op->DeviceState<FileOp>().Retries++ < RetriesMax) Issue(op);
        else if (op->Kind is IoKind.Discard or IoKind.WriteZeroes) AdvanceRange(op, result);
        else if (op->Kind == IoKind.Flush) Complete(op, result);
        else AdvanceData(op, result);
    }

    private static ref long DoneOf(IoOp* op) => ref op->DeviceState<FileOp>().DoneBytes;

    private void CheckRange(IoOp* op)
    {
        long mask = _device.LogicalBlockBytes - 1;
        Invariant.Check(((op->OffsetBytes | op->LengthBytes) & mask) == 0);
        Invariant.Check(op->OffsetBytes >= 0 && op->LengthBytes > 0);
        Invariant.Check(op->LengthBytes <= _device.SizeBytes - op->OffsetBytes);
    }

    private void Issue(IoOp* op)
    {
        io_uring_sqe* sqe = _io.NextEntry();
        switch (op->Kind)
        {
            case IoKind.Read: IssueData(sqe, op, isWrite: false, (byte*)op->Buffer); break;
            case IoKind.Write: IssueData(sqe, op, isWrite: true, (byte*)op->Buffer); break;
            case IoKind.Flush: Sqe.DataSync(sqe, _file, RingContext.UserData(op)); break;
            default: IssueRange(sqe, op); break;
        }
        // Flushes and fallocate go to a thread of the kernel in any case.
        if (_device.Facts.MayBlock) sqe->flags |= UringConst.IOSQE_ASYNC;
        _io.PublishOp();
        // Somebody waits for these; of background writes, neighbours may become one in the kernel.
        if (op->Kind == IoKind.Read || op->Request != null) _io.SubmitSome();
    }

    private void IssueData(io_uring_sqe* sqe, IoOp* op, bool isWrite, byte* buffer)
    {
        Invariant.Check(op->LengthBytes <= int.MaxValue);
        long offset = op->OffsetBytes + DoneOf(op);
        byte* start = buffer + DoneOf(op);
        FileRef file = FileOf(op, out uint length);
        ulong userData = RingContext.UserData(op);
        int bufferIndex = op->ClientBuffer != 0 ? op->ClientBuffer - 1 : _io.FindBuffer(start, length);
        if (bufferIndex >= 0 && isWrite) Sqe.WriteFixed(sqe, file, start, length, offset, bufferIndex, userData);
        else if (bufferIndex >= 0) Sqe.ReadFixed(sqe, file, start, length, offset, bufferIndex, userData);
        else if (isWrite) Sqe.Write(sqe, file, start, length, offset, userData);
        else Sqe.Read(sqe, file, start, length, offset, userData);
        // The kernel makes it one write with FUA where the device has that, else a write and a flush.
        if (op->Durable) sqe->rw_flags = Const.RWF_DSYNC;
    }

    /// <summary>Those of the operation that are there: the file may end inside its last block.</summary>
    private long BytesOf(IoOp* op) => Math.Min(op->LengthBytes, _device.ClientBytes - op->OffsetBytes);

    /// <summary>The way of the next piece, and its length: a page of the page cache's own is a piece.</summary>
    private FileRef FileOf(IoOp* op, out uint length)
    {
        long start = op->OffsetBytes + DoneOf(op), end = op->OffsetBytes + BytesOf(op);
        bool isBuffered = false;
        if (_tailIndex >= 0) end = _device.Buffered.Cut(start, end, out isBuffered);
        length = (uint)Math.Min(end - start, int.MaxValue);
        return isBuffered ? _tailFile : _file;
    }

    /// <summary>The first of three ways that the device is not known to lack: punch, zero, write zeroes.</summary>
    private void IssueRange(io_uring_sqe* sqe, IoOp* op)
    {
        long offset = op->OffsetBytes + DoneOf(op);
        ulong userData = RingContext.UserData(op);
        FileRef file = FileOf(op, out uint length);
        int mode = op->DeviceState<FileOp>().RangeMode = RangeMode(op);
        // The kernel itself keeps fallocate apart from direct I/O and from the page cache: no need to cut it.
        if (mode != 0) Sqe.Allocate(sqe, _file, mode, offset, BytesOf(op) - DoneOf(op), userData);
        else Sqe.Write(sqe, file, _io.Zeroes, Math.Min((uint)RingContext.ZeroesBytes, length), offset, userData);
    }

    /// <summary>
    /// The fallocate mode for the next step, 0 for plain writes. A range begun with writes ends with writes.
    /// </summary>
    private int RangeMode(IoOp* op)
    {
        if (DoneOf(op) > 0) return 0;
        if (op->Kind == IoKind.Discard && IsHoleWorthwhile(op))
            return Const.FALLOC_FL_PUNCH_HOLE | Const.FALLOC_FL_KEEP_SIZE;
        if (op->LengthBytes <= ZeroesWrittenBytes && _device.Facts.IsBlockDevice) return 0;
        return _device.CanZeroRange ? Const.FALLOC_FL_ZERO_RANGE | Const.FALLOC_FL_KEEP_SIZE : 0;
    }

    // On a block device this zeroes too, and never by writing: it is refused where the device cannot.
    private bool IsHoleWorthwhile(IoOp* op) =>
        _device.CanPunchHole && (!_device.Facts.IsBlockDevice || (_device.Facts.GivesSpaceBack && !op->IsPressing));

    private void AdvanceRange(IoOp* op, int result)
    {
        // As it was issued: another one may have learnt meanwhile what the device lacks.
        int mode = op->DeviceState<FileOp>().RangeMode;
        if (result == -Errno.EOPNOTSUPP && mode != 0)
        {
            _device.Lacks(mode);
            Issue(op);
        }
        else if (result < 0 || mode != 0) Complete(op, result);
        else AdvanceZeroes(op, result);
    }

    private void AdvanceZeroes(IoOp* op, int written)
    {
        DoneOf(op) += written;
        if (written == 0) Complete(op, -Errno.EIO);
        else if (DoneOf(op) >= BytesOf(op)) Complete(op, 0);
        else Issue(op);
    }

    private void AdvanceData(IoOp* op, int result)
    {
        DoneOf(op) += Math.Max(result, 0);
        if (result < 0) Complete(op, result);
        // The end of the file inside the device: somebody has cut it off.
        else if (result == 0) Complete(op, -Errno.EIO);
        else if (DoneOf(op) >= BytesOf(op)) CompleteData(op);
        else Issue(op);
    }

    /// <summary>Behind the file's end there are zeroes. A ring's buffer ends before: its user knows sectors.</summary>
    private void CompleteData(IoOp* op)
    {
        long rest = op->LengthBytes - DoneOf(op);
        Invariant.Check(rest == 0 || op->ClientBuffer == 0);
        if (rest > 0 && op->Kind == IoKind.Read) new Span<byte>((byte*)op->Buffer + DoneOf(op), (int)rest).Clear();
        Complete(op, (int)op->LengthBytes);
    }

    private void Complete(IoOp* op, int result)
    {
        Volatile.Write(ref _answeredMs, Environment.TickCount64);
        Volatile.Write(ref _underWay, _underWay - 1);
        _io.Complete(op, result);
    }
}
