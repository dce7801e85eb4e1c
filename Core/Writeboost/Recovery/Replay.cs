using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Puts records into the structures that serve: index, ranges, segment table.</summary>
public sealed class Replay(Geometry geometry, SegmentTable table, BlockIndex index, RangeMap ranges)
{
    /// <summary>Blocks and ranges replayed.</summary>
    public long EntryCount { get; private set; }

    /// <summary>Replays one record. In log order, though the index would take any.</summary>
    public void Apply(PendingRecord record)
    {
        long segment = geometry.SegmentOf(record.Position);
        int physical = geometry.Physical(segment);
        if (table.SequenceOf(physical) != segment) table.Assign(physical, segment, -1);
        table.SetLastRecord(physical, record.Sequence);
        for (int i = 0; i < record.Entries.Length; i++) Apply(record.Entries[i], record.Position + 1 + i);
    }

    private void Apply(in LogEntry entry, long position)
    {
        if (entry.Kind == EntryKind.Void) return;
        EntryCount++;
        if (entry.Kind == EntryKind.Data)
        {
            index.Insert(entry.Key, geometry.PhysicalSlot(position), entry.Sectors, entry.Value);
            return;
        }
        ranges.TakeRecovered();
        table.CountRange(geometry.Physical(geometry.SegmentOf(position)));
        ranges.Insert(entry.Key, entry.Value, position);
    }
}
