using System;

namespace Weir.Core.DmCache.Format;

/// <summary>
/// Metadata at the head of the cache device, where they have no device of their own: the places begin behind them.
/// </summary>
internal static class CacheRegion
{
    private const long FixedBytes = 4 << 20;
    private const long BytesOfAPlace = 16;

    /// <summary>
    /// Blocks of 4 KiB for as many places: 4 MiB and 16 bytes for each (seed 002: the rule of thumb).
    /// </summary>
    public static long BlocksFor(long places) => Math.Min(
        CacheMetadata.MaxBlocks,
        (FixedBytes + BytesOfAPlace * places + CacheMetadata.BlockBytes - 1) / CacheMetadata.BlockBytes);
}
