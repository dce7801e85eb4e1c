using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What a start finds: metadata that do not fit what they are used with, or that cannot be read.</summary>
public sealed class StartTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>
    /// D14: the seed takes any block size, version and device. Here both values are named, nothing is written, and with
    /// the right ones everything is there.
    /// </summary>
    [Theory]
    [InlineData("block size", "has blocks of 64 KiB; 128 KiB does not change that")]
    [InlineData("version", "metadata of version 3; known are 1 and 2")]
    [InlineData("backing size", "but the backing device has 4 blocks")]
    [InlineData("cache size", "name 8 cache blocks, the cache device has room for 6, and block")]
    public void WhatDoesNotFitIsRefusedWithBothValues(string difference, string words)
    {
        using SmallCache cache = new();
        for (long home = 2; home < 10; home++) cache.BringIn(home);
        // All of them dirty is more than the mark at which write-back begins.
        for (long home = 3; home < 10; home++) cache.Write(home, home + 1);
        cache.Driver.Stop();
        Change(cache, difference);
        Clear(cache);
        UserErrorException said = Assert.Throws<UserErrorException>(cache.Start);
        Assert.Contains(words, said.Message, StringComparison.Ordinal);
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing })
            Assert.Equal((0, 0), (device.Writes, device.Flushes));
        Change(cache, "");
        cache.Start();
        for (long home = 3; home < 10; home++) Assert.Equal(home + 1, cache.Read(home));
        Assert.Equal(7, cache["dirty_blocks"]);
    }

    /// <summary>
    /// D20: in the seed a shorter cache forgets what is dirty, and stops unclean. Here what is clean goes with its
    /// places, what stays has its hints, and the next stop is clean.
    /// </summary>
    [Theory]
    [InlineData("mq", 1)]
    [InlineData("smq", 2)]
    public void AShorterCacheKeepsWhatHasRoom(string policy, int version)
    {
        using SmallCache cache = new(places: 600, homes: 700, metadataBytes: 2 << 20, set: options =>
        {
            (options.Policy, options.MetadataVersion) = ("lru", version);
        });
        for (long home = 0; home < 599; home++) cache.BringIn(home);
        cache.Volume.SetPolicy(policy);
        cache.Options.Policy = policy;
        cache.Reopen(() => cache.CacheRoom.Resize(520L * Block));
        Assert.Equal(520, cache["cache_blocks"]);
        Assert.InRange(cache["cached_blocks"], 519, 520);
        cache.Driver.Stop();
        MetadataImage image = cache.MetadataNow();
        foreach (Judge judge in Judge.Both) judge.Accepts(image);
        using CacheMetadata metadata = image.Open();
        Assert.Equal((520u, true, policy), (metadata.Head.Places, metadata.Head.IsClean, metadata.Head.PolicyName));
        cache.Start();
        Assert.InRange(cache["cached_blocks"], 519, 520);
    }

    /// <summary>
    /// D29: where a block of the mapping cannot be read, the seed goes on without its entries, as if nothing were
    /// cached there. Here the start is refused with the block's number, and nothing is written.
    /// </summary>
    [Theory]
    [InlineData("a node")]
    [InlineData("a mapping block")]
    [InlineData("a device that fails")]
    public void AMappingThatCannotBeReadIsNotTakenForEmpty(string damage)
    {
        using SmallCache cache = new(places: 600, homes: 700, metadataBytes: 2 << 20);
        cache.BringIn(3);
        cache.Write(3, 33);
        cache.Driver.Stop();
        MetadataImage whole = cache.MetadataNow();
        if (damage == "a device that fails") cache.Metadata.ReadsToPass = 1;
        else cache.Meddle(image => image.Block(BlockOf(image, damage))[100] ^= 1);
        Clear(cache);
        UserErrorException said = Assert.Throws<UserErrorException>(cache.Start);
        Assert.Matches(@"metadata block \d+|block \d+:", said.Message);
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing })
            Assert.Equal((0, 0), (device.Writes, device.Flushes));
        cache.Metadata.ReadsToPass = int.MaxValue;
        cache.Meddle(image => whole.Bytes.CopyTo(image.Bytes, 0));
        cache.Start();
        Assert.Equal(33, cache.Read(3));
    }

    /// <summary>D32: whatever goes wrong in making a policy is "out of memory" in the seed.</summary>
    [Fact]
    public void APolicyThatIsNotThereIsNamedBesideThoseThatAre()
    {
        using SmallCache cache = new();
        cache.Options.Policy = "nonsense";
        UserErrorException said = Assert.Throws<UserErrorException>(() => cache.Reopen());
        Assert.StartsWith("policy 'nonsense': expected one of default, ", said.Message, StringComparison.Ordinal);
        Assert.Contains(", smq", said.Message, StringComparison.Ordinal);
        Assert.Equal(2, said.ExitCode);
    }

    private static void Change(SmallCache cache, string difference)
    {
        cache.Options.BlockBytes = difference == "block size" ? 2 * Block : 0;
        cache.CacheRoom.Resize((difference == "cache size" ? 6L : 8) * Block);
        cache.BackingRoom.Resize((difference == "backing size" ? 4L : 64) * Block);
        cache.Meddle(image => SetVersion(image, difference == "version" ? 3 : 2));
    }

    private static void SetVersion(MetadataImage image, int version)
    {
        BitConverter.TryWriteBytes(image.Block(0)[VersionOffset..], version);
        image.Seal(0, DiskSuperblock.Kind);
    }

    // In the superblock, and in a node of 252 children.
    private const int VersionOffset = 40, MappingRootOffset = 192, FirstChildOffset = 32 + (8 * 252);

    private static long BlockOf(MetadataImage image, string damage)
    {
        long root = BitConverter.ToInt64(image.Block(0)[MappingRootOffset..]);
        return damage == "a node" ? root : BitConverter.ToInt64(image.Block(root)[FirstChildOffset..]);
    }

    private static void Clear(SmallCache cache)
    {
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing }) device.Clear();
    }
}
