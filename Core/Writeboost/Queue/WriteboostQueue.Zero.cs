using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// Discard and write-zeroes (R9): the whole blocks become one range entry, the ragged edges zeroed sectors, all ordered
/// like writes. A single block is a plain write of zeroes, which costs the same slot and no budget, unless there is
/// budget to spare and the client permits a hole. Layouts without ranges log every block of zeroes, discard nothing.
/// </content>
internal sealed unsafe partial class WriteboostQueue
{
    private bool TryFillZero(Request* request)
    {
        if (Mutant.Is(WriteboostMutant.R9DiscardIgnored)) return true;
        if (!_layout.HasRanges) return request->Kind == RequestKind.Discard || TryFillWrite(request);
        while (Own(request)->Progress < request->LengthBytes)
        {
            if (!TryTakeBudget(request)) return false;
            bool isRange = Own(request)->HasBudget;
            if (!(isRange ? TryAppendRange(request) : TryAppend(request, 1))) return false;
        }
        return true;
    }

    // False: what comes next must be a range, and the budget is used up.
    private bool TryTakeBudget(Request* request)
    {
        long blocks = RangeBlocks(request);
        if (blocks == 0 || Own(request)->HasBudget) return true;
        bool isTaken = blocks > 1
            ? _ranges.TryTakeBudget(beyond: _isHurried)
            : MayBeHole(request) && _ranges.TryTakeSpareBudget();
        if (isTaken) Own(request)->HasBudget = true;
        if (isTaken || blocks == 1) return true;
        _lacksBudget = true;
        _pressure.Begin();
        return false;
    }

    private static bool MayBeHole(Request* request) => (request->Flags & RequestFlags.NoHole) == 0;

    // Whole blocks from the request's next byte on; the last block of the volume counts as whole when it is short.
    private long RangeBlocks(Request* request)
    {
        if (!_layout.HasRanges) return 0;
        long offset = request->OffsetBytes + Own(request)->Progress;
        long end = request->OffsetBytes + request->LengthBytes;
        if ((offset & (Geometry.BlockBytes - 1)) != 0) return 0;
        if (end == SizeOf(request)) end += Geometry.BlockBytes - 1;
        return Math.Min((end - offset) >> Geometry.BlockShift, LogEntry.MaxRangeBlocks);
    }

    private void FillZero(Request* request, in LogSlot slot)
    {
        byte* data = _appender.Data(slot);
        new Span<byte>(data, Geometry.BlockBytes).Clear();
        long offset = request->OffsetBytes + Own(request)->Progress;
        long left = request->LengthBytes - Own(request)->Progress;
        if (Own(request)->HasBudget && _layout.HasRanges)
        {
            long blocks = RangeBlocks(request);
            EntryKind kind = MayBeHole(request) ? EntryKind.Discard : EntryKind.Zeroes;
            Invariant.Check(blocks > 0);
            Own(request)->HasBudget = false;
            Own(request)->Progress += Math.Min(blocks << Geometry.BlockShift, left);
            Publish(slot, LogEntry.ForRange(KeyOf(request, offset), (uint)blocks, kind));
            return;
        }
        int within = (int)(offset & (Geometry.BlockBytes - 1));
        int length = (int)Math.Min(Geometry.BlockBytes - within, left);
        Own(request)->Progress += length;
        uint checksum = BlockSum.Compute(data);
        Publish(slot, LogEntry.ForData(KeyOf(request, offset), SectorMask.Of(within, length), checksum));
    }
}
