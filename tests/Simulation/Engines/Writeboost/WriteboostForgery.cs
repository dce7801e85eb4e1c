using System;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Volume;

namespace Weir.Tests.Simulation.Engines;

/// <summary>
/// Client data that imitates a record (R4): where the log of a dead volume ends, old client data may lie, and may
/// look like the record that comes next. Everything in it is right, checksums included, but for the epoch's secret.
/// </summary>
internal static unsafe class WriteboostForgery
{
    /// <summary>Plants a forged record behind the log's end of <paramref name="volume"/>, opened read-only.</summary>
    public static void Plant(WriteboostVolume volume, SimDevice cache)
    {
        (long sequence, uint checksum) = volume.Log.Chain;
        long end = volume.Log.DurableRecord;
        Geometry geometry = volume.Geometry;
        bool fits = end > 0 && geometry.SlotOf(end) is > 0 and int slot && slot + 1 < geometry.SlotsPerSegment;
        if (fits) Write(volume, cache, end, sequence, checksum);
        long next = geometry.Position(geometry.SegmentOf(end - 1) + 1, 0);
        if (volume.Log.FreeSegments > 0) Write(volume, cache, next, sequence, checksum);
    }

    private static void Write(WriteboostVolume volume, SimDevice cache, long position, long sequence, uint checksum)
    {
        byte* memory = stackalloc byte[2 * 4096 + 4096];
        byte* header = (byte*)(((long)memory + 4095) & ~4095L);
        byte* data = header + 4096;
        new Span<byte>(data, 4096).Fill(0xF0);
        Superblock forged = volume.Superblock;
        forged.Secret = Guid.Empty;
        LogEntry entry = LogEntry.ForData((1UL << 40) | 1, 0xFF, BlockSum.Compute(data));
        RecordInfo info = new()
        {
            Position = position,
            Sequence = sequence,
            EntryCount = 1,
            DurablePosition = position,
            PreviousChecksum = checksum,
        };
        volume.Layout.WriteHeader(header, forged, volume.Geometry, info, &entry);
        cache.Media.Preset(volume.Geometry.OffsetOf(position), 2 * 4096, header);
    }
}
