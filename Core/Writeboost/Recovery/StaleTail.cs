using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// A record whose data was torn leaves a header that fits the chain. This life goes on at the next segment with the
/// same sequence, and a later scan, for which the settled position lies far behind, must not meet two records that fit
/// (R4).
/// So the header goes. Only the segment where the log ends can hold one: the next segment's first header is overwritten
/// by this life's first record.
/// </summary>
internal static unsafe class StaleTail
{
    /// <summary>
    /// Zeroes the headers that could follow the end of the log, <paramref name="position"/>, in its segment.
    /// </summary>
    public static void Erase(
        long position, in Superblock superblock, in Geometry geometry, BlockingIo io, DeviceQueue queue, Device cache)
    {
        if (Mutant.Is(WriteboostMutant.R4FutureKept)) return;
        using AlignedMemory memory = new(2 * RecordHeader.Bytes);
        byte* zeroes = memory.Pointer + RecordHeader.Bytes;
        for (int slot = geometry.SlotOf(position);
            slot != 0 && slot < geometry.SlotsPerSegment;
            slot = (slot | (geometry.BoundarySlots - 1)) + 1)
        {
            long candidate = geometry.Position(geometry.SegmentOf(position), slot);
            Invariant.Check(candidate >= position);
            io.Start(queue, IoKind.Read, geometry.OffsetOf(candidate), memory.Pointer, RecordHeader.Bytes);
            // What cannot be read may be anything: overwritten it is nothing, and can often be read again.
            bool isRead = io.Wait() == 0;
            if (isRead && !RecordHeader.IsValid((RecordHeader*)memory.Pointer, superblock, candidate)) continue;
            io.Start(queue, IoKind.Write, geometry.OffsetOf(candidate), zeroes, RecordHeader.Bytes);
            io.WaitOrFail("writing the log", cache);
        }
    }
}
