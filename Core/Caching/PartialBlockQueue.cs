using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Caching;

/*
 * Devices with 4 KiB sectors, served to clients that think in 512 bytes. A read fetches whole blocks: the request's
 * memory has room for them. A write, discard or zeroing of whole blocks shares them with others of its kind. One with
 * an edge inside a block has its blocks alone and goes step by step.
 *
 *        head block        whole blocks         tail block
 *   |....======|==========================|=======.......|
 *    HeadRead, HeadWrite       Main         TailRead, TailWrite     (a part that is empty is left out)
 */

/// <summary>
/// One thread's way to a device of larger sectors than its clients'. An operation stays the same one for all its
/// steps: what its handler has put into it is kept beside it, and is there again when the handler gets it.
/// </summary>
internal sealed unsafe class PartialBlockQueue : DeviceQueue, IIoHandler, IDisposable
{
    private const int BlockShift = 12, BlockBytes = 1 << BlockShift, Mask = BlockBytes - 1;

    // Partial changes under way on this thread; more wait.
    private const int EdgeBuffers = 32;

    private enum Step : byte
    {
        Main,
        HeadRead,
        HeadWrite,
        TailRead,
        TailWrite,
    }

    /// <summary>What was asked, and how far it is.</summary>
    private struct Asked
    {
        public BlockLock Lock;
        public byte* Buffer;
        public long OffsetBytes;
        public long LengthBytes;
        public long DoneBytes;
        public int Edge;
        public ushort Handler;
        public IoKind Kind;
        public Step Step;
        public bool IsLocked;

        public readonly bool IsPartial => ((OffsetBytes | LengthBytes) & Mask) != 0;
    }

    private readonly DeviceQueue _device;
    private readonly BlockLocks _locks;
    private readonly IoContext _io;
    private readonly GrantQueue _grants;
    private readonly BufferPool _edges = new(EdgeBuffers, BlockBytes);
    private readonly ushort _handler;

    // One for each operation of the context, by its number.
    private readonly Asked* _asked = (Asked*)NativeMemory.AllocZeroed(IoContext.PoolSize, (nuint)sizeof(Asked));

    // No buffer was free for their edges.
    private IoOp* _firstWaiting;
    private IoOp* _lastWaiting;

    /// <summary>On the thread that owns <paramref name="io"/>, which has number <paramref name="index"/>.</summary>
    public PartialBlockQueue(DeviceQueue device, BlockLocks locks, int index, IoContext io)
    {
        (_device, _locks, _io) = (device, locks, io);
        _grants = new GrantQueue(index, io);
        _handler = io.AddHandler(this);
    }

    /// <inheritdoc/>
    public override bool TakesClientBuffers => _device.TakesClientBuffers;

    /// <inheritdoc/>
    public override void Submit(IoOp* op)
    {
        bool isPartial = ((op->OffsetBytes | op->LengthBytes) & Mask) != 0;
        if (op->Kind == IoKind.Flush || (op->Kind == IoKind.Read && !isPartial))
        {
            _device.Submit(op);
            return;
        }
        if (isPartial) Request.FallBackToMemory(op);
        _asked[op->Index] = new Asked
        {
            Buffer = (byte*)op->Buffer, OffsetBytes = op->OffsetBytes, LengthBytes = op->LengthBytes,
            Handler = op->Handler, Kind = op->Kind, Edge = -1,
        };
        op->Handler = _handler;
        if (op->Kind == IoKind.Read) ReadWholeBlocks(op);
        else if (isPartial && (_edges.FreeCount == 0 || _firstWaiting != null)) Wait(op);
        else Start(op);
    }

    /// <inheritdoc/>
    public override void Poll()
    {
        _device.Poll();
        if (Mutant.Is(SharedMutant.R14GrantForgotten)) return;
        for (BlockLock* it; (it = _grants.Take()) != null;) Continue((IoOp*)it->Owner);
    }

