using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Tools;

/// <summary>Makes a cache device an empty cache.</summary>
public static unsafe class WriteboostFormat
{
    private const int Window = 64;

    /// <summary>
    /// Makes <paramref name="cache"/> an empty cache over whatever is there. What an old log held is lost: in layout
    /// <c>native</c> nothing of it carries the new UUID, in the others the headers of all layouts are zeroed first.
    /// </summary>
    /// <exception cref="UserErrorException">The device is too small or too large, or the segment size is not
    /// possible.</exception>
    public static void Format(IoContext io, Device cache, Layout layout, int segmentBytes, Func<Guid> newGuid)
    {
        Superblock superblock = Plan(cache, layout, segmentBytes, newGuid);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        if (layout is SegmentLayout segments)
            EraseHeaders(blocking, queue, cache, segments);
        using SuperblockWriter writer = new(layout, queue, io);
        writer.Begin(ref superblock);
        while (writer.IsBusy) blocking.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{cache.Name}: writing the superblock failed: {Errno.Text(writer.Result)}");
    }

    /// <summary>The superblock that <see cref="Format"/> would write; checks everything and writes nothing.</summary>
    /// <exception cref="UserErrorException">As <see cref="Format"/>.</exception>
    public static Superblock Plan(Device cache, Layout layout, int segmentBytes, Func<Guid> newGuid)
    {
        CheckSegmentBytes(layout, segmentBytes);
        long segments = Geometry.SegmentsIn(cache.SizeBytes, segmentBytes);
        if (segments < Geometry.MinSegments)
        {
            long least = Geometry.SuperblockRegionBytes + ((long)Geometry.MinSegments * segmentBytes);
            throw new UserErrorException(
                $"{cache.Name}: {ByteSize.Format(cache.SizeBytes)} is too small for a cache with segments of "
                + $"{ByteSize.Format(segmentBytes)}: expected at least {ByteSize.Format(least)}");
        }
        if (cache.SizeBytes > Geometry.MaxCacheBytes)
            throw new UserErrorException(
                $"{cache.Name}: {ByteSize.Format(cache.SizeBytes)} is too large: expected at most "
                + $"{ByteSize.Format(Geometry.MaxCacheBytes)}, which is what the index has numbers for");
        Superblock plan = layout.NewSuperblock(segmentBytes, (int)segments, newGuid);
        Invariant.Check(plan.HasPlaces);
        Invariant.Check(Geometry.SegmentsIn(cache.SizeBytes, plan.SegmentBytes) >= plan.SegmentCount);
        return plan;
    }

    private static void CheckSegmentBytes(Layout layout, int segmentBytes)
    {
        (int least, int most) = (layout.MinSegmentBytes, layout.MaxSegmentBytes);
        if (BitOperations.IsPow2(segmentBytes) && segmentBytes >= least && segmentBytes <= most) return;
        string expected = least == most
            ? $"{ByteSize.Format(least)}, as layout {layout.Name} has it"
            : $"a power of two from {ByteSize.Format(least)} to {ByteSize.Format(most)}";
        throw new UserErrorException($"segment size {ByteSize.Format(segmentBytes)}: expected {expected}", 2);
    }

    // The magic last: until then this is no cache, whatever of the old one is still there. Headers go wherever one may
    // be, not only where this layout has its own: two layouts share a magic, and another format may follow.
    private static void EraseHeaders(BlockingIo io, DeviceQueue queue, Device cache, SegmentLayout layout)
    {
        using AlignedMemory zeroes = new((int)Geometry.SuperblockRegionBytes);
        io.Start(queue, IoKind.Write, 0, zeroes.Pointer, Geometry.SuperblockRegionBytes);
        long offset = Geometry.SuperblockRegionBytes;
        for (int i = 0; offset + Geometry.BlockBytes <= cache.SizeBytes; offset += SegmentLayout.HeaderStepBytes)
        {
            io.Start(queue, IoKind.Write, offset, zeroes.Pointer, Geometry.BlockBytes);
            if (i++ % Window == 0) io.WaitOrFail("writing segment headers", cache);
        }
        io.WaitOrFail("writing segment headers", cache);
        io.StartFlush(queue);
        io.WaitOrFail("flush", cache);
        layout.Magic.CopyTo(new Span<byte>(zeroes.Pointer, Geometry.BlockBytes));
        io.Start(queue, IoKind.Write, 0, zeroes.Pointer, Geometry.BlockBytes);
        io.WaitOrFail("writing the superblock", cache);
    }
}
