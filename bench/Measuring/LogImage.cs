using System;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Bench.Measuring;

/// <summary>A cache as a crash leaves it: a sparse file with a header in every segment, and nothing else.</summary>
internal static unsafe class LogImage
{
    private const int Window = 256;

    /// <summary>
    /// Writes one of <paramref name="segments"/> segments; every record is full of entries of
    /// <paramref name="kind"/>, for blocks at random.
    /// </summary>
    public static void Make(string path, int segments, int segmentBytes, EntryKind kind)
    {
        long bytes = Geometry.SuperblockRegionBytes + ((long)segments * segmentBytes);
        using (FileStream file = File.Create(path)) file.SetLength(bytes);
        using RingContext io = new();
        using Device cache = DeviceOpener.Open(path);
        WriteboostFormat.Format(io, cache, Layout.Native, segmentBytes, Guid.NewGuid);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out _);
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        using AlignedMemory headers = new(Window * Geometry.BlockBytes);
        LogEntry* entries = stackalloc LogEntry[(segmentBytes / Geometry.BlockBytes) - 1];
        uint previous = 0;
        for (int i = 0; i < segments; i++)
        {
            byte* header = headers.Pointer + (i % Window * Geometry.BlockBytes);
            previous = Fill(header, superblock, geometry, entries, kind, i, i == segments - 1, previous);
            blocking.Start(
                queue, IoKind.Write, geometry.OffsetOf(geometry.Position(i + 1, 0)), header, Geometry.BlockBytes);
            if (i % Window == Window - 1) blocking.WaitOrFail("writing a header", cache);
        }
        blocking.WaitOrFail("writing a header", cache);
    }

    // Random blocks; all but the last known to be durable, so that no data is looked at.
    private static uint Fill(
        byte* header, in Superblock superblock, in Geometry geometry, LogEntry* entries, EntryKind kind, int i,
        bool isLast, uint previous)
    {
        int count = geometry.SlotsPerSegment - 1;
        ulong random = (ulong)i * 0x9E3779B97F4A7C15;
        for (int e = 0; e < count; e++)
        {
            random = (random ^ (random >> 29)) * 0xBF58476D1CE4E5B9;
            entries[e] = LogEntry.ForData((1UL << 40) | (random >> 36), SectorMask.Full, (uint)random);
            entries[e].Kind = kind;
        }
        RecordInfo info = new()
        {
            Position = geometry.Position(i + 1, 0),
            Sequence = i + 1,
            EntryCount = isLast ? 1 : count,
            DurablePosition = geometry.Position(i + 1, 0),
            PreviousChecksum = previous,
        };
        // The last one may be torn: no data of its own, then it is not.
        if (isLast) entries[0] = LogEntry.ForRange(1UL << 40, 2, EntryKind.Discard);
        return Layout.Native.WriteHeader(header, superblock, geometry, info, entries);
    }
}
