using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>Reports the copies of a superblock.</summary>
internal static class SsdSuperblockItems
{
    /// <summary>Both copies, an item each.</summary>
    public static void Report(SuperblockPair pair, IItemWriter items)
    {
        for (int copy = 0; copy < 2; copy++)
        {
            items.Begin("superblock");
            items.Text("copy", copy == 0 ? "A" : "B");
            SsdSuperblock superblock = pair.Copy(copy, out bool isWhole);
            items.Text("condition", isWhole ? "whole" : "damaged");
            if (isWhole) Describe(superblock, items);
            items.End();
        }
    }

    /// <summary>A mode as the user writes it.</summary>
    public static string NameOf(SsdMode mode) => mode == 0 ? "none" : mode.ToString().ToLowerInvariant();

    private static void Describe(in SsdSuperblock superblock, IItemWriter items)
    {
        items.Number("version", superblock.Version);
        items.Text("cache_uuid", superblock.CacheId.ToString("D"));
        items.Text("stop", superblock.IsClean ? "orderly" : "none");
        items.Text("lost_flush", LostFlush(superblock.Flags));
        items.Number("generation", superblock.Generation);
        items.Number("epoch", superblock.Epoch);
        items.Text("mode", NameOf(superblock.Mode));
        items.Number("block_size_bytes", superblock.BlockBytes);
        items.Number("sets", superblock.Sets);
        items.Number("assoc", superblock.Assoc);
        items.Number("data_offset_bytes", superblock.DataOffset);
        items.Number("backing_size_bytes", superblock.BackingBytes);
    }

    private static string LostFlush(uint flags) =>
        (flags & (SsdSuperblock.LostCacheFlushFlag | SsdSuperblock.LostBackingFlushFlag)) switch
        {
            0 => "none",
            SsdSuperblock.LostCacheFlushFlag => "cache",
            SsdSuperblock.LostBackingFlushFlag => "backing",
            _ => "both",
        };
}
