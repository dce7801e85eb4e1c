using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// An order that ends when write-back has come far enough, or when something happens after which it may never do so.
/// </summary>
internal sealed class WritebackOrder(
    WritebackOrders orders, DirtyData dirty, Drains drains, WritebackProgress progress, LostData lost,
    VolumeHealth health)
{
    private readonly long _cancels = drains.Cancelled;
    private readonly long _setbacks = progress.Setbacks;
    private readonly long _total = dirty.Blocks;
    private readonly int _ranges = dirty.Ranges;

    /// <summary>How far it is; <paramref name="isDone"/>: as far as it was told to come. Any thread.</summary>
    public OrderProgress Look(bool isDone)
    {
        if (isDone)
            return orders.LeftBehind is { } left
                ? default(OrderProgress).Fail(left) : OrderProgress.DoneWith(Dirty.Written(_total, _ranges));
        long blocks = dirty.Blocks;
        OrderProgress open = OrderProgress.UnderWay(
            Dirty.Still(blocks, dirty.Ranges), drains.BlocksLeft, _total);
        return WhyItFails is { } reason ? open.Fail(reason) : open;
    }

    /// <summary>What has happened since the beginning, or null.</summary>
    public string? WhyItFails => progress.Setbacks != _setbacks ? progress.LastSetback
        : !health.TakesWrites ? health.Reason
        : lost.Hold is { } hold ? hold
        : drains.Cancelled != _cancels ? "called off by cancel_drain"
        : null;
}
