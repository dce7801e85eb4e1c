using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost;

/// <summary>Makes a cache device an empty cache in layout <c>native</c>.</summary>
public static unsafe class WriteboostFormat
{
    /// <summary>
    /// Writes both superblock copies of a new cache over whatever is there; what the old log held is lost, because
    /// nothing of it carries the new UUID.
    /// </summary>
    /// <exception cref="UserErrorException">The device is too small or too large, or the segment size is not
    /// possible.</exception>
    public static void Format(IoContext io, Device cache, int segmentBytes, Func<Guid> newGuid)
    {
        Superblock superblock = Plan(cache, segmentBytes, newGuid);
        BlockingIo blocking = new(io);
        using SuperblockWriter writer = new(cache.OpenQueue(io), io);
        writer.Begin(ref superblock);
        while (writer.IsBusy) blocking.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{cache.Name}: writing the superblock failed with errno {-writer.Result}");
    }

    /// <summary>The superblock that <see cref="Format"/> would write; checks everything and writes nothing.</summary>
    /// <exception cref="UserErrorException">As <see cref="Format"/>.</exception>
    public static Superblock Plan(Device cache, int segmentBytes, Func<Guid> newGuid)
    {
        if (!BitOperations.IsPow2(segmentBytes)
            || segmentBytes is < WriteboostOptions.MinSegmentBytes or > WriteboostOptions.MaxSegmentBytes)
            throw new UserErrorException(
                $"segment size {ByteSize.Format(segmentBytes)}: expected a power of two from 128K to 4M", 2);
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
                $"{cache.Name}: {ByteSize.Format(cache.SizeBytes)} is too large: expected at most 8T");
        Superblock superblock = new()
        {
            Magic = Superblock.MagicValue,
            Version = Superblock.VersionValue,
            CacheId = newGuid(),
            Secret = newGuid(),
            SegmentBytes = segmentBytes,
            SegmentCount = (int)segments,
            MarkSequence = 1,
        };
        superblock.MarkPosition = new Geometry(segmentBytes, (int)segments).Position(1, 0);
        superblock.Settle(superblock.MarkPosition, superblock.MarkSequence, 0);
        return superblock;
    }
}
