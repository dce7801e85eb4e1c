namespace Weir.Core.DmCache.Format;

/// <summary>What a new cache is like.</summary>
/// <param name="Version">1: dirty flags lie in the mappings; 2: in a bitset of their own.</param>
/// <param name="BlockSectors">Sectors of 512 bytes in a cache block.</param>
/// <param name="Places">Cache blocks.</param>
/// <param name="MetadataBlocks">Blocks of 4 KiB for the metadata, at most 255 * 16320.</param>
internal readonly record struct CacheShape(int Version, uint BlockSectors, uint Places, long MetadataBlocks);

/// <summary>The arrays of the metadata.</summary>
internal enum CacheArray
{
    /// <summary>A word for each place.</summary>
    Mappings,
    /// <summary>Version 2: a bit for each place, in words of 64.</summary>
    Dirty,
    /// <summary>32 bits for each place, of the policy.</summary>
    Hints,
    /// <summary>A bit for each discard block, in words of 64.</summary>
    Discards,
}

/// <summary>A block of an array.</summary>
/// <param name="Block">Number of the 4 KiB block.</param>
/// <param name="First">The first entry (place or word) that it holds.</param>
internal readonly record struct ArrayBlock(long Block, long First);
