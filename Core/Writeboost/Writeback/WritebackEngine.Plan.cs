using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// From the segments as read to sorted lists of what must go to the backing device: a little in every turn, so that the
/// clients of this thread do not wait for the checksums of a whole batch.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Entries looked at in one turn: 256 KiB of checksums, some tens of microseconds.</summary>
    private const int EntriesPerTurn = 64;

    private readonly LogEntry* _entries;
    private RecordInfo _record;
    private bool _recordIsRotten;
    private int _recordBatchSlot;
    private int _entry;
    private int _segment;
    private int _slot;
    private long _sequence;
    private uint _checksum;
    private bool _skipped;

    private bool EndRead()
    {
        Invariant.Check(_outstanding == 0);
        _sequence = _superblock.Now.MarkSequence;
        _checksum = _superblock.Now.MarkChecksum;
        _skipped = false;
        _poisonCount = 0;
        _seesPoison = false;
        _record = default;
        _entry = _segment = _slot = 0;
        _phase = Phase.Plan;
        return true;
    }

    private bool PlanMore()
    {
        for (int left = EntriesPerTurn; left > 0; left--)
        {
            if (_entry < _record.EntryCount)
            {
                if (!PlanEntry(_entries[_entry], _recordBatchSlot + 1 + _entry)) return false;
                _entry++;
            }
            else if (_segment == _batch.Count)
            {
                return EndPlan();
            }
            else if (!FindRecord())
            {
                return false;
            }
        }
        return false;
    }

    private bool EndPlan()
    {
        (_unreadSinceUs, _cursor) = (-1, 0);
        _batch.SortAndMerge();
        if (TryShorten()) return StartRead();
        // R7: what was skipped because something newer is logged may be forgotten only when that is durable.
        _durableBefore = _skipped && !Mutant.Is(WriteboostMutant.R7SkipForUndurable) ? _log.ReservedEnd : 0;
        _mayKeep = _log.Layout.HasEpochs && _poisonCount == 0 && !_seesPoison && !_dirty.IsAnyAbsent;
        bool drops = _samples.BeginBatch(_batch, _devices);
        _phase = drops ? Phase.Drop : Phase.Zero;
        return true;
    }

    // The segment's next record, or the step to the next segment. False: it is rotten.
    private bool FindRecord()
    {
        long segment = _batch.First + _segment;
        long last = _log.Table.LastRecordOf(_log.Geometry.Physical(segment));
        while (_slot < _log.Geometry.SlotsPerSegment && _sequence <= last)
        {
            if (TryTakeRecord(segment) || TryTakeByIndex(segment)) return true;
            _slot = (_slot | (_log.Geometry.BoundarySlots - 1)) + 1;
        }
        _segment++;
        _slot = 0;
        bool complete = last == 0 || _sequence == last + 1;
        if (complete || IsSegmentUnread(_segment - 1)) return complete;
        return GetStuck($"cache device: a record of segment {segment} is rotten (record {_sequence} of {last})");
    }

    private bool TryTakeRecord(long segment)
    {
        byte* header = _batch.Data(_segment, _slot);
        long position = _log.Geometry.Position(segment, _slot);
        bool valid = _log.Layout.TryReadHeader(
                header, _superblock.Now, _log.Geometry, position, out RecordInfo info)
            && info.Sequence == _sequence && info.PreviousChecksum == _checksum
            && (_log.Layout.HasBlockChecksums || _log.Layout.IsWhole(header, info));
        if (!valid) return false;
        _log.Layout.ReadEntries(header, info, _entries);
        (_record, _recordIsRotten) = (info, false);
        _recordBatchSlot = (_segment << _log.Geometry.SlotShift) + _slot;
        _entry = 0;
        _sequence++;
        _checksum = info.Checksum;
        _slot += 1 + info.EntryCount;
        Invariant.Check(_slot <= _log.Geometry.SlotsPerSegment);
        return true;
    }

    private bool PlanEntry(in LogEntry entry, int batchSlot)
    {
        // Another device's, which had the number before: it has all it ever will (R13).
        bool isForeign = _log.Layout.HasDeviceTable
            && _batch.PositionOf(batchSlot) < _devices.FirstPositionOf(entry.Device);
        if (isForeign && entry.Kind != EntryKind.Void && !Mutant.Is(WriteboostMutant.R13NumberInherits)) return true;
        switch (entry.Kind)
        {
            case EntryKind.Data:
                return (!_devices.IsAbsent(entry.Key) || MayMove(batchSlot)) && PlanData(entry, batchSlot);
            case EntryKind.Poison:
                _seesPoison = true;
                return PlanOldPoison(entry, batchSlot);
            case EntryKind.Zeroes or EntryKind.Discard:
                if (_devices.IsAbsent(entry.Key) && !MayMove(batchSlot)) return false;
                _batch.AddRange(entry);
                return true;
            default:
                return true;
        }
    }

    // Layouts without a checksum for every block can tell only where the index keeps them.
    private bool IsIntact(in LogEntry entry, uint physical, int batchSlot)
    {
        byte* data = _batch.Data(batchSlot);
        if (_log.Layout.HasBlockChecksums) return BlockSum.Compute(data) == entry.Value;
        return _index.KeepsChecksums ? _index.IsIntact(physical, data) : !_recordIsRotten;
    }

    private bool PlanData(in LogEntry entry, int batchSlot)
    {
        long position = _batch.PositionOf(batchSlot);
        uint physical = _log.Geometry.PhysicalSlot(position);
        if (_ranges.PositionOver(entry.Key) > position)
        {
            _skipped = true;
            _batch.AddSuperseded(batchSlot);
            return true;
        }
        bool counts = _index.IsLinked(physical);
        _skipped |= !counts;
        bool isRead = !_unread.Has(batchSlot);
        bool isGood = !counts || (isRead && IsIntact(entry, physical, batchSlot));
        _batch.AddSlot(batchSlot, entry.Key, entry.Sectors, counts && isGood);
        if (isGood) return true;
        if (!isRead && MayBeReadLater(entry.Key)) return false;
        _rot.Report(physical, isUnread: !isRead);
        return _log.Layout.HasRanges ? PlanPoison(entry.Key, position) : HoldForLost();
    }

    // It was moved once; what has not been overwritten since moves on.
    private bool PlanOldPoison(in LogEntry entry, int batchSlot)
    {
        if (entry.IsGivenUp) return true;
        long position = _batch.PositionOf(batchSlot);
        bool counts = _index.IsLinked(_log.Geometry.PhysicalSlot(position));
        _skipped |= !counts;
        _batch.AddSlot(batchSlot, entry.Key, entry.Sectors, counts: false);
        return !counts || PlanPoison(entry.Key, position);
    }
}
