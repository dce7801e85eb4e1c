using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>What must be true of two devices before they are served together. Reads nothing, writes nothing.</summary>
public static class OpenChecks
{
    /// <summary>Cache and backing device belong together and can keep the promise.</summary>
    /// <exception cref="UserErrorException">They do not; the message names what was found and what was
    /// expected.</exception>
    public static void Check(Device cache, Device backing, in Superblock superblock, WriteboostOptions options)
    {
        CheckCache(cache, superblock);
        if (!backing.CanFlush && !options.TrustBackingWrites)
            throw new UserErrorException($"{backing.Name}: cannot be flushed; --option backing_flush=none says that "
                + $"its writes are durable at once");
        if (superblock.BackingBytes == 0) return;
        if (backing.SizeBytes < superblock.BackingBytes)
        {
            throw new UserErrorException(
                $"{backing.Name}: {backing.SizeBytes} bytes, but the cache was filled for "
                    + $"{superblock.BackingBytes}: truncated?");
        }
        if (backing.Identity != superblock.BackingIdentity && !options.Rebind)
        {
            throw new UserErrorException(
                $"{cache.Name}: belongs to another backing device ({superblock.BackingIdentity}), not to "
                    + $"{backing.Name} "
                + $"({backing.Identity}); --option rebind=1 if it is the same one");
        }
    }

    private static void CheckCache(Device cache, in Superblock superblock)
    {
        bool possible =
            superblock.SegmentBytes is >= WriteboostOptions.MinSegmentBytes and <= WriteboostOptions.MaxSegmentBytes
            && superblock.SegmentCount >= Geometry.MinSegments;
        if (!possible)
            throw new UserErrorException($"{cache.Name}: superblock names {superblock.SegmentCount} segments of "
                + $"{superblock.SegmentBytes} bytes, which cannot be");
        if (Geometry.SegmentsIn(cache.SizeBytes, superblock.SegmentBytes) < superblock.SegmentCount)
            throw new UserErrorException($"{cache.Name}: {cache.SizeBytes} bytes, but it was formatted with "
                + $"{superblock.SegmentCount} segments of {superblock.SegmentBytes}: truncated?");
    }
}
