using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.SsdCache.Volume;

/// <summary>Orders to a volume and questions.</summary>
internal static class SsdCacheCommands
{
    /// <summary>All of them, to a volume that is served.</summary>
    public static List<VolumeCommand> Of(SsdCacheVolume volume) =>
    [
        new("clear_stat", "zero the request counters")
        {
            Begin = () =>
            {
                volume.ClearStatistics();
                return static () => OrderProgress.DoneWith("done, the counters are zero");
            },
        },
        new("drain", "write everything back that is dirty; waits until nothing is")
        { Begin = () => BeginDrain(volume) },
        new("wait_clean", "wait until nothing is dirty, and order nothing") { Begin = () => Wait(volume) },
    ];

    // Until the device says so, too: a crash after the answer leaves nothing dirty of what is clean now.
    private static Func<OrderProgress> Wait(SsdCacheVolume volume)
    {
        long ticket = 0;
        return () =>
        {
            long left = volume.DrainBlocksLeft;
            OrderProgress at = OrderProgress.UnderWay($"{left} blocks are dirty", left, volume.Geometry.Slots);
            if (volume.ReadOnly && left > 0) return at.Fail("the volume is served read-only: nothing is written back");
            if (volume.Tickets.Failure != null || volume.Health.CacheHasFailed) return at.Fail(volume.Health.Reason);
            if (ticket == 0 && left > 0) return at;
            if (volume.ReadOnly) return OrderProgress.DoneWith("done, nothing is dirty");
            if (ticket == 0) ticket = volume.BeginFlush();
            return volume.Tickets.IsFlushed(ticket) ? OrderProgress.DoneWith("done, nothing is dirty")
                : OrderProgress.UnderWay("the directory still names what was dirty");
        };
    }

    private static Func<OrderProgress> BeginDrain(SsdCacheVolume volume)
    {
        volume.BeginDrain();
        return volume.Drains.EndWith(Wait(volume));
    }
}
