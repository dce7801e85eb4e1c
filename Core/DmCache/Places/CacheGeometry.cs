using System.Numerics;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/*
 * backing   | home 0 | home 1 | ...            | home n-1 | rest |     the rest is no whole block, and never cached
 * cache     [metadata] | place 0 | place 1 | ... | place m-1 | unused |
 */

/// <summary>Sizes of a cache, and where its blocks lie.</summary>
internal readonly struct CacheGeometry
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorBytes = 512;

    /// <summary>The smallest block, of which all others are multiples; and the largest (seed 002, L6240; the kernel's
    /// limit).</summary>
    public const long MinBlockBytes = 32L << 10, MaxBlockBytes = 1L << 30;

    private readonly int _shift;

    private readonly long _placesOffset;

    /// <summary>
    /// Of blocks of <paramref name="blockBytes"/>; places from <paramref name="placesOffset"/> bytes on.
    /// </summary>
    public CacheGeometry(long blockBytes, uint places, long backingBytes, long placesOffset = 0)
    {
        _placesOffset = placesOffset;
        Invariant.Check(blockBytes is >= MinBlockBytes and <= MaxBlockBytes && blockBytes % MinBlockBytes == 0);
        BlockBytes = blockBytes;
        Places = places;
        Homes = backingBytes / blockBytes;
        _shift = BitOperations.IsPow2(blockBytes) ? BitOperations.Log2((ulong)blockBytes) : -1;
    }

    /// <summary>The same blocks of devices that have become larger.</summary>
    public CacheGeometry Grown(uint places, long backingBytes) => new(BlockBytes, places, backingBytes, _placesOffset);

    /// <summary>Places that a cache device of so many bytes has room for.</summary>
    public long PlacesIn(long cacheBytes) => (cacheBytes - _placesOffset) / BlockBytes;

    /// <summary>Bytes of a block.</summary>
    public long BlockBytes { get; }

    /// <summary>Blocks of the cache device.</summary>
    public uint Places { get; }

    /// <summary>Whole blocks of the backing device.</summary>
    public long Homes { get; }

    /// <summary>Sectors of a block.</summary>
    public int BlockSectors => (int)(BlockBytes / SectorBytes);

    /// <summary>The block around a byte of the volume.</summary>
    public long HomeAt(long offsetBytes) => _shift >= 0 ? offsetBytes >> _shift : offsetBytes / BlockBytes;

    /// <summary>Its first byte on the backing device.</summary>
    public long HomeOffset(long home) => home * BlockBytes;

    /// <summary>First byte of a place on the cache device.</summary>
    public long PlaceOffset(uint place) => _placesOffset + (place * BlockBytes);
}
