using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Backings;

/// <summary>What the log holds of each backing device, also while the volume is being opened.</summary>
internal sealed class LogHoldings(BlockIndex index, RangeMap ranges)
{
    /// <summary>Versions of blocks of device <paramref name="id"/> that the mark has not passed.</summary>
    public long BlocksOf(int id) => index.DirtyOf(id);

    /// <summary>Discarded and zeroed ranges of it, or what newer ones have left of them.</summary>
    public int RangesOf(int id) =>
        ranges.CountBetween(BackingTable.KeyOf(id, 0), BackingTable.KeyOf(id + 1, 0));

    /// <summary>Both in words; null: nothing.</summary>
    public string? Describe(BackingDevice backing)
    {
        (long blocks, int ranges) = (BlocksOf(backing.Id), RangesOf(backing.Id));
        return blocks == 0 && ranges == 0 ? null
            : $"{blocks} dirty blocks and {ranges} discarded or zeroed ranges";
    }
}
