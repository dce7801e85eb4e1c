using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Writeboost.Errors;

namespace Weir.Core.Writeboost.Volume;

/// <summary>Orders to a volume and questions, under the names of dm-writeboost 2.2 where it has them.</summary>
public static class WriteboostCommands
{
    /// <summary>All of them, to a volume that is served.</summary>
    public static List<VolumeCommand> Of(WriteboostVolume volume) =>
    [
        Order("clear_stat", "zero the request counters",
            () => Now(volume.ClearStatistics, "done, the counters are zero")),
        Order("drain", "write everything back that is dirty now; waits, and goes on when nobody waits any more",
            Heeding(volume, volume.BeginDrain)),
        Order("cancel_drain", "let go of a drain; whoever waits for it is told", volume.BeginCancelDrain),
        Order("drop_caches", "write everything back and forget all that is cached; waits, the order stands when let go",
            Heeding(volume, volume.BeginDropCaches)),
        Order("resume", "try again at once what a device has refused, as state_reason in status says; waits for "
            + "what comes of it", Heeding(volume, volume.BeginResume)),
        Order("flush_current_buffer", "make all that is acknowledged durable; waits",
            HeedingCache(volume, volume.BeginFlush)),
        Order("commit_super_block", "write the superblock with the mark as it is; waits",
            HeedingCache(volume, volume.BeginCommit)),
        Order("grow", "take the room that devices have gained; block devices (Linux 6.16) and new connections show it; "
            + "waits for the cache's", Heeding(volume, volume.BeginGrow))
            with { Answer = volume.Growth.DescribeSizes },
        new("dirty_ranges", "list what only the cache has: device, offset and length in bytes")
        { Answer = () => DirtyRanges.List(volume.DirtyData, volume.Index, volume.Geometry, volume.Backings) },
        new("lost_blocks", "list what only the cache had and is rotten there: device, offset and length in "
            + "bytes; it reads EIO until it is overwritten, discarded or given up")
        { Answer = () => volume.Lost.List() },
        new("give_up", "give up what is lost in a range, in bytes, or all of it: it reads what the backing "
            + "device has, older data; cannot be undone")
        { RunWith = (arguments, waiter) => volume.GiveUp(arguments[0], waiter), Form = "NAME:OFFSET+LENGTH|all" },
    ];

    private static VolumeCommand Order(string name, string meaning, Func<Func<OrderProgress>> begin) =>
        new(name, meaning) { Begin = begin };

    // Fails when a device that it waits for does not answer; it stands, as when nobody waits any more.
    private static Func<Func<OrderProgress>> Heeding(WriteboostVolume volume, Func<Func<OrderProgress>> begin) => () =>
    {
        HangWatch watch = volume.NewHangWatch();
        return Failing(() => watch.Look(volume.DirtyData.IsAnyOf), begin());
    };

    // The same of what goes to the cache device only.
    private static Func<Func<OrderProgress>> HeedingCache(
        WriteboostVolume volume, Func<Func<OrderProgress>> begin) =>
        () => Failing(() => volume.DirtyData.HasNoCache ? volume.Hangs.OfBackings : volume.Hangs.OfCache, begin());

    private static Func<OrderProgress> Failing(Func<string?> hang, Func<OrderProgress> look) => () =>
    {
        OrderProgress at = look();
        return !at.IsOver && hang() is { } why ? at.Fail(why) : at;
    };

    // Done as soon as it is given.
    private static Func<OrderProgress> Now(Action order, string said)
    {
        order();
        return () => OrderProgress.DoneWith(said);
    }
}
