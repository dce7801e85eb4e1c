using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/*
 * Devices with 4 KiB sectors, served to clients that think in 512 bytes. A read fetches whole blocks: the request's
 * memory has room for them. A write, discard or zeroing of whole blocks shares them with others of its kind. One with
 * an edge inside a block has its blocks alone and goes step by step; the op's step says what is done at the moment, the
 * request's own Progress how many bytes are behind it.
 *
 *        head block        whole blocks         tail block
 *   |....======|==========================|=======.......|
 *    HeadRead, HeadWrite       Main         TailRead, TailWrite     (a part that is empty is left out)
 */
internal sealed unsafe partial class PassthroughQueue
{
    private const int BlockShift = 12;

    // Unaligned changes under way on this thread; more wait.
    private const int EdgeBuffers = 32;

    // Null where no change can be unaligned.
    private readonly BlockLocks? _locks;
    private readonly GrantQueue _grants;
    private readonly BufferPool? _edges;
    // One for each operation of the context, by its number.
    private readonly BlockLock* _lockOf;

    private static ref int EdgeOf(IoOp* op) => ref op->Own<PassthroughOp>().EdgeBuffer;

    private static PassthroughRequest* Own(Request* request) => PassthroughRequest.Of(request);

    private bool IsUnaligned(Request* request) =>
        request->Kind != RequestKind.Flush && ((request->OffsetBytes | request->LengthBytes) & _blockMask) != 0;

    private bool IsMerged(Request* request) => request->Kind != RequestKind.Read && IsUnaligned(request);

    private bool IsLocked(Request* request) =>
        _locks != null && request->Kind is not (RequestKind.Read or RequestKind.Flush)
        && (IsUnaligned(request) || !Mutant.Is(PassthroughMutant.R14WholeUnlocked));

    /// <summary>Begins now, or when those in its way are done.</summary>
    private void BeginLocked(IoOp* op, Request* request)
    {
        BlockLock* it = &_lockOf[op->Index];
        it->FirstBlock = request->OffsetBytes >> BlockShift;
        it->BlockCount = ((request->OffsetBytes + request->LengthBytes - 1) >> BlockShift) - it->FirstBlock + 1;
        if (Mutant.Is(PassthroughMutant.R14LastUnlocked) && it->BlockCount > 1) it->BlockCount--;
        bool isAlone = IsMerged(request) && !Mutant.Is(PassthroughMutant.R14EdgeShared);
        it->Mode = isAlone ? BlockLockMode.Exclusive : BlockLockMode.Write;
        it->Owner = op;
        if (_locks!.Take(it, _grants)) Begin(op, request);
    }

    private void BeginGranted()
    {
        if (Mutant.Is(PassthroughMutant.R14GrantForgotten)) return;
        for (BlockLock* it; (it = _grants.Take()) != null;) Begin((IoOp*)it->Owner, ((IoOp*)it->Owner)->Request);
    }

    private void Unlock(IoOp* op, Request* request)
    {
        if (IsMerged(request)) _edges!.Return(EdgeOf(op));
        _locks!.Release(&_lockOf[op->Index]);
    }

    private void SubmitWholeBlocks(IoOp* op, Request* request)
    {
        long start = request->OffsetBytes & ~_blockMask;
        long end = (request->OffsetBytes + request->LengthBytes + _blockMask) & ~_blockMask;
        op->Step = (byte)Step.Main;
        op->OffsetBytes = start;
        op->LengthBytes = end - start;
        op->Buffer = request->Data - (request->OffsetBytes - start);
        _device.Submit(op);
    }

    /// <summary>One step is done.</summary>
    private void NextUnaligned(IoOp* op, Request* request)
    {
        if (request->Kind == RequestKind.Read)
        {
            End(op, request, 0);
            return;
        }
        switch ((Step)op->Step)
        {
            case Step.HeadRead: WriteEdge(op, request, Step.HeadWrite); return;
            case Step.TailRead: WriteEdge(op, request, Step.TailWrite); return;
            case Step.HeadWrite or Step.TailWrite: Own(request)->Progress += EdgeBytes(request); break;
            default: Own(request)->Progress += op->LengthBytes; break;
        }
        Continue(op, request);
    }

    /// <summary>The next part from where Progress stands.</summary>
    private void Continue(IoOp* op, Request* request)
    {
        long at = request->OffsetBytes + Own(request)->Progress;
        long left = request->LengthBytes - Own(request)->Progress;
        if (left == 0 && NeedsFlush(request)) SubmitFlush(op);
        else if (left == 0) End(op, request, 0);
        else if ((at & _blockMask) != 0) ReadEdge(op, at, Step.HeadRead);
        else if (left <= _blockMask) ReadEdge(op, at, Step.TailRead);
        else SubmitRange(op, request, at, left & ~_blockMask);
    }

    /// <summary>Bytes of the request in the block where Progress stands.</summary>
    private long EdgeBytes(Request* request)
    {
        long at = request->OffsetBytes + Own(request)->Progress;
        return Math.Min(request->LengthBytes - Own(request)->Progress, _blockMask + 1 - (at & _blockMask));
    }

    private void ReadEdge(IoOp* op, long at, Step step)
    {
        op->Step = (byte)step;
        op->Kind = IoKind.Read;
        op->OffsetBytes = at & ~_blockMask;
        op->LengthBytes = _blockMask + 1;
        op->Buffer = _edges!.At(EdgeOf(op));
        _device.Submit(op);
    }

    /// <summary>Puts the request's bytes, or zeroes, into the block just read, and writes it back.</summary>
    private void WriteEdge(IoOp* op, Request* request, Step step)
    {
        long at = request->OffsetBytes + Own(request)->Progress;
        if (Mutant.Is(PassthroughMutant.R14EdgeNotMerged)) new Span<byte>(op->Buffer, 1 << BlockShift).Clear();
        Span<byte> part = new(_edges!.At(EdgeOf(op)) + (at & _blockMask), (int)EdgeBytes(request));
        if (request->Kind == RequestKind.Write)
            new ReadOnlySpan<byte>(request->Data + Own(request)->Progress, part.Length).CopyTo(part);
        else part.Clear();
        op->Step = (byte)step;
        op->Kind = IoKind.Write;
        _device.Submit(op);
    }
}
