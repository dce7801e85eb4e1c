using System.Collections.Generic;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;

namespace Weir.Core.Writeboost.Volume;

/// <content>What <c>weir drain</c> asks of the volume.</content>
public sealed unsafe partial class WriteboostVolume : IDrainable
{
    string? IDrainable.LostHold => Lost.Hold;

    string? IDrainable.LeftOfAbsent => Writebacks.LeftOfAbsent;

    string IDrainable.StillDirty
    {
        get
        {
            (long blocks, int ranges) = (DrainBlocksLeft, DirtyRanges);
            return $"{Dirty.Count(blocks, ranges)} {(blocks + ranges == 1 ? "is" : "are")}";
        }
    }

    void IDrainable.OutdateClean() => Clean.Outdate();

    void IDrainable.CheckGiveUp(string range)
    {
        GiveUps.Check();
        _ = Lost.Select(range);
    }

    IGiveUpOrder? IDrainable.BeginGiveUp(string range)
    {
        List<LostVersion> found = Lost.Select(range);
        if (found.Count == 0) return null;
        GiveUpOrder order = new(found);
        GiveUps.Post(order);
        return order;
    }
}
