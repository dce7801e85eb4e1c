using System;

namespace Weir.Core.DmCache.Format;

/// <summary>What the superblock says. What a commit writes is what is set here then.</summary>
internal sealed class Superblock
{
    /// <summary>Longest name of a policy, in bytes.</summary>
    public const int MaxNameBytes = 16;

    /// <summary>1 or 2.</summary>
    public int Version { get; init; }

    /// <summary>Dirty flags, hints and discard marks are what they were when the last writer stopped.</summary>
    public bool IsClean { get; set; }

    /// <summary>A commit has failed: to be checked before anything is written.</summary>
    public bool NeedsCheck { get; set; }

    /// <summary>Zeroes in all that the kernel writes; kept as found.</summary>
    public Guid Uuid { get; init; }

    /// <summary>The policy that the hints are of; "": none has written any.</summary>
    public string PolicyName { get; set; } = "";

    /// <summary>Its version.</summary>
    public (uint Major, uint Minor, uint Patch) PolicyVersion { get; set; }

    /// <summary>Bytes of a hint: 4, or 0 while there are none.</summary>
    public uint HintBytes { get; set; }

    /// <summary>Sectors of 512 bytes in a cache block.</summary>
    public uint BlockSectors { get; init; }

    /// <summary>Cache blocks.</summary>
    public uint Places { get; set; }

    /// <summary>Sectors of a discard block; 0: none yet.</summary>
    public long DiscardBlockSectors { get; set; }

    /// <summary>Discard blocks.</summary>
    public long DiscardBlocks { get; set; }

    /// <summary>The kernel's statistics, of 32 bits: they wrap.</summary>
    public uint ReadHits { get; set; }

    /// <summary>As <see cref="ReadHits"/>.</summary>
    public uint ReadMisses { get; set; }

    /// <summary>As <see cref="ReadHits"/>.</summary>
    public uint WriteHits { get; set; }

    /// <summary>As <see cref="ReadHits"/>.</summary>
    public uint WriteMisses { get; set; }

    /// <summary>
    /// The mark of weir's that commits leave, and that was found whole when the metadata were opened; null: none.
    /// </summary>
    public WriterMark? Mark { get; set; }
}

/// <summary>
/// What weir leaves in the superblock's free bytes: it counts only as long as nobody else writes the superblock.
/// </summary>
/// <param name="Cache">This cache, and no other.</param>
/// <param name="IsInDoubt">
/// Somebody else had written before weir did, and not all of the blocks that he left clean have been compared yet.
/// </param>
/// <param name="CacheName">A hash of what the cache device is called; 0: not known (B14).</param>
/// <param name="BackingName">The same of the backing device.</param>
/// <param name="LostFlush">
/// A flush of the cache device has failed: what is shown of it may be older after the next power cut, whatever later
/// flushes say (B6).
/// </param>
internal readonly record struct WriterMark(
    Guid Cache, bool IsInDoubt, ulong CacheName = 0, ulong BackingName = 0, bool LostFlush = false);
