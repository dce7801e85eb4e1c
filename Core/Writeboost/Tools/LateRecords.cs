using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// The records behind a point of the log, found segment by segment without the chain: what is lost when the log ends at
/// that point, how far anything says that it had been flushed, and how they are erased.
/// </summary>
internal sealed unsafe class LateRecords(OfflineCache cache)
{
    /// <summary>Largest D that any whole header names (R5).</summary>
    public long DurablePosition { get; private set; }

    /// <summary>Looks at every header at or behind <paramref name="from"/>.</summary>
    public void FindDurable(long from) => ForEach((int _, in RecordInfo info) =>
    {
        if (info.Position >= from) DurablePosition = Math.Max(DurablePosition, info.DurablePosition);
    });

    /// <summary>
    /// Reports what the records from <paramref name="sequence"/> on hold: their blocks have older contents, or those of
    /// the backing device, once they are gone.
    /// </summary>
    public void ReportLost(long sequence, IItemWriter items)
    {
        long records = 0, blocks = 0, last = sequence - 1;
        ForEach((int slot, in RecordInfo info) =>
        {
            if (info.Sequence < sequence) return;
            records++;
            last = Math.Max(last, info.Sequence);
            blocks += ReportEntries(slot, info, items);
        });
        items.Begin("lost");
        items.Number("records", records);
        items.Number("blocks", blocks);
        items.Number("records_unreadable", Math.Max(0, last - sequence + 1 - records));
        items.End();
    }

    /// <summary>Zeroes the headers of all records at or behind <paramref name="end"/>; the caller flushes.</summary>
    public void Erase(long end)
    {
        // What the mark vouches for stays, whatever follows it.
        Invariant.Check(end >= cache.Superblock.MarkPosition);
        using AlignedMemory zeroes = new(Geometry.BlockBytes);
        ForEach((int _, in RecordInfo info) =>
        {
            if (info.Position < end) return;
            long offset = cache.Geometry.OffsetOf(info.Position);
            cache.Io.Start(cache.Queue, IoKind.Write, offset, zeroes.Pointer, Geometry.BlockBytes);
            cache.Io.WaitOrFail("writing the log", cache.Device);
        });
    }

    private delegate void Visit(int slot, in RecordInfo info);

    private void ForEach(Visit visit)
    {
        cache.Expect(cache.Geometry.SegmentCount);
        for (int physical = 0; physical < cache.Geometry.SegmentCount; physical++)
        {
            cache.ReadSegment(physical);
            int slot = cache.NextHeader(physical, 0, out RecordInfo info);
            while (slot < cache.Geometry.SlotsPerSegment)
            {
                visit(slot, info);
                slot = cache.NextHeader(physical, slot + 1, out info);
            }
        }
    }

    private int ReportEntries(int slot, in RecordInfo info, IItemWriter items)
    {
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        entries = cache.ReadEntries(slot, info, entries);
        int blocks = 0;
        foreach (ref readonly LogEntry entry in entries)
        {
            if (entry.Kind is EntryKind.Void or EntryKind.Clean) continue;
            items.Begin("lost_entry");
            items.Number("record", info.Sequence);
            items.Text("kind", entry.Kind.ToString().ToLowerInvariant());
            items.Number("device", entry.Device);
            items.Number("block", entry.Block);
            items.Number("blocks", EntryKinds.IsRange(entry) ? entry.Value : 1);
            items.End();
            blocks++;
        }
        return blocks;
    }
}
