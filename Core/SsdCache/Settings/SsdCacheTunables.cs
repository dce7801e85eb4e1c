using System;
using System.Collections.Generic;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Settings;

/// <summary>The options that users can set, under the names of dm-ssdcache where it has them.</summary>
internal static class SsdCacheTunables
{
    private const long UsPerMs = 1000;

    // In the order of the words.
    private static readonly CacheMode[] s_modes = [CacheMode.Writethrough, CacheMode.Writeback, CacheMode.Readcache];

    private static readonly string[] s_strategies = ["lfu", "lru", "fifo", "random", "clock", "sieve"];

    /// <summary>The words for modes.</summary>
    public static string NameOf(CacheMode mode) => mode.ToString().ToLowerInvariant();

    /// <summary>The table over <paramref name="options"/>, which the engine reads while it runs.</summary>
    public static List<Tunable> Of(SsdCacheOptions options) =>
    [
        new("mode", 0, 2, "what writes do: go to both devices, go home later, or go home past the cache; while served, "
            + "status names the new mode when it is true of every block",
            () => Array.IndexOf(s_modes, options.Mode), value => ChangeMode(options, s_modes[value]))
        {
            Words = ["writethrough", "writeback", "readcache"],
            WriteAtStart = value => options.Mode = s_modes[value],
        },
        new("strategy", 0, s_strategies.Length - 1, "whose way a new block takes: the one used least often, least "
            + "lately, brought in first, any, or by a hand that passes over what was used",
            () => (int)options.Strategy, value => Choose(options, () => options.Strategy = (Strategy)value))
        { Words = s_strategies },
        new("admit", 0, 2, "which blocks that were read come in: all, those read for the second time, or none",
            () => (int)options.Admit, value => Choose(options, () => options.Admit = (AdmitRule)value))
        { Words = ["always", "second-read", "never"] },
        new("assoc", 0, SsdGeometry.MaxAssoc, "sets that are tried after a block's own",
            () => options.Assoc ?? SsdCacheOptions.DefaultAssoc, null)
        { WriteAtStart = value => options.Assoc = (int)value },
        Flag("async_lookup", "a request goes home at once where the directory would make it wait, and is not cached",
            () => options.AsyncLookup, value => options.AsyncLookup = value),
        Flag("queue_busy", "a write that met others at its sectors waits and is cached; 0: it goes home, and what is "
            + "cached of it leaves", () => options.QueueBusy, value => options.QueueBusy = value),
        Flag("disable_writeback", "what was read at home is not brought in",
            () => options.DisableWriteback, value => options.DisableWriteback = value),
        Flag("skip_write_insert", "a write to a block that is not cached goes home alone",
            () => options.SkipWriteInsert, value => options.SkipWriteInsert = value),
        Flag("evict_on_write", "a write may take the way of another block; 0: only one that is free",
            () => options.EvictOnWrite, value => options.EvictOnWrite = value),
        new("cmd_preload", 0, 1, "1: all memory of the directory is touched at the start; 0: on first use",
            () => options.Preload ? 1 : 0, null)
        { WriteAtStart = value => options.Preload = value == 1 },
        .. CleaningTunables.Of(options, "dirty blocks"),
        new("sequential_threshold", 0, 1 << 20, "requests in a row that make a stream sequential: its blocks are not "
            + "brought in; 0: none does",
            () => options.SequentialThreshold, value => options.SequentialThreshold = (int)value),
        new("close_ms", 0, 3_600_000, "milliseconds that a page of the directory is left alone before it is closed in "
            + "idle time, so that a power cut leaves its blocks warm; 0: at the stop",
            () => options.CloseUs / UsPerMs, options.Then(value => options.CloseUs = value * UsPerMs)),
        new("rebind", 0, 1, "1: the devices are those of the cache, although they look different; what is clean is "
            + "forgotten",
            () => options.Rebind ? 1 : 0, null)
        { WriteAtStart = value => options.Rebind = value == 1 },
    ];

    private static Tunable Flag(string name, string meaning, Func<bool> read, Action<bool> write) =>
        new(name, 0, 1, "1: " + meaning, () => read() ? 1 : 0, value => write(value == 1));

    private static void Choose(SsdCacheOptions options, Action write)
    {
        write();
        options.ApplyChoice?.Invoke();
    }

    private static void ChangeMode(SsdCacheOptions options, CacheMode mode)
    {
        options.ChangeMode?.Invoke(mode);
        options.Mode = mode;
    }
}
