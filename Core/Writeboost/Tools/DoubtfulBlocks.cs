using System;
using System.Collections.Generic;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>Which blocks of the backing devices a segment speaks of that holds something rotten.</summary>
internal static class DoubtfulBlocks
{
    /// <summary>What a device is called whose name the cache does not know.</summary>
    public static string NameOf(Layout layout, int id) => layout.HasDevices ? $"device{id}" : "disk";

    /// <summary>
    /// The dirty blocks of <paramref name="entries"/> as ranges, in the order of their places;
    /// <paramref name="nameOf"/> knows the devices by number.
    /// </summary>
    public static string Describe(ReadOnlySpan<LogEntry> entries, Func<int, string> nameOf)
    {
        List<LostVersion> blocks = [];
        foreach (ref readonly LogEntry entry in entries)
            if (entry.Kind == EntryKind.Data) blocks.Add(new LostVersion(entry.Key, entry.Sectors, 0));
        return Describe(blocks, nameOf);
    }

    /// <summary>The same of <paramref name="blocks"/>, in any order.</summary>
    public static string Describe(List<LostVersion> blocks, Func<int, string> nameOf)
    {
        blocks.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        return blocks.Count == 0 ? "none that is dirty" : string.Join(", ", LostBlocks.RangesOf(blocks, nameOf));
    }
}
