using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// Orders to write everything back, which a drain carries out. One that nobody waits for any more goes on; <see
/// cref="BeginCancel"/> ends it. Any thread but the queues'.
/// </summary>
internal sealed class WritebackOrders(
    SegmentLog log, DirtyData dirty, Drains drains, WritebackProgress progress, LostData lost, BackingTable backings,
    GrowthOrders growth, VolumeHealth health, WriteboostOptions options)
{
    /// <summary>
    /// What an order that has written everything back has had to leave, for people; null: nothing.
    /// </summary>
    public string? LeftBehind
    {
        get
        {
            string? absent = LeftOfAbsent is { } left ? left + " stay: not given" : null;
            string? rotten = lost.Sentence() is { } sentence ? $"{sentence}; {LostRange.Advice}" : null;
            return absent == null ? rotten : rotten == null ? absent : $"{absent}; {rotten}";
        }
    }

    /// <summary>What the log alone has of devices that are not given, for people; null: nothing.</summary>
    public string? LeftOfAbsent
    {
        get
        {
            string left = "";
            foreach (BackingDevice device in backings.Absent)
            {
                (long blocks, int ranges) = (dirty.BlocksOf(device.Id), dirty.RangesOf(device.Id));
                if (blocks + ranges == 0) continue;
                left += $"{(left == "" ? "" : "; ")}{Dirty.Count(blocks, ranges)} of device {device.Id}, "
                    + $"'{device.Name}'";
            }
            return left == "" ? null : left;
        }
    }

    /// <summary>Begins to write everything back that is dirty now.</summary>
    /// <exception cref="UserErrorException">It cannot be: nothing is written back.</exception>
    public Func<OrderProgress> BeginDrain()
    {
        CheckWritesBack();
        WritebackOrder order = NewOrder();
        health.AskRetry();
        long end = drains.Begin();
        return () => order.Look(drains.IsWrittenBack(end) || dirty.HasNoCache);
    }

    /// <summary>Begins to write everything back, and then to forget all that is cached now.</summary>
    /// <exception cref="UserErrorException">It cannot be: nothing is written back.</exception>
    public Func<OrderProgress> BeginDropCaches()
    {
        CheckWritesBack();
        WritebackOrder order = NewOrder();
        health.AskRetry();
        long end = drains.BeginDrop();
        return () => order.Look(end <= log.Geometry.Position(log.TailSegment, 0) || dirty.HasNoCache);
    }

    /// <summary>Lets go of drains, at once.</summary>
    public Func<OrderProgress> BeginCancel()
    {
        bool any = drains.IsOrdered || drains.IsDropping || growth.IsUnderWay;
        Cancel();
        string said = any ? "done, write-back goes on at its own pace" : "done, none was under way";
        return () => OrderProgress.DoneWith(said);
    }

    /// <summary>
    /// Lets go of all drains, and of a growth that waits for one: write-back goes on at its own pace.
    /// </summary>
    public void Cancel()
    {
        growth.CallOff();
        drains.Cancel();
    }

    /// <summary>Begins to take the room that devices have gained; see <see cref="GrowthOrders.Grow"/>.</summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public Func<OrderProgress> BeginGrow() => growth.Begin(NewOrder());

    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public void CheckWritesBack()
    {
        if (options.ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is written back");
    }

    private WritebackOrder NewOrder() => new(this, dirty, drains, progress, lost, health);
}
