using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Queue;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What is said to a volume while it is served.</summary>
public sealed class MessageTests
{
    /// <summary>Single places and ranges, of which the end is the first that is not meant, as in the kernel.</summary>
    [Theory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.Writethrough)]
    [InlineData(CacheMode.Passthrough)]
    public void PlacesAreInvalidated(CacheMode mode)
    {
        using SmallCache cache = Filled(mode);
        Assert.Equal("invalidate_cblocks: done, 4 blocks are out\n", cache.Say("invalidate_cblocks", "0-3", "5"));
        Assert.Equal([3, 4, 6, 7], Places(cache));
        Assert.Equal(4, cache["free_blocks"]);
        cache.Options.Mode = CacheMode.Writeback;
        cache.Kill();
        Assert.Equal([3, 4, 6, 7], Places(cache));
        for (long home = 0; home < 8; home++) Assert.Equal(home + 1, cache.Read(home));
    }

    /// <summary>Nothing that only the cache has is given up, and it is said which blocks those are.</summary>
    [Fact]
    public void DirtyPlacesStay()
    {
        using SmallCache cache = Filled(CacheMode.Writeback);
        foreach (long home in new[] { 1, 2, 5 }) cache.Write(home, 100 + home);
        List<long> dirty = [cache.Volume.Map.Find(1), cache.Volume.Map.Find(2), cache.Volume.Map.Find(5)];
        dirty.Sort();
        string said = Assert.Throws<UserErrorException>(() => cache.Say("invalidate_cblocks", "0-8")).Message;
        Assert.Contains("3 are dirty and stay: places ", said, StringComparison.Ordinal);
        Assert.Contains("5 blocks are out", said, StringComparison.Ordinal);
        Assert.Equal(dirty, Places(cache));
        foreach (long home in new[] { 1, 2, 5 }) Assert.Equal(100 + home, cache.Read(home));
    }

    [Fact]
    public void ADirtyPlaceThatIsTakenIsSeen()
    {
        Mutant.Active = DmCacheMutant.B4DirtyInvalidated;
        try
        {
            using SmallCache cache = Filled(CacheMode.Writeback);
            cache.Write(1, 101);
            cache.Say("invalidate_cblocks", "0-8");
            Assert.Equal(2, cache.Read(1));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>What can never come true on a volume that writes nothing is refused, and not waited for.</summary>
    [Theory]
    [InlineData("drain")]
    [InlineData("wait_clean")]
    [InlineData("mode passthrough")]
    public void NothingIsWaitedForReadOnly(string order)
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Options.ReadOnly = true;
        cache.Reopen();
        UserErrorException said = Assert.Throws<UserErrorException>(() => Order(cache, order));
        Assert.Contains("read-only", said.Message, StringComparison.Ordinal);
        Assert.Equal(1, cache["dirty_blocks"]);
    }

    /// <summary>What is clean now and dirty after a crash is not done: the metadata could not be written.</summary>
    [Theory]
    [InlineData("drain")]
    [InlineData("wait_clean")]
    public void NothingIsCleanWhenTheMetadataCannotSaySo(string order)
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Metadata.RefusesWith = -Weir.Native.Errno.EIO;
        if (order == "wait_clean") cache.Volume.BeginDrain();
        UserErrorException said = Assert.Throws<UserErrorException>(() => Order(cache, order));
        Assert.Contains("metadata", said.Message, StringComparison.Ordinal);
    }

    private static void Order(SmallCache cache, string order)
    {
        if (order.StartsWith("mode", StringComparison.Ordinal)) cache.Volume.SetMode(CacheMode.Passthrough);
        else cache.Say(order);
    }

    /// <summary>Somebody at work in a block is waited for.</summary>
    [Fact]
    public unsafe void ABusyPlaceIsWaitedFor()
    {
        using SmallCache cache = Filled(CacheMode.Writeback);
        cache.Cache.Hold = IoKind.Read;
        Request request = new()
        {
            Kind = RequestKind.Read, OffsetBytes = 2L * SmallCache.BlockBytes, LengthBytes = 4096,
            Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(&request);
        Func<OrderProgress> look = cache.Volume.BeginInvalidate([$"{cache.Volume.Map.Find(2)}"]);
        cache.Driver.Idle(20_000);
        Assert.False(look().IsOver);
        cache.Cache.Release();
        cache.Driver.Until(() => look().IsOver, "the order");
        Assert.True(cache.Driver.TakeOne() == &request);
        Assert.False(cache.IsCached(2));
    }

    [Theory]
    [InlineData("x", "'x'")]
    [InlineData("-1", "'-1'")]
    [InlineData("1-", "'1-'")]
    [InlineData("5-5", "'5-5'")]
    [InlineData("7-3", "'7-3'")]
    [InlineData("8", "0 to 7")]
    [InlineData("4294967296", "0 to 7")]
    [InlineData("2-9", "0 to 7")]
    public void NonsenseInvalidatesNothing(string range, string named)
    {
        using SmallCache cache = Filled(CacheMode.Writeback);
        UserErrorException said = Assert.Throws<UserErrorException>(() => cache.Say("invalidate_cblocks", "0", range));
        Assert.Contains(named, said.Message, StringComparison.Ordinal);
        Assert.Equal(2, said.ExitCode);
        cache.Driver.Idle(20_000);
        Assert.Equal(8, Places(cache).Count);
    }

    /// <summary>The kernel's keys are taken under any policy; it is said when that one does not use them.</summary>
    [Fact]
    public void PoliciesAreSetUnderTheKernelsNames()
    {
        using SmallCache cache = new(set: static options => options.Policy = "mq");
        Assert.Equal("read_promote_adjustment 2\n", cache.Say("set_config", "read_promote_adjustment", "2"));
        Assert.Contains("mq 10 random_threshold 4 sequential_threshold 512 discard_promote_adjustment 1 "
            + "read_promote_adjustment 2 write_promote_adjustment 8 rw - ", cache.Volume.KernelStatus()
            .Replace("\n", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        cache.Volume.SetPolicy("smq");
        string said = cache.Say("set_config", "write_promote_adjustment", "3");
        Assert.Equal("write_promote_adjustment 3 (policy smq has no use for it)\n", said);
        Assert.Contains(" smq 0 rw - ", cache.Volume.KernelStatus().Replace("\n", " ", StringComparison.Ordinal),
            StringComparison.Ordinal);
        cache.Volume.SetPolicy("mq");
        Assert.Contains("read_promote_adjustment 2 write_promote_adjustment 3 ", cache.Volume.KernelStatus(),
            StringComparison.Ordinal);
    }

    /// <summary>What was set decides: a block that needs one use more is brought in by one read more.</summary>
    [Fact]
    public void WhatIsSetDecides()
    {
        Assert.True(ReadsUntilCached("2") < ReadsUntilCached("40"));
    }

    [Fact]
    public void TheTableLineHasWhatIsNotTheDefault()
    {
        using SmallCache cache = new();
        Assert.EndsWith(" smq 0\n", cache.Volume.KernelStatus(), StringComparison.Ordinal);
        Assert.Equal("migration_threshold 4096\n", cache.Say("set_config", "migration_threshold", "4096"));
        Assert.EndsWith(" smq 2 migration_threshold 4096\n", cache.Volume.KernelStatus(), StringComparison.Ordinal);
        Assert.Contains(
            " 2 migration_threshold 4096 lru 0 rw -", cache.Volume.KernelStatus(), StringComparison.Ordinal);
        cache.Volume.SetPolicy("cleaner");
        Assert.EndsWith(" cleaner 2 migration_threshold 4096\n", cache.Volume.KernelStatus(), StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownKeysAreNamedBesideTheKnown()
    {
        using SmallCache cache = new();
        UserErrorException said = Assert.Throws<UserErrorException>(() => cache.Say("set_config", "no_such", "1"));
        Assert.Contains("'no_such'", said.Message, StringComparison.Ordinal);
        Assert.Contains("discard_promote_adjustment", said.Message, StringComparison.Ordinal);
    }

    /// <summary>What the seed shows, what it counts and never shows, and why blocks were left out.</summary>
    [Fact]
    public void EveryFigureOfTheSeedIsThere()
    {
        using SmallCache cache = new(places: 8);
        for (long home = 0; home < 6; home++) cache.BringIn(home);
        cache.Write(5, 1);
        cache.Fill(2);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, 7L * SmallCache.BlockBytes, SmallCache.BlockBytes));
        Assert.True(cache.IsCached(7));
        for (long home = 10; home < 13; home++) cache.BringIn(home);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 20L * SmallCache.BlockBytes, SmallCache.BlockBytes));
        StatusFigures figures = new(cache.Volume);
        Assert.Equal((0L, 9L), (figures["read_hits"], figures["read_misses"]));
        Assert.Equal((1L, 1L), (figures["write_hits"], figures["write_misses"]));
        Assert.Equal(10, figures["promotions"]);
        Assert.Equal(10, figures["demotions"] + figures["cached_blocks"]);
        Assert.Equal((2L, 1L, 1L), (figures["dirty_blocks"], figures["copies_avoided"], figures["requests_discard"]));
        Assert.True(figures["commits"] > 0);
        Assert.InRange(figures["metadata_blocks_used"], 1, figures["metadata_blocks"]);
        foreach (string name in new[]
        {
            "cache_cell_clashes", "requests_awaiting_locks", "writes_awaiting_marks", "not_promoted_sequential",
            "not_promoted_unwanted", "not_promoted_crowded", "not_promoted_no_place", "not_promoted_failed",
            "not_promoted_unreadable",
            "accesses_untold", "policy_figures.not_promoted_by_policy",
        })
            Assert.True(figures.Has(name), name);
        cache.Volume.SetPolicy("mq");
        Assert.True(new StatusFigures(cache.Volume).Has("policy_figures.promote_threshold"));
    }

    /// <summary>Whoever asks for the block: a read, a write of a part of it, or a write of all of it.</summary>
    [Theory]
    [InlineData(RequestKind.Read, 4096)]
    [InlineData(RequestKind.Write, 4096)]
    [InlineData(RequestKind.Write, SmallCache.BlockBytes)]
    public void WhatThePolicyRefusesIsCountedOnce(RequestKind kind, int lengthBytes)
    {
        using SmallCache cache = new(set: static options => options.Policy = "cleaner");
        Assert.Equal(0, cache.Driver.Do(kind, 3 * SmallCache.BlockBytes, lengthBytes));
        cache.Driver.Idle(20_000);
        Assert.Equal((1, 0), (cache["not_promoted_unwanted"], cache["promotions"]));
    }

    /// <summary>D28: the seed's figures begin anew after 4,294,967,296 requests, which a day brings.</summary>
    [Fact]
    public void FiguresGoOnBehindThirtyTwoBits()
    {
        const long many = (1L << 32) + 5;
        using SmallCache cache = new();
        int[] counters =
        [
            QueueCounters.ReadHits, QueueCounters.ReadMisses, QueueCounters.WriteHits, QueueCounters.WriteMisses,
        ];
        for (int i = 0; i < counters.Length; i++) cache.Volume.Counters.Of(0).Add(counters[i], many + i);
        Assert.Contains($" 0/8 {many} {many + 1} {many + 2} {many + 3} 0 0 0 ", cache.Volume.KernelStatus(),
            StringComparison.Ordinal);
        StatusFigures figures = new(cache.Volume);
        Assert.Equal((many, many + 3), (figures["read_hits"], figures["write_misses"]));
    }

    /// <summary>There are segments in another engine's cache.</summary>
    [Fact]
    public void HelpSpeaksOfThisEngine()
    {
        foreach (Tunable tunable in DmCacheTunables.Of(new DmCacheOptions()))
            Assert.DoesNotContain("segment", tunable.Meaning, StringComparison.Ordinal);
    }

    private static int ReadsUntilCached(string adjustment)
    {
        using SmallCache cache = new(set: static options => options.Policy = "mq");
        cache.Say("set_config", "read_promote_adjustment", adjustment);
        int reads = 0;
        for (; !cache.IsCached(0) && reads < 2000; reads++)
        {
            Assert.Equal(0, cache.Driver.Do(RequestKind.Read, 0, 4096));
            for (int i = 0; i < 4; i++) cache.Driver.Turn();
        }
        return reads;
    }

    // Eight places, each with a block that is clean; home 0 to 7 hold 1 to 8.
    private static SmallCache Filled(CacheMode mode)
    {
        SmallCache cache = new(set: static options => options.Mode = CacheMode.Passthrough);
        for (long home = 0; home < 8; home++) cache.Write(home, home + 1);
        cache.Volume.SetMode(CacheMode.Writeback);
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Writeback, "write-back");
        for (long home = 0; home < 8; home++) cache.BringIn(home);
        cache.Volume.SetMode(mode);
        cache.Driver.Until(() => cache.Volume.Mode.Named == mode, $"{mode}");
        return cache;
    }

    private static List<long> Places(SmallCache cache)
    {
        List<long> places = [];
        for (long home = 0; home < 64; home++)
            if (cache.Volume.Map.Find(home) is >= 0 and long place) places.Add(place);
        places.Sort();
        return places;
    }
}
