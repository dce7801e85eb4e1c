using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>Dirty blocks and ranges in words.</summary>
internal static class Dirty
{
    /// <summary>"done, 4096 blocks (16 MiB) written back".</summary>
    public static string Written(long blocks, int ranges) =>
        blocks + ranges == 0 ? "done, nothing was dirty" : $"done, {Count(blocks, ranges)} written back";

    /// <summary>"4096 blocks (16 MiB) are still dirty".</summary>
    public static string Still(long blocks, int ranges) => blocks + ranges == 0
        ? "nothing is dirty any more, but the superblock does not say so yet"
        : $"{Count(blocks, ranges)} {(blocks + ranges == 1 ? "is" : "are")} still dirty";

    /// <summary>"4096 blocks (16 MiB) and 2 discarded or zeroed ranges".</summary>
    public static string Count(long blocks, int ranges)
    {
        string some = $"{blocks} block{(blocks == 1 ? "" : "s")} ({ByteSize.Format(blocks << Geometry.BlockShift)})";
        string more = $"{ranges} discarded or zeroed range{(ranges == 1 ? "" : "s")}";
        return ranges == 0 ? some : blocks == 0 ? more : $"{some} and {more}";
    }
}
