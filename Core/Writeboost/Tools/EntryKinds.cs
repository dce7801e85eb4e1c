using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>What kinds of entries have in common.</summary>
internal static class EntryKinds
{
    /// <summary>Its slot carries a block.</summary>
    public static bool HasBlock(in LogEntry entry) => entry.Kind is EntryKind.Data or EntryKind.Clean;

    /// <summary>It stands for a range of blocks.</summary>
    public static bool IsRange(in LogEntry entry) => entry.Kind is EntryKind.Zeroes or EntryKind.Discard;
}
