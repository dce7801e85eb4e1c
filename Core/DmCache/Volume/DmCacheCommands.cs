using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;

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
        new("wait_clean", "wait until nothing is dirty, and order nothing") { Begin = () => Wait(volume) },
        new("lost_blocks", "list what only the cache had and does not give: device, offset and length in bytes; it "
            + "reads EIO until it is overwritten as a whole, discarded or given up")
        { Answer = volume.Lost.List },
        new("give_up", "give up what is lost in a range of whole blocks, in bytes, or all of it: it reads what the "
            + "backing device has, older data; cannot be undone")
        { RunWith = (arguments, waiter) => volume.Lost.GiveUp(arguments[0], waiter), Form = "NAME:OFFSET+LENGTH|all" },
        new("suspend", "hold requests, end those under way, flush, and commit as at a stop; waits")
        { Begin = volume.BeginSuspend },
        new("resume", "let requests go on after suspend; waits") { Begin = volume.BeginResume },
        new("grow", "take the room that the cache device and the backing device have gained; requests wait meanwhile")
        { Begin = volume.BeginGrow },
        new("invalidate_cblocks", "take blocks out of the cache by their places, from BEGIN up to END and without it; "
            + "dirty ones stay, and are named; waits")
        { Form = "PLACE|BEGIN-END...", BeginWith = volume.BeginInvalidate },
        new("set_config", "the kernel's message: set an option by its name")
        {
            Form = "KEY VALUE",
            RunWith = (arguments, _) => Tunable.Find(tunables, arguments[0], atStart: false).Answer(arguments[1]),
        },
    ];

    // Until the metadata say so, too: a crash after the answer leaves nothing dirty of what is clean now.
    private static Func<OrderProgress> Wait(DmCacheVolume volume)
    {
        long order = 0;
        return () =>
        {
            long left = volume.DrainBlocksLeft;
            OrderProgress at = OrderProgress.UnderWay($"{left} blocks are dirty", left, volume.CacheBlocks);
            if (volume.Suspension.State == SuspendState.Suspended)
                return left > 0 ? at.Fail("the volume is suspended") : OrderProgress.DoneWith("done, nothing is dirty");
            if (volume.ReadOnly && left > 0) return at.Fail("the volume is served read-only: nothing is written back");
            // Also when nothing is dirty any more: the metadata say otherwise, and so does the next start.
            if (volume.Health.CacheHasFailed || volume.CommitsAreOver) return at.Fail(volume.Health.Reason);
            if (left > 0 && left <= volume.LostBlockCount && volume.LostSentence is { } lost)
                return at.Fail($"{lost}; {LostRange.Advice}");
            if (order == 0 && left > 0) return at;
            if (order == 0) order = volume.BeginUnmark();
            return volume.IsUnmarked(order) ? OrderProgress.DoneWith("done, nothing is dirty")
                : OrderProgress.UnderWay("the metadata still mark what was dirty");
        };
    }

    private static Func<OrderProgress> BeginDrain(DmCacheVolume volume)
    {
        volume.BeginDrain();
        return volume.Drains.EndWith(Wait(volume));
    }
}
