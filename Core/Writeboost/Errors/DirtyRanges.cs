using System.Collections.Generic;
using System.Text;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// What only the cache has, as ranges of its backing devices: for whoever must decide what a failed cache device has
/// cost (R11). Control path, from any thread; while the volume is served the answer is a little old when it arrives.
/// </summary>
internal static class DirtyRanges
{
    /// <summary>Lines of one answer.</summary>
    public const int MaxLines = 1000;

    /// <summary>Blocks looked at for one answer: 4 GiB of data, 8 MiB of memory.</summary>
    private const int MaxBlocks = 1 << 20;

    /// <summary>
    /// "NAME OFFSET LENGTH" in bytes per line, whole blocks, in order; then, when there is more, how much.
    /// </summary>
    public static string List(DirtyData dirty, BlockIndex index, in Geometry geometry, BackingTable backings)
    {
        List<ulong> keys = [];
        if (dirty.HasNoCache) return "";
        long slot = 0;
        while (keys.Count < MaxBlocks && index.TryNextDirty(ref slot, out ulong key, out _)) keys.Add(key);
        keys.Sort();
        StringBuilder text = new();
        int lines = 0, listed = 0;
        while (listed < keys.Count && lines < MaxLines)
        {
            int end = listed + 1;
            while (end < keys.Count && keys[end] <= keys[end - 1] + 1) end++;
            AddLine(text, backings, keys[listed], keys[end - 1]);
            listed = end;
            lines++;
        }
        long left = dirty.Blocks - listed;
        if (left > 0 && (listed < keys.Count || keys.Count == MaxBlocks)) text.Append($"and {left} blocks more\n");
        if (dirty.Ranges is > 0 and int ranges) text.Append($"and {ranges} discarded or zeroed ranges\n");
        return text.ToString();
    }

    private static void AddLine(StringBuilder text, BackingTable backings, ulong first, ulong last)
    {
        BackingDevice? device = backings.Find(BackingTable.IdOf(first));
        long length = (long)(last - first + 1) << Geometry.BlockShift;
        text.Append($"{device?.Name ?? "?"} {BackingTable.OffsetOf(first)} {length}\n");
    }
}
