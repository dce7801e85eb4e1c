using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// An order that ends when write-back has come far enough, or when something happens after which it may never do so.
/// </summary>
internal sealed class WritebackOrder(WriteboostVolume volume)
{
    private readonly long _cancels = volume.DrainsCancelled;
    private readonly long _setbacks = volume.Setbacks;
    private readonly long _total = volume.DirtyBlocks;
    private readonly int _ranges = volume.DirtyRanges;

    /// <summary>How far it is; <paramref name="isDone"/>: as far as it was told to come. Any thread.</summary>
    public OrderProgress Look(bool isDone)
    {
        if (isDone)
            return volume.LeftBehind is { } left
                ? default(OrderProgress).Fail(left) : OrderProgress.DoneWith(Dirty.Written(_total, _ranges));
        long blocks = volume.DirtyBlocks;
        OrderProgress open = OrderProgress.UnderWay(
            Dirty.Still(blocks, volume.DirtyRanges), volume.DrainBlocksLeft, _total);
        return WhyItFails is { } reason ? open.Fail(reason) : open;
    }

    /// <summary>What has happened since the beginning, or null.</summary>
    public string? WhyItFails => volume.Setbacks != _setbacks ? volume.LastSetback
        : !volume.Health.TakesWrites ? volume.Health.Reason
        : volume.LostHold is { } lost ? lost
        : volume.DrainsCancelled != _cancels ? "called off by cancel_drain"
        : null;
}

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
