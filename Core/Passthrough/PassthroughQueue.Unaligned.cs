using System;
using Weir.Core.Io;
using Slab = Weir.Native.Slab;

namespace Weir.Core.Passthrough;

/*
 * Devices with 4 KiB sectors, served to clients that think in 512 bytes. A read fetches whole blocks: the request's
 * memory has room for them. A write, discard or zeroing with an edge inside a block has the gate to itself and goes
 * step by step; the op's step says what is done at the moment, its own Progress how many bytes are behind it.
 *
 *        head block        whole blocks         tail block
 *   |....======|==========================|=======.......|
 *    HeadRead, HeadWrite       Main         TailRead, TailWrite     (a part that is empty is left out)
 */
internal sealed unsafe partial class PassthroughQueue
{
    private const long MinimumUnit = 512;

    // One block: there is one such request at a time in the whole volume.
    private readonly Slab? _edge;

    private static PassthroughRequest* Own(Request* request) => PassthroughRequest.Of(request);

    private bool IsUnaligned(Request* request) =>
        request->Kind != RequestKind.Flush && ((request->OffsetBytes | request->LengthBytes) & _blockMask) != 0;

    private bool TryEnterGate(Request* request)
    {
        if (request->Kind is RequestKind.Read or RequestKind.Flush) return true;
        return IsUnaligned(request) ? _volume.Gate.TryEnterAlone() : _volume.Gate.TryEnter();
    }

    private void LeaveGate(Request* request)
    {
        if (request->Kind is RequestKind.Read or RequestKind.Flush) return;
        if (IsUnaligned(request)) _volume.Gate.ExitAlone();
        else _volume.Gate.Exit();
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
        op->Buffer = _edge!.Start;
        _device.Submit(op);
    }

    /// <summary>Puts the request's bytes, or zeroes, into the block just read, and writes it back.</summary>
    private void WriteEdge(IoOp* op, Request* request, Step step)
    {
        long at = request->OffsetBytes + Own(request)->Progress;
        Span<byte> part = new(_edge!.Start + (at & _blockMask), (int)EdgeBytes(request));
        if (request->Kind == RequestKind.Write)
            new ReadOnlySpan<byte>(request->Data + Own(request)->Progress, part.Length).CopyTo(part);
        else part.Clear();
        op->Step = (byte)step;
        op->Kind = IoKind.Write;
        _device.Submit(op);
    }
}
