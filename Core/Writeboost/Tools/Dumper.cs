using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// <c>weir dump</c>: superblock, headers and entries as they lie on the device, place by place, of whatever age. Keeps
/// one segment in memory. Writes nothing.
/// </summary>
public sealed class Dumper(OfflineCache cache, IItemWriter items)
{
    /// <summary>Everything, or the one place <paramref name="onlySegment"/>, counted from 0.</summary>
    /// <exception cref="UserErrorException">There is no such place, or the device cannot be read.</exception>
    public void Run(long? onlySegment)
    {
        int count = cache.Geometry.SegmentCount;
        if (onlySegment >= count)
            throw new UserErrorException(
                $"{cache.Device.Name}: --segment {onlySegment}: expected 0 to {count - 1}", 2);
        SuperblockItems.Report(cache, items);
        SuperblockItems.ReportDevices(cache, items, out _, out _);
        (int first, int end) = onlySegment is { } one ? ((int)one, (int)one + 1) : (0, count);
        cache.Expect(end - first);
        for (int physical = first; physical < end && items.WantsMore; physical++) DumpSegment(physical);
    }

    private void DumpSegment(int physical)
    {
        cache.ReadSegment(physical);
        int slot = cache.NextHeader(physical, 0, out RecordInfo info);
        while (slot < cache.Geometry.SlotsPerSegment && items.WantsMore)
        {
            DumpRecord(physical, slot, info);
            slot = cache.NextHeader(physical, slot + 1 + info.EntryCount, out info);
        }
    }

    private void DumpRecord(int physical, int slot, in RecordInfo info)
    {
        items.Begin("record");
        items.Number("segment", physical);
        items.Number("slot", slot);
        items.Number("sequence", info.Sequence);
        items.Number("position", info.Position);
        items.Number("entries", info.EntryCount);
        if (cache.Layout.HasEpochs)
        {
            items.Number("epoch", info.Epoch);
            items.Number("durable_position", info.DurablePosition);
            items.Number("mark_position", info.MarkPosition);
            items.Text("previous_checksum", $"{info.PreviousChecksum:x8}");
            items.Text("checksum", $"{info.Checksum:x8}");
        }
        items.Text("data", cache.IsWhole(slot, info) ? "whole" : "damaged");
        items.End();
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        entries = cache.ReadEntries(slot, info, entries);
        for (int i = 0; i < entries.Length; i++) DumpEntry(slot + 1 + i, entries[i]);
    }

    private void DumpEntry(int slot, in LogEntry entry)
    {
        items.Begin("entry");
        items.Number("slot", slot);
        items.Text("kind", entry.IsGivenUp ? "given_up" : entry.Kind.ToString().ToLowerInvariant());
        if (entry.Kind != EntryKind.Void)
        {
            items.Number("device", entry.Device);
            items.Number("block", entry.Block);
            if (EntryKinds.IsRange(entry)) items.Number("blocks", entry.Value);
            else items.Text("sectors", $"{entry.Sectors:x2}");
        }
        if (cache.Layout.HasBlockChecksums && EntryKinds.HasBlock(entry))
            items.Text("data", cache.IsIntact(entry, slot) ? "whole" : "damaged");
        items.End();
    }
}
