using System.Runtime.InteropServices;

namespace Weir.Core.Metadata.Persistent;

/*
 * A space map counts who refers to each block:
 *
 *   root (in the superblock) -> index block -> up to 255 bitmap blocks of 16320 counts each
 *                            -> B-tree of the counts that are larger than 2 (u32)
 *
 *   count   0   1   2   larger          two bits; the lower one of the pair is the high one:
 *   bits   00  10  01  11               as a number, 0, 2, 1 and 3
 */

/// <summary>
/// What a superblock knows of a space map, 128 bytes, little endian (persistent-data: <c>disk_sm_root</c>).
/// <code>
///  0  blocks in all        u64
///  8  blocks in use        u64
/// 16  index block          u64
/// 24  root of the counts   u64
/// 32  zero
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct SpaceMapRoot
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 128;

    /// <summary>Blocks in all.</summary>
    [FieldOffset(0)] public long Blocks;
    /// <summary>Blocks in use.</summary>
    [FieldOffset(8)] public long Allocated;
    /// <summary>The index block.</summary>
    [FieldOffset(16)] public long Index;
    /// <summary>Root of the B-tree of large counts.</summary>
    [FieldOffset(24)] public long Counts;
}

/// <summary>
/// One of the 255 entries of an index block, from byte 16 on (persistent-data: <c>disk_index_entry</c>).
/// <code>
///  0  bitmap block                 u64
///  8  counts of 0 in it            u32   also those past the last block of the device
/// 12  all counts before are not 0  u32   a hint
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct SpaceMapIndexEntry
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 16;

    /// <summary>The bitmap block.</summary>
    [FieldOffset(0)] public long Bitmap;
    /// <summary>Counts of 0 in it.</summary>
    [FieldOffset(8)] public uint Free;
    /// <summary>None is free before this one.</summary>
    [FieldOffset(12)] public uint NoneFreeBefore;
}

/// <summary>Numbers of the space map's format.</summary>
internal static class SpaceMapFormat
{
    /// <summary>Bytes before the entries of an index block, and before the counts of a bitmap block.</summary>
    public const int HeaderBytes = 16;

    /// <summary>Entries of an index block.</summary>
    public const int IndexEntries = 255;

    /// <summary>Counts of a bitmap block.</summary>
    public const int BitmapCounts = (BlockKind.BlockBytes - HeaderBytes) * 4;

    /// <summary>Words of 32 counts in a bitmap block.</summary>
    public const int BitmapWords = (BlockKind.BlockBytes - HeaderBytes) / sizeof(ulong);

    /// <summary>Most blocks that can be counted.</summary>
    public const long MaxBlocks = (long)IndexEntries * BitmapCounts;
}
