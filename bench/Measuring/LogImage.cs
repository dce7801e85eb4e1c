using System;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Tools;

namespace Weir.Bench.Measuring;

/// <summary>A cache as a crash leaves it: a sparse file with a header in every segment, and nothing else.</summary>
internal static unsafe class LogImage
{
    private const int Window = 256, DeviceId = 1, BlockBits = 28;

    /// <summary>Bytes of a backing device that has all the blocks: 1 TiB.</summary>
    public const long BackingBytes = (1L << BlockBits) * Geometry.BlockBytes;

    /// <summary>Entries for blocks: all but the last record are full of them.</summary>
    public static long Entries(int segments, int segmentBytes) =>
        (segments - 1L) * ((segmentBytes >> Geometry.BlockShift) - 1);

    /// <summary>Device and block, at random, of an entry by its number in the log.</summary>
    public static ulong KeyOf(long entry)
    {
        ulong random = (ulong)entry * 0x9E3779B97F4A7C15;
        random = (random ^ (random >> 32)) * 0xBF58476D1CE4E5B9;
        return ((ulong)DeviceId << 40) | (random >> (64 - BlockBits));
    }

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

    /// <summary>Writes into the superblock what an orderly stop does.</summary>
    public static void Settle(string path)
    {
        using RingContext io = new();
        using Device cache = DeviceOpener.Open(path);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out bool bFirst);
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        using AlignedMemory last = new(Geometry.BlockBytes);
        blocking.Start(queue, IoKind.Read, geometry.OffsetOf(geometry.Position(geometry.SegmentCount, 0)), last.Pointer,
            Geometry.BlockBytes);
        blocking.WaitOrFail("reading a header", cache);
        RecordHeader* header = (RecordHeader*)last.Pointer;
        superblock.Flags |= Superblock.CleanFlag;
        superblock.Settle(header->EndPosition, header->Sequence + 1, header->Checksum);
        using SuperblockWriter writer = new(Layout.Native, queue, io);
        writer.Begin(ref superblock, bFirst);
        while (writer.IsBusy) blocking.Turn();
        if (writer.Result < 0) throw new IOException($"{path}: writing the superblock: errno {-writer.Result}");
    }

    // Random blocks; all but the last known to be durable, so that no data is looked at.
    private static uint Fill(
        byte* header, in Superblock superblock, in Geometry geometry, LogEntry* entries, EntryKind kind, int i,
        bool isLast, uint previous)
    {
        int count = geometry.SlotsPerSegment - 1;
        for (int e = 0; e < count; e++)
        {
            entries[e] = LogEntry.ForData(KeyOf(((long)i * count) + e), SectorMask.Full, checksum: 0);
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
        if (isLast) entries[0] = LogEntry.ForRange((ulong)DeviceId << 40, 2, EntryKind.Discard);
        return Layout.Native.WriteHeader(header, superblock, geometry, info, entries);
    }
}
