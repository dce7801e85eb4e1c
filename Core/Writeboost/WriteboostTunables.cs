using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Writeboost;

/// <summary>
/// The options that users can set, under the names of dm-writeboost 2.2, with those of the seeds (003) as aliases where
/// they differ. Names keep their units too: seconds for the sync interval, percent for the threshold.
/// </summary>
public static class WriteboostTunables
{
    private const long UsPerSecond = 1_000_000, UsPerMs = 1000;

    /// <summary>The table over <paramref name="options"/>, which the engine reads while it runs.</summary>
    public static List<Tunable> Of(WriteboostOptions options) =>
    [
        new("writeback_threshold", 0, 100, "percent of used segments above which write-back no longer waits for "
            + "idle time",
            () => options.WritebackThreshold, value => options.WritebackThreshold = (int)value)
        { Alias = "migrate_threshold" },
        new("allow_writeback", 0, 1, "1: write dirty blocks back in the background",
            () => options.AllowWriteback ? 1 : 0, value => options.AllowWriteback = value == 1)
        { Alias = "allow_migrate" },
        new("sync_data_interval", 0, 3600, "seconds after a write until the log is flushed unasked; 0: only on request",
            () => options.SyncIntervalUs / UsPerSecond, value => options.SyncIntervalUs = value * UsPerSecond)
        { Alias = "sync_interval" },
        new("idle_ms", 0, 60_000, "milliseconds without a request after which the client counts as idle",
            () => options.IdleUs / UsPerMs, value => options.IdleUs = value * UsPerMs),
        AtStart("nr_max_batched_writeback", 1, 32, "segments written back in one batch",
            () => options.MaxBatchedWriteback, value => options.MaxBatchedWriteback = (int)value)
        with { Alias = "nr_max_batched_migration" },
        AtStart("ram_segments", 2, 1024, "segments kept in memory: what is acknowledged and may not be durable yet",
            () => options.RamSegments, value => options.RamSegments = (int)value),
        AtStart("range_budget", 16, 1 << 16, "discard and zero ranges that the log holds at a time",
            () => options.RangeBudget, value => options.RangeBudget = (int)value),
        AtStart("backing_flush", 0, 1, "none: writes of the backing device are durable at once, it cannot flush",
            () => options.TrustBackingWrites ? 1 : 0, value => options.TrustBackingWrites = value == 1)
        with { Words = ["auto", "none"] },
        AtStart("verify_reads", 0, 1, "1: check every block read from the cache device; 4 bytes of RAM more per block",
            () => options.VerifyReads ? 1 : 0, value => options.VerifyReads = value == 1),
        AtStart("rebind", 0, 1, "1: the backing device is the one this cache belongs to, although it looks different",
            () => options.Rebind ? 1 : 0, value => options.Rebind = value == 1),
    ];

    /// <summary>Orders to a volume that is served.</summary>
    public static List<Tunable> OrdersTo(WriteboostVolume volume) =>
    [
        new("clear_stat", 0, 0, "zero the request counters", static () => 0, null) { Order = volume.ClearStatistics },
    ];

    private static Tunable AtStart(
        string name, long minimum, long maximum, string meaning, System.Func<long> read, System.Action<long> write) =>
        new(name, minimum, maximum, meaning, read, null) { WriteAtStart = write };
}
