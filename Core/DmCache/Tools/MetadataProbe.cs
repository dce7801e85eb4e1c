using System;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// What is where metadata are going to be: the kernel formats over a first block of zeroes without a word.
/// </summary>
public static unsafe class MetadataProbe
{
    /// <summary>Bytes of a metadata block.</summary>
    public const int BlockBytes = BlockKind.BlockBytes;

    // 64 MiB: metadata fill their device from the beginning.
    private const long LookedAt = 16384;

    /// <summary>The device begins as one with metadata of dm-cache does.</summary>
    public static bool IsSuperblock(ReadOnlySpan<byte> head)
    {
        if (head.Length < DiskSuperblock.Bytes) return false;
        fixed (byte* bytes = head) return ((DiskSuperblock*)bytes)->Magic == DiskSuperblock.MagicValue;
    }

    /// <summary>The block is a superblock, and nothing of it is damaged.</summary>
    internal static bool IsWholeSuperblock(ReadOnlySpan<byte> block)
    {
        fixed (byte* bytes = block) return IsSuperblock(block) && DiskSuperblock.Kind.Fault(bytes, 0) == null;
    }

    /// <summary>Metadata, for people; null: there are none.</summary>
    public static string? Find(MetadataDevice device)
    {
        if (IsSuperblock(device.Read(0))) return "dm-cache metadata";
        int found = 0;
        for (long block = 1; block < Math.Min(device.Blocks, LookedAt); block++)
            if (IsOfMetadata(device.Read(block), block)) found++;
        return found == 0 ? null
            : $"{found} blocks of dm-cache metadata, and no superblock: it was lost, and zeroed perhaps";
    }

    /// <summary>
    /// Metadata at the head of a cache device have as many blocks as they say, or as a new one would have.
    /// </summary>
    public static void LimitToRegion(MetadataDevice device)
    {
        device.IsOnCache = true;
        ReadOnlySpan<byte> head = device.Read(0);
        if (!IsSuperblock(head)) return;
        fixed (byte* bytes = head)
        {
            long blocks = ((DiskSuperblock*)bytes)->SpaceMap.Blocks;
            if (blocks > 0) device.Limit(blocks);
        }
    }

    private static bool IsOfMetadata(ReadOnlySpan<byte> content, long block)
    {
        fixed (byte* bytes = content)
        {
            // Cheap before dear: the own number is there, or it is none.
            long second = *(long*)(bytes + 8), third = *(long*)(bytes + 16);
            if (second != block && third != block) return false;
            return BlockKind.Node.Fault(bytes, block) == null || BlockKind.Array.Fault(bytes, block) == null
                || BlockKind.Bitmap.Fault(bytes, block) == null || BlockKind.Index.Fault(bytes, block) == null;
        }
    }
}
