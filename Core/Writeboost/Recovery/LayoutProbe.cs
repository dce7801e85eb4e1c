using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Tells which layout a cache device is in by what is on it. <c>native</c> has a magic number of its own,
/// <c>writeboost1</c> and <c>writeboost2</c> share one: between them decide the records that are there. <c>lc1</c> has
/// none and is never found. Writes nothing.
/// </summary>
public static unsafe class LayoutProbe
{
    private const int Window = 64;

    /// <summary>
    /// The layouts that <paramref name="cache"/> can be in, the likeliest first; empty when it is no cache. Two when it
    /// is one of the kernel's without a record: then both are the same bytes.
    /// </summary>
    public static IReadOnlyList<Layout> Find(IoContext io, Device cache, ReadOnlySpan<byte> head)
    {
        if (SuperblockReader.IsOurs(head)) return [Layout.Native];
        SegmentLayout newer = (SegmentLayout)Layout.Find("writeboost2");
        SegmentLayout older = (SegmentLayout)Layout.Find("writeboost1");
        if (!head.StartsWith(newer.Magic)) return [];
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        int newerRecords = CountRecords(newer, blocking, queue, cache);
        int olderRecords = CountRecords(older, blocking, queue, cache);
        if (newerRecords == 0 && olderRecords == 0) return [newer, older];
        return newerRecords >= olderRecords ? [newer] : [older];
    }

    // Among the first segments: a log fills them from the beginning.
    private static int CountRecords(SegmentLayout layout, BlockingIo io, DeviceQueue queue, Device cache)
    {
        long segments = Math.Min(int.MaxValue, Geometry.SegmentsIn(cache.SizeBytes, layout.SegmentBytes));
        if (segments < Geometry.MinSegments) return 0;
        Superblock superblock = layout.NewSuperblock(layout.SegmentBytes, (int)segments, static () => Guid.Empty);
        Geometry geometry = layout.GeometryOf(superblock);
        using AlignedMemory memory = new(layout.SegmentBytes);
        int found = 0;
        for (int physical = 0; physical < Math.Min(Window, segments); physical++)
        {
            long offset = Geometry.OffsetOfPhysical((uint)physical << geometry.SlotShift);
            io.Start(queue, IoKind.Read, offset, memory.Pointer, layout.SegmentBytes);
            io.WaitOrFail("reading segment headers", cache);
            if (IsRecord(layout, superblock, geometry, physical, memory.Pointer)) found++;
        }
        return found;
    }

    private static bool IsRecord(
        SegmentLayout layout, in Superblock superblock, in Geometry geometry, int physical, byte* record)
    {
        long id = SegmentLayout.IdOf(record);
        return id is > 0 and < 1L << 40 && geometry.Physical(id) == physical
            && layout.TryReadHeader(record, superblock, geometry, geometry.Position(id, 0), out RecordInfo info)
            && info.EntryCount > 0 && layout.IsWhole(record, info);
    }
}
