using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>What must be true of a cache device before it is served. Reads nothing, writes nothing.</summary>
public static class OpenChecks
{
    /// <summary>The cache device is as large as its superblock says.</summary>
    /// <exception cref="UserErrorException">It is not; the message names what was found and what was
    /// expected.</exception>
    public static void Check(Device cache, in Superblock superblock)
    {
        if (!superblock.HasPlaces)
            throw new UserErrorException($"{cache.Name}: superblock names {superblock.SegmentCount} segments of "
                + $"{superblock.SegmentBytes} bytes, which cannot be");
        if (Geometry.SegmentsIn(cache.SizeBytes, superblock.SegmentBytes) < superblock.SegmentCount)
            throw new UserErrorException($"{cache.Name}: {cache.SizeBytes} bytes, but it was formatted with "
                + $"{superblock.SegmentCount} segments of {superblock.SegmentBytes}: truncated?");
    }
}