    /// <inheritdoc/>
    public override void Close() => _device.Close();

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        Asked* asked = &_asked[op->Index];
        if (op->Result < 0) End(op, op->Result);
        else if (asked->Kind == IoKind.Read) End(op, checked((int)asked->LengthBytes));
        else Next(op, asked);
    }

    /// <summary>Nothing is under way.</summary>
    public void Dispose()
    {
        _edges.Dispose();
        NativeMemory.Free(_asked);
    }

    private void Wait(IoOp* op)
    {
        op->Next = null;
        if (_lastWaiting == null) _firstWaiting = op;
        else _lastWaiting->Next = op;
        _lastWaiting = op;
    }

    private void StartWaiting()
    {
        while (_firstWaiting != null && _edges.FreeCount > 0)
        {
            IoOp* op = _firstWaiting;
            _firstWaiting = op->Next;
            if (_firstWaiting == null) _lastWaiting = null;
            Start(op);
        }
    }

    // Begins now, or when those in its way are done.
    private void Start(IoOp* op)
    {
        Asked* asked = &_asked[op->Index];
        if (asked->IsPartial) asked->Edge = _edges.Take();
        asked->IsLocked = asked->IsPartial || !Mutant.Is(SharedMutant.R14WholeUnlocked);
        if (!asked->IsLocked || TryLock(op, asked)) Continue(op);
    }

    private bool TryLock(IoOp* op, Asked* asked)
    {
        BlockLock* it = &asked->Lock;
        it->FirstBlock = asked->OffsetBytes >> BlockShift;
        it->BlockCount = ((asked->OffsetBytes + asked->LengthBytes - 1) >> BlockShift) - it->FirstBlock + 1;
        if (Mutant.Is(SharedMutant.R14LastUnlocked) && it->BlockCount > 1) it->BlockCount--;
        bool isAlone = asked->IsPartial && !Mutant.Is(SharedMutant.R14EdgeShared);
        it->Mode = isAlone ? BlockLockMode.Exclusive : BlockLockMode.Write;
        it->Owner = op;
        return _locks.Take(it, _grants);
    }

    private void ReadWholeBlocks(IoOp* op)
    {
        Asked* asked = &_asked[op->Index];
        long start = asked->OffsetBytes & ~Mask;
        long end = (asked->OffsetBytes + asked->LengthBytes + Mask) & ~Mask;
        op->OffsetBytes = start;
        op->LengthBytes = end - start;
        op->Buffer = asked->Buffer - (asked->OffsetBytes - start);
        _device.Submit(op);
    }

    // One step is done.
    private void Next(IoOp* op, Asked* asked)
    {
        switch (asked->Step)
        {
            case Step.HeadRead: WriteEdge(op, asked, Step.HeadWrite); return;
            case Step.TailRead: WriteEdge(op, asked, Step.TailWrite); return;
            case Step.HeadWrite or Step.TailWrite: asked->DoneBytes += EdgeBytes(asked); break;
            default: asked->DoneBytes += op->LengthBytes; break;
        }
        Continue(op);
    }

    // The next part.
    private void Continue(IoOp* op)
    {
        Asked* asked = &_asked[op->Index];
        long at = asked->OffsetBytes + asked->DoneBytes;
        long left = asked->LengthBytes - asked->DoneBytes;
        if (left == 0) End(op, asked->Kind == IoKind.Write ? checked((int)asked->LengthBytes) : 0);
        else if ((at & Mask) != 0) ReadEdge(op, asked, at, Step.HeadRead);
        else if (left <= Mask) ReadEdge(op, asked, at, Step.TailRead);
        else SubmitWhole(op, asked, at, left & ~Mask);
    }

    private void SubmitWhole(IoOp* op, Asked* asked, long at, long length)
    {
        asked->Step = Step.Main;
        op->Kind = asked->Kind;
        op->OffsetBytes = at;
        op->LengthBytes = length;
        op->Buffer = asked->Buffer == null ? null : asked->Buffer + (at - asked->OffsetBytes);
        _device.Submit(op);
    }

    // Bytes that were asked for in the block where it stands.
    private static long EdgeBytes(Asked* asked)
    {
        long at = asked->OffsetBytes + asked->DoneBytes;
        return Math.Min(asked->LengthBytes - asked->DoneBytes, BlockBytes - (at & Mask));
    }

    private void ReadEdge(IoOp* op, Asked* asked, long at, Step step)
    {
        asked->Step = step;
        op->Kind = IoKind.Read;
        op->OffsetBytes = at & ~Mask;
        op->LengthBytes = BlockBytes;
        op->Buffer = _edges.At(asked->Edge);
        _device.Submit(op);
    }

    // Puts what was asked for, or zeroes, into the block just read, and writes it back.
    private void WriteEdge(IoOp* op, Asked* asked, Step step)
    {
        long at = asked->OffsetBytes + asked->DoneBytes;
        if (Mutant.Is(SharedMutant.R14EdgeNotMerged)) new Span<byte>(op->Buffer, BlockBytes).Clear();
        Span<byte> part = new(_edges.At(asked->Edge) + (at & Mask), (int)EdgeBytes(asked));
        if (asked->Kind == IoKind.Write)
            new ReadOnlySpan<byte>(asked->Buffer + asked->DoneBytes, part.Length).CopyTo(part);
        else part.Clear();
        asked->Step = step;
        op->Kind = IoKind.Write;
        _device.Submit(op);
    }

    // The handler gets it as it was.
    private void End(IoOp* op, int result)
    {
        Asked* asked = &_asked[op->Index];
        if (asked->IsLocked) _locks.Release(&asked->Lock);
        if (asked->Edge >= 0) _edges.Return(asked->Edge);
        op->Handler = asked->Handler;
        op->Kind = asked->Kind;
        op->OffsetBytes = asked->OffsetBytes;
        op->LengthBytes = asked->LengthBytes;
        op->Buffer = asked->Buffer;
        _io.Complete(op, result);
        StartWaiting();
    }
}
