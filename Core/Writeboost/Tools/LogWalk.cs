using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// Walks the chain of records from a position on, in log order, whole segments at a time. The rules are recovery's
/// (R4): the next sequence, the checksum of the header before, the epoch not falling. It judges no data.
/// </summary>
internal sealed class LogWalk(OfflineCache cache)
{
    private long _epoch;
    private long _settled;
    private long _firstSequence;

    /// <summary>Position after the last record of the chain so far.</summary>
    public long EndPosition { get; private set; }

    /// <summary>Sequence after it.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Checksum of its header.</summary>
    public uint Checksum { get; private set; }

    /// <summary>Records so far.</summary>
    public long Records { get; private set; }

    /// <summary>
    /// Begins before the record <paramref name="sequence"/>, which is to follow the header with
    /// <paramref name="checksum"/>, in the segment of <paramref name="position"/> or a later one. Behind
    /// <paramref name="settled"/>, where it is not 0, only the present epoch counts, and it begins with a segment.
    /// </summary>
    public void Begin(long position, long sequence, uint checksum, long settled = 0)
    {
        (EndPosition, NextSequence, Checksum, Records, _epoch) = (position, sequence, checksum, 0, 0);
        (_settled, _firstSequence) = (settled, sequence);
    }

    /// <summary>
    /// Visits the records of the chain that end at or below <paramref name="end"/>; the segment of each is in memory
    /// when it is visited. Stops where the chain does.
    /// </summary>
    public void Run(long end, Visit visit)
    {
        Geometry geometry = cache.Geometry;
        long first = geometry.SegmentOf(EndPosition);
        cache.Expect(Math.Clamp(geometry.SegmentOf(end - 1) - first + 1, 0, geometry.SegmentCount));
        for (long segment = first; segment < first + geometry.SegmentCount; segment++)
        {
            if (geometry.Position(segment, 0) >= end) return;
            cache.ReadSegment(geometry.Physical(segment));
            long records = Records;
            bool mayStayEmpty = segment == first && geometry.SlotOf(EndPosition) != 0;
            WalkSegment(segment, end, visit);
            if (Records == records && !mayStayEmpty) return;
        }
    }

    /// <summary>A record of the chain, in slot <paramref name="slot"/> of the segment in memory.</summary>
    public delegate void Visit(int slot, in RecordInfo info);

    // Behind a record comes the next, or, when its stretch was given up, the next boundary.
    private void WalkSegment(long segment, long end, Visit visit)
    {
        Geometry geometry = cache.Geometry;
        int physical = geometry.Physical(segment);
        int slot = geometry.SegmentOf(EndPosition) == segment ? geometry.SlotOf(EndPosition) : 0;
        while (slot < geometry.SlotsPerSegment)
        {
            if (!cache.TryReadHeader(physical, slot, out RecordInfo info) || !Follows(info, segment))
            {
                slot = (slot | (geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            if (info.EndPosition > end) return;
            Invariant.Check(info.Position >= EndPosition);
            visit(slot, info);
            Records++;
            _epoch = info.Epoch;
            (EndPosition, NextSequence, Checksum) = (info.EndPosition, info.Sequence + 1, info.Checksum);
            // Of the chain no record is left out, and none counts twice.
            Invariant.Check(NextSequence - _firstSequence == Records);
            slot += 1 + info.EntryCount;
        }
    }

    private bool Follows(in RecordInfo info, long segment) =>
        info.Sequence == NextSequence && info.PreviousChecksum == Checksum && info.Epoch >= _epoch
        && cache.Geometry.SegmentOf(info.Position) == segment && IsOfItsTime(info);

    private bool IsOfItsTime(in RecordInfo info)
    {
        if (_settled == 0) return true;
        if (info.Position < _settled) return info.EndPosition <= _settled;
        return info.Epoch == cache.Superblock.Epoch
            && cache.Geometry.SegmentOf(info.Position) > cache.Geometry.SegmentOf(_settled - 1);
    }
}
