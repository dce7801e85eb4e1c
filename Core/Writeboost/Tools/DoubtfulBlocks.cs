using System;
using System.Collections.Generic;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>Which blocks of the backing devices a segment speaks of that holds something rotten.</summary>
internal static class DoubtfulBlocks
{
    /// <summary>
    /// The dirty blocks of <paramref name="entries"/> as ranges, in the order of their places;
    /// <paramref name="nameOf"/> knows the devices by number.
    /// </summary>
    public static string Describe(ReadOnlySpan<LogEntry> entries, Func<int, string> nameOf)
    {
        List<LostVersion> blocks = [];
        foreach (ref readonly LogEntry entry in entries)
            if (entry.Kind == EntryKind.Data) blocks.Add(new LostVersion(entry.Key, entry.Sectors, 0));
        blocks.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        return blocks.Count == 0 ? "none that is dirty" : string.Join(", ", LostBlocks.RangesOf(blocks, nameOf));
    }
}
