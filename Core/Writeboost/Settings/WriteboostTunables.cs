using System;
using System.Collections.Generic;
using Weir.Core.Cleaning;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Settings;

/// <summary>
/// The options that users can set, under the names of dm-writeboost 2.2, with those of the seeds (003) as aliases where
/// they differ. Names keep their units too: seconds for intervals, percent for thresholds. One meaning differs: the
/// kernel compares its threshold with the utilisation of the backing device once a second and switches write-back on
/// and off; ours is the share of time that write-back takes itself, and where dm-writeboost 2.2 has 0 for off, it still
/// takes idle time.
/// </summary>
public static class WriteboostTunables
{
    private const long UsPerSecond = 1_000_000, UsPerMs = 1000;

    /// <summary>The table over <paramref name="options"/>, which the engine reads while it runs.</summary>
    public static List<Tunable> Of(WriteboostOptions options) =>
    [
        .. CleaningTunables.Of(options, "used segments"),
        new("nr_max_batched_writeback", 1, 32, "segments written back in one batch, as far as 32 MiB hold them",
            () => options.MaxBatchedWriteback, options.Then(value => options.MaxBatchedWriteback = (int)value))
        { Aliases = ["nr_max_batched_migration"] },
        new("sync_data_interval", 0, 3600, "seconds after a write until the log is flushed unasked; 0: only on request",
            () => options.SyncIntervalUs / UsPerSecond,
            options.Then(value => options.SyncIntervalUs = value * UsPerSecond))
        { Aliases = ["sync_interval", "flush_current_buffer_interval"] },
        new("update_sb_record_interval", 0, 3600, "seconds after which the mark is written at the latest; kept by any "
            + "value, as every batch writes it",
            () => options.MarkIntervalUs / UsPerSecond, value => options.MarkIntervalUs = value * UsPerSecond)
        { Aliases = ["update_record_interval", "commit_super_block_interval", "update_interval"] },
        new("barrier_deadline_ms", 1, 60_000, "milliseconds that a flush waits for company at the most; kept by any "
            + "value, as flushes start at once and share what comes meanwhile",
            () => options.BarrierDeadlineUs / UsPerMs, value => options.BarrierDeadlineUs = value * UsPerMs),
        new("absent_quota", 0, 80, "percent of the cache that devices which are not given may hold while others need "
            + "room",
            () => options.AbsentQuota, options.Then(value => options.AbsentQuota = (int)value)),
        AtStart("ram_segments", 2, 1024, "segments kept in memory: what is acknowledged and may not be durable yet",
            () => options.RamSegments, value => options.RamSegments = (int)value),
        AtStart("range_budget", 16, 1 << 16, "discard and zero ranges that the log holds at a time",
            () => options.RangeBudget, value => options.RangeBudget = (int)value),
        AtStart("backing_flush", 0, 1, "none: writes of the backing device are durable at once, it cannot flush",
            () => options.TrustBackingWrites ? 1 : 0, value => options.TrustBackingWrites = value == 1)
        with { Words = ["auto", "none"] },
        new("read_cache_threshold", 0, 127, "reads of at most this many 4K blocks are cached, unless their sequential "
            + "stream is longer; 0: none",
            () => options.ReadCacheThreshold, value => options.ReadCacheThreshold = (int)value),
        new("write_around_mode", 0, 1, "1: writes go to the backing device, the cache keeps clean blocks only; gives "
            + "up the prefix order of writes",
            () => options.WriteAround ? 1 : 0, Checked(options, () => options.WriteAround ? 1 : 0,
                value => options.WriteAround = value == 1)),
        new("bypass_sequential_writes", 0, 1 << 20, "writes of a sequential stream longer than this many 4K blocks go "
            + "round the cache, and have no place in the prefix order; 0: none",
            () => options.BypassSequentialWrites, Checked(options, () => options.BypassSequentialWrites,
                value => options.BypassSequentialWrites = (int)value)),
        new("scrub_interval", 0, 365L * 24 * 3600, "seconds in which the log's segments are read once and compared "
            + "with their checksums; 0: not at all",
            () => options.ScrubIntervalUs / UsPerSecond,
            options.Then(value => options.ScrubIntervalUs = value * UsPerSecond)),
        new("no_space_timeout", 0, 24 * 3600, "seconds that writes wait for room in a full cache that cannot be "
            + "written back, before they fail; 0: for ever",
            () => options.NoSpaceTimeoutUs / UsPerSecond,
            options.Then(value => options.NoSpaceTimeoutUs = value * UsPerSecond)),
        new("cache_retry_timeout", 0, 24 * 3600, "seconds that a cache device which refuses records or flushes is "
            + "tried again, before it counts as failed",
            () => options.CacheRetryUs / UsPerSecond, value => options.CacheRetryUs = value * UsPerSecond),
        AtStart("verify_reads", 0, 1, "1: check every block read from the cache device; 0: hand it on unseen, and "
            + "save 4 bytes of RAM per block",
            () => options.VerifyReads ? 1 : 0, value => options.VerifyReads = value == 1),
        AtStart("rebind", 0, 1, "1: the backing device is the one this cache belongs to, although it looks different",
            () => options.Rebind ? 1 : 0, value => options.Rebind = value == 1),
    ];

    // At the start the layout is not known yet: whoever opens the cache checks again.
    private static Action<long> Checked(WriteboostOptions options, Func<long> read, Action<long> write) => value =>
    {
        long before = read();
        write(value);
        try
        {
            options.CheckLayout();
        }
        catch
        {
            write(before);
            throw;
        }
    };

    private static Tunable AtStart(
        string name, long minimum, long maximum, string meaning, Func<long> read, Action<long> write) =>
        new(name, minimum, maximum, meaning, read, null) { WriteAtStart = write };
}
