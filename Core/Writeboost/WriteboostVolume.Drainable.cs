using Weir.Core.Volumes;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost;

/// <content>What <c>weir drain</c> asks of the volume.</content>
public sealed unsafe partial class WriteboostVolume : IDrainable
{
    string? IDrainable.LostHold => LostHold;

    string? IDrainable.LeftOfAbsent => LeftOfAbsent;

    string IDrainable.StillDirty
    {
        get
        {
            (long blocks, int ranges) = (DrainBlocksLeft, DirtyRanges);
            return $"{Dirty.Count(blocks, ranges)} {(blocks + ranges == 1 ? "is" : "are")}";
        }
    }

    void IDrainable.OutdateClean() => OutdateClean();

    void IDrainable.CheckGiveUp(string range)
    {
        CheckGiveUp();
        _ = LostBlocks.Select(this, range);
    }

    IGiveUpOrder? IDrainable.BeginGiveUp(string range)
    {
        GiveUpOrder order = new(LostBlocks.Select(this, range));
        if (order.Versions.Count == 0) return null;
        Post(order);
        return order;
    }
}
