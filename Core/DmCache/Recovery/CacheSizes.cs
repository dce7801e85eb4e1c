using Weir.Core.Base;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Recovery;

/// <summary>What sizes a cache may have.</summary>
internal static class CacheSizes
{
    /// <summary>
    /// The same number as places have; throws when they are too many for <paramref name="device"/> of so many bytes, or
    /// none.
    /// </summary>
    public static uint CheckPlaces(long places, string device, long bytes, long blockBytes)
    {
        if (places < 1)
            throw new UserErrorException($"{device}: has {bytes} bytes: too small for one block of "
                + $"{ByteSize.Format(blockBytes)} and the metadata, where they are at its head");
        if (places >= uint.MaxValue)
            throw new UserErrorException($"{device}: has {places} blocks of {ByteSize.Format(blockBytes)}; expected "
                + $"fewer than {uint.MaxValue}: larger blocks");
        return (uint)places;
    }

    /// <summary>Throws unless a block may have this size.</summary>
    public static void CheckBlockBytes(long bytes)
    {
        bool isOne = bytes is >= CacheGeometry.MinBlockBytes and <= CacheGeometry.MaxBlockBytes
            && bytes % CacheGeometry.MinBlockBytes == 0;
        if (isOne) return;
        throw new UserErrorException($"block size {ByteSize.Format(bytes)}: expected a multiple of "
            + $"{ByteSize.Format(CacheGeometry.MinBlockBytes)} from {ByteSize.Format(CacheGeometry.MinBlockBytes)} to "
            + $"{ByteSize.Format(CacheGeometry.MaxBlockBytes)}", 2);
    }
}
