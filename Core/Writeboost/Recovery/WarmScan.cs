using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// After an orderly stop, the segments that had been written back and not used again serve reads as before (R10). From
/// the mark backwards, so that the mark vouches for them: it has the checksum of the header before it, and each header
/// has that of the one before. What does not fit, or is not reached in time, ends the warm part; nothing is lost by
/// that. One pass over the segments' first headers, as a <see cref="HeaderStream"/>; a segment of several records is
/// read as a whole.
/// </summary>
internal sealed unsafe class WarmScan(
    Superblock superblock, Geometry geometry, BlockingIo io, DeviceQueue queue, Device cache, Replay replay)
    : IDisposable
{
    private readonly AlignedMemory _segment = new(geometry.SegmentBytes);
    private long _sequence = superblock.MarkSequence;
    private uint _checksum = superblock.MarkChecksum;

    /// <summary>Blocks that are warm.</summary>
    public long Blocks { get; private set; }

    /// <summary>
    /// Enters the segments from <paramref name="first"/> to the mark, the newest first, for as long as
    /// <paramref name="mostUs"/>; returns the oldest of them that is warm, or the mark's when none is.
    /// </summary>
    public long Run(long first, long mostUs)
    {
        long segment = geometry.SegmentOf(superblock.MarkPosition), last = segment - 1;
        long endUs = io.Context.NowUs + mostUs;
        try
        {
            using HeaderStream headers = new(
                io.Context, queue, cache, (int)(segment - first),
                i => geometry.OffsetOf(geometry.Position(last - i, 0)));
            while (segment > first && io.Context.NowUs < endUs
                && TryEnter(segment - 1, (RecordHeader*)headers.Next()))
                segment--;
        }
        catch (UserErrorException)
        {
            // It cannot be read: the backing device has it.
        }
        Invariant.Check(segment >= first);
        Invariant.Check(segment <= last + 1);
        return segment;
    }

    /// <inheritdoc/>
    public void Dispose() => _segment.Dispose();

    // Nothing is entered before all records of the segment fit.
    private bool TryEnter(long segment, RecordHeader* header)
    {
        if (!RecordHeader.IsValid(header, superblock, geometry.Position(segment, 0))) return false;
        (long sequence, uint previous) = (header->Sequence, header->PreviousChecksum);
        if (IsLast(header) && !HasPoison(header)) Enter(header);
        else if (IsLast(header) || !TryWalk(segment, apply: false)) return false;
        else TryWalk(segment, apply: true);
        (_sequence, _checksum) = (sequence, previous);
        return true;
    }

    private bool TryWalk(long segment, bool apply)
    {
        if (!apply) Read(segment);
        RecordHeader* before = null;
        for (int slot = 0; slot < geometry.SlotsPerSegment;)
        {
            RecordHeader* header = (RecordHeader*)(_segment.Pointer + ((long)slot << Geometry.BlockShift));
            bool follows = RecordHeader.IsValid(header, superblock, geometry.Position(segment, slot))
                && (before == null || (header->Sequence == before->Sequence + 1
                    && header->PreviousChecksum == before->Checksum));
            if (!follows)
            {
                slot = (slot | (geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            if (apply) Enter(header);
            else if (HasPoison(header)) return false;
            if (IsLast(header)) return true;
            before = header;
            slot += 1 + header->EntryCount;
        }
        return false;
    }

    // What it stands for, and what is older of its block, may not be on the backing device.
    private static bool HasPoison(RecordHeader* header)
    {
        foreach (ref readonly LogEntry entry in RecordHeader.EntriesOf(header))
            if (entry.Kind == EntryKind.Poison) return true;
        return false;
    }

    private bool IsLast(RecordHeader* header) => header->Sequence == _sequence - 1 && header->Checksum == _checksum;

    private void Enter(RecordHeader* header) => Blocks += replay.ApplyWarm(
        header->Position, header->Sequence, RecordHeader.EntriesOf(header));

    private void Read(long segment)
    {
        long offset = geometry.OffsetOf(geometry.Position(segment, 0));
        io.Start(queue, IoKind.Read, offset, _segment.Pointer, geometry.SegmentBytes);
        io.WaitOrFail("reading the log", cache);
    }
}
