using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Volume;

/// <summary>Orders to a volume and questions, under the names of dm-cache where it has them.</summary>
public static class DmCacheCommands
{
    /// <summary>All of them, to a volume that is served; <paramref name="tunables"/>: what can be set.</summary>
    public static List<VolumeCommand> Of(DmCacheVolume volume, IReadOnlyList<Tunable> tunables) =>
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
        new("wait_clean", "wait until nothing is dirty, and order nothing") { Begin = () => () => Look(volume) },
        new("set_config", "the kernel's message: set an option by its name")
        {
            Form = "KEY VALUE",
            RunWith = (arguments, _) => Tunable.Find(tunables, arguments[0]).Set(arguments[1], atStart: false) + "\n",
        },
    ];

    private static OrderProgress Look(DmCacheVolume volume)
    {
        long left = volume.DrainBlocksLeft;
        if (left == 0) return OrderProgress.DoneWith("done, nothing is dirty");
        OrderProgress at = OrderProgress.UnderWay($"{left} blocks are dirty", left, volume.CacheBlocks);
        return volume.Health.CacheHasFailed ? at.Fail(volume.Health.Reason) : at;
    }

    private static Func<OrderProgress> BeginDrain(DmCacheVolume volume)
    {
        volume.BeginDrain();
        bool isOver = false;
        return () =>
        {
            OrderProgress at = Look(volume);
            if (at.IsOver && !isOver) volume.EndDrain();
            isOver |= at.IsOver;
            return at;
        };
    }
}
