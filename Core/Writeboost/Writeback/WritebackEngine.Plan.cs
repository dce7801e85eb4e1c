using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <content>From the segments as read to sorted lists of what must go to the backing device.</content>
public sealed unsafe partial class WritebackEngine
{
    private long _sequence;
    private uint _checksum;
    private bool _skipped;

    private bool EndRead()
    {
        _sequence = _volume.Superblock.MarkSequence;
        _checksum = _volume.Superblock.MarkChecksum;
        _skipped = false;
        for (int i = 0; i < _batch.Count; i++)
            if (!PlanSegment(i)) return false;
        _batch.SortAndMerge();
        // R7: what was skipped because something newer is logged may be forgotten only when that is durable.
        _durableBefore = _skipped && !Mutant.Is(MutantId.R7SkipForUndurable) ? _log.ReservedEnd : 0;
        _phase = Phase.Zero;
        return true;
    }

    private bool PlanSegment(int index)
    {
        long segment = _batch.First + index;
        int slots = _log.Geometry.SlotsPerSegment;
        long last = _log.Table.LastRecordOf(_log.Geometry.Physical(segment));
        for (int slot = 0; slot < slots && _sequence <= last;)
        {
            byte* header = _batch.Data(index, slot);
            long position = _log.Geometry.Position(segment, slot);
            bool valid = _log.Layout.TryReadHeader(
                    header, _volume.Superblock, _log.Geometry, position, out RecordInfo info)
                && info.Sequence == _sequence && info.PreviousChecksum == _checksum
                && (_log.Layout.HasBlockChecksums || _log.Layout.IsWhole(header, info));
            if (!valid)
            {
                slot = (slot | (_log.Geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            if (!PlanRecord(header, info, index, slot)) return false;
            _sequence++;
            _checksum = info.Checksum;
            slot += 1 + info.EntryCount;
        }
        bool complete = last == 0 || _sequence == last + 1;
        return complete
            || GetStuck($"cache device: a record of segment {segment} is rotten (record {_sequence} of {last})");
    }

    private bool PlanRecord(byte* header, in RecordInfo info, int index, int slot)
    {
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        _log.Layout.ReadEntries(header, info, entries);
        for (int i = 0; i < info.EntryCount; i++)
        {
            int place = (index << _log.Geometry.SlotShift) + slot + 1 + i;
            switch (entries[i].Kind)
            {
                case EntryKind.Data:
                    if (!PlanData(entries[i], place)) return false;
                    break;
                case EntryKind.Zeroes or EntryKind.Discard:
                    _batch.AddRange(entries[i]);
                    break;
            }
        }
        return true;
    }

    // Layouts without a checksum for every block can tell only where the index keeps them.
    private bool IsIntact(in LogEntry entry, uint physical, int place)
    {
        byte* data = _batch.Data(place);
        if (_log.Layout.HasBlockChecksums) return BlockSum.Compute(data) == entry.Value;
        return !_volume.Index.KeepsChecksums || _volume.Index.IsIntact(physical, data);
    }

    private bool PlanData(in LogEntry entry, int place)
    {
        long position = _batch.PositionOf(place);
        uint physical = _log.Geometry.PhysicalSlot(position);
        if (_volume.Ranges.PositionOver(entry.Key) > position)
        {
            _skipped = true;
            _batch.AddCovered(place);
            return true;
        }
        bool counts = _volume.Index.IsLinked(physical);
        _skipped |= !counts;
        _batch.AddPlace(place, entry.Key, entry.Sectors, counts);
        if (!counts || IsIntact(entry, physical, place)) return true;
        _volume.ReportRot(physical);
        return GetStuck($"cache device: block {entry.Block} in segment {_log.Geometry.SegmentOf(position)} is rotten");
    }
}
