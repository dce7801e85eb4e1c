using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost.Tools;

/// <summary>Reports superblocks. The secret is never shown.</summary>
internal static unsafe class SuperblockItems
{
    /// <summary>Reports every copy; the number of those that are damaged.</summary>
    public static int Report(OfflineCache cache, IItemWriter items)
    {
        int damaged = 0;
        for (int copy = 0; copy < cache.Layout.SuperblockCopies; copy++)
        {
            using AlignedMemory memory = new(Superblock.Bytes);
            long offset = cache.Layout.SuperblockOffset(copy);
            cache.Io.Start(cache.Queue, IoKind.Read, offset, memory.Pointer, Superblock.Bytes);
            cache.Io.WaitOrFail("reading the superblock", cache.Device);
            items.Begin("superblock");
            items.Text("layout", cache.Layout.Name);
            if (cache.Layout is SegmentLayout) Describe(cache, items);
            else if (!DescribeNative((Superblock*)memory.Pointer, copy, items)) damaged++;
            items.End();
        }
        return damaged;
    }

    private static bool DescribeNative(Superblock* superblock, int copy, IItemWriter items)
    {
        bool isWhole = Superblock.IsValid(superblock);
        items.Text("copy", copy == 0 ? "A" : "B");
        items.Text("condition", isWhole ? "whole" : "damaged");
        if (!isWhole) return false;
        items.Text("cache_uuid", superblock->CacheId.ToString("D"));
        items.Text("stop", superblock->IsClean ? "orderly" : "none");
        items.Number("generation", superblock->Generation);
        items.Number("epoch", superblock->Epoch);
        items.Number("segment_size_bytes", superblock->SegmentBytes);
        items.Number("segments", superblock->SegmentCount);
        items.Number("segment_shift", superblock->PlacementOffset);
        items.Number("mark_position", superblock->MarkPosition);
        items.Number("mark_sequence", superblock->MarkSequence);
        items.Number("settled_position", superblock->SettledPosition);
        items.Number("settled_sequence", superblock->SettledSequence);
        if (superblock->IsWarm) items.Number("warm_position", superblock->WarmPosition);
        if (superblock->HasKept) items.Number("kept_position", superblock->KeptPosition);
        return true;
    }

    /// <summary>
    /// Reports the backing devices that the cache knows; false when their table is lost. <paramref name="equal"/>: its
    /// copies are. <paramref name="hasLostSamples"/>: of what the devices hold nothing is known any more.
    /// </summary>
    public static bool ReportDevices(OfflineCache cache, IItemWriter items, out bool equal, out bool hasLostSamples)
    {
        (equal, hasLostSamples) = (true, false);
        if (!cache.Layout.HasDeviceTable) return true;
        using DeviceTable? table = ReadTable(cache, out equal);
        using SampleTable samples =
            TableReader.ReadSamples(cache.Io, cache.Queue, cache.Device, cache.Superblock, out _);
        hasLostSamples = samples.IsLost;
        for (int id = 1; table != null && id <= DeviceTable.MaxDevices; id++)
        {
            if (table[id].Id == 0) continue;
            items.Begin("device");
            items.Number("id", id);
            items.Text("name", table[id].Name);
            items.Number("size_bytes", table[id].SizeBytes);
            items.Text("identity", table[id].Identity);
            items.Text("identity_names", Device.IsPlace(table[id].Identity) ? "a place" : "the device");
            items.Number("content_samples", samples[id].CountOf(table[id].FirstPosition));
            items.End();
        }
        return table != null;
    }

    /// <summary>The device table, or null when there should be one and no copy is whole.</summary>
    public static DeviceTable? ReadTable(OfflineCache cache) => ReadTable(cache, out _);

    private static DeviceTable? ReadTable(OfflineCache cache, out bool equal)
    {
        equal = true;
        try
        {
            return TableReader.ReadDevices(cache.Io, cache.Queue, cache.Device, cache.Superblock, out _, out equal);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static void Describe(OfflineCache cache, IItemWriter items)
    {
        items.Number("segment_size_bytes", cache.Superblock.SegmentBytes);
        items.Number("segments", cache.Superblock.SegmentCount);
        items.Number("last_written_back_id", cache.Superblock.MarkSequence - 1);
    }
}
