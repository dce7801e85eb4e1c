using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Devices that become larger below a volume that is served.</summary>
public sealed class GrowTests
{
    private const int Block = SmallCache.BlockBytes;

    [Theory]
    [InlineData("lru", 1)]
    [InlineData("s3fifo", 1)]
    [InlineData("mq", 2)]
    [InlineData("smq", 2)]
    public void ALargerCacheHasMoreBlocks(string policy, int version)
    {
        using SmallCache cache = new(growsTimes: 20, set: options =>
        {
            (options.Policy, options.MetadataVersion) = ("lru", version);
        });
        for (long home = 0; home < 8; home++) cache.BringIn(home);
        cache.Write(3, 33);
        cache.Volume.SetPolicy(policy);
        cache.CacheRoom.Room = 150L * Block;
        Assert.Equal($"grow: done, the volume has {64L * Block} bytes and its cache 150 blocks\n", cache.Say("grow"));
        Assert.Equal(150, cache["cache_blocks"]);
        for (long home = 0; home < 8; home++) Assert.True(cache.IsCached(home), $"home {home}");
        cache.Volume.SetPolicy("lru");
        for (long home = 8; home < 40; home++) cache.BringIn(home);
        for (long home = 0; home < 40; home++) cache.Write(home, 100 + home);
        Assert.Equal(40, cache["cached_blocks"]);
        cache.Kill();
        Assert.Equal((150, 40), (cache["cache_blocks"], cache["cached_blocks"]));
        for (long home = 0; home < 40; home++) Assert.Equal(100 + home, cache.Read(home));
        cache.Reopen();
        foreach (Judge judge in Judge.Both) judge.Accepts(cache.MetadataNow());
    }

    /// <summary>What was behind the last whole block may be whole now; marks of discards are where they were.</summary>
    [Fact]
    public void ALargerBackingDeviceIsServedAndCached()
    {
        using SmallCache cache = new(homes: 3, restBytes: Block / 2, growsTimes: 4);
        cache.BringIn(1);
        cache.Write(1, 11);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 0, Block));
        cache.BackingRoom.Room = 10L * Block + 512;
        Assert.Equal((3L * Block) + (Block / 2), cache.Volume.SizeBytes);
        cache.Say("grow");
        Assert.Equal((10L * Block) + 512, cache.Volume.SizeBytes);
        Assert.True(cache.Volume.Discards.IsDiscarded(0));
        for (long home = 2; home < 10; home++)
        {
            cache.BringIn(home);
            cache.Write(home, home + 1);
        }
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 9L * Block, Block));
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, 10L * Block, 512));
        cache.Kill();
        Assert.Equal(11, cache.Read(1));
        for (long home = 2; home < 9; home++) Assert.Equal(home + 1, cache.Read(home));
        Assert.Equal(0, cache.Read(9));
    }

    [Fact]
    public void NothingGrowsWithoutRoomForItsMetadata()
    {
        using SmallCache cache = new(growsTimes: 4000, homes: 1, metadataBytes: 64 * CacheMetadata.BlockBytes);
        cache.BringIn(0);
        cache.Write(0, 5);
        cache.CacheRoom.Room = 4000L * 8 * Block;
        string said = Assert.Throws<UserErrorException>(() => cache.Say("grow")).Message;
        Assert.Contains("32000 cache blocks", said, StringComparison.Ordinal);
        Assert.Contains("nothing has grown", said, StringComparison.Ordinal);
        Assert.Equal(8, cache["cache_blocks"]);
        Assert.Equal(5, cache.Read(0));
        Assert.Equal("no", new StatusFigures(cache.Volume).TextOf("suspended"));
        cache.Write(0, 6);
        // The device has grown for the next start too.
        cache.Kill();
        Assert.Equal(8, cache["cache_blocks"]);
        Assert.Equal(6, cache.Read(0));
        cache.Reopen();
        Assert.Equal(6, cache.Read(0));
    }

    /// <summary>When the commit of a growth fails, nothing has grown, and clients go on: nobody has suspended it.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void ClientsGoOnAfterAGrowthThatFailed(int commits)
    {
        using SmallCache cache = new(growsTimes: 4);
        cache.BringIn(0);
        cache.Write(0, 5);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the last commit");
        cache.CacheRoom.Room = 20L * Block;
        Func<OrderProgress> look = cache.Volume.BeginGrow();
        long before = cache["commits"];
        cache.Driver.Until(() => cache["commits"] == before + commits, "the commit before");
        cache.Metadata.RefusesWith = -Errno.EIO;
        cache.Driver.Until(() => look().IsOver, "the growth");
        Assert.NotNull(look().Failure);
        Assert.Equal("no", new StatusFigures(cache.Volume).TextOf("suspended"));
        cache.Write(0, 6);
        Assert.Equal((6, 8), (cache.Read(0), cache["cache_blocks"]));
        cache.Metadata.RefusesWith = 0;
    }

    /// <summary>A suspended volume grows, and stays suspended; without room nothing is done.</summary>
    [Fact]
    public void ItGrowsWhileSuspended()
    {
        using SmallCache cache = new(growsTimes: 4);
        cache.Say("suspend");
        Assert.Contains("nothing has grown", cache.Say("grow"), StringComparison.Ordinal);
        cache.CacheRoom.Room = 20L * Block;
        Assert.Contains("20 blocks", cache.Say("grow"), StringComparison.Ordinal);
        Assert.Equal("yes", new StatusFigures(cache.Volume).TextOf("suspended"));
        using (CacheMetadata metadata = cache.MetadataNow().Open()) Assert.Equal(20u, metadata.Head.Places);
        cache.Say("resume");
        for (long home = 0; home < 20; home++) cache.BringIn(home);
        Assert.Equal(20, cache["cached_blocks"]);
        cache.Volume.SetMode(CacheMode.Writethrough);
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Writethrough, "the mode");
    }

    /// <summary>Block status is asked of a queue at any time; while what it looks at may grow, it says data.</summary>
    [Fact]
    public void BlockStatusLooksAtNothingThatGrows()
    {
        using SmallCache cache = new(growsTimes: 4);
        cache.Backing.IsHole = true;
        Assert.Equal(3u, FlagsOf(cache));
        cache.Say("suspend");
        Assert.Equal(0u, FlagsOf(cache));
        cache.Say("resume");
        Assert.Equal(3u, FlagsOf(cache));
    }

    private static uint FlagsOf(SmallCache cache)
    {
        System.Span<Extent> extents = stackalloc Extent[2];
        Assert.Equal(1, cache.Driver.Queue.BlockStatus(0, StatusContext.Allocation, 0, Block, extents));
        Assert.Equal(Block, extents[0].LengthBytes);
        return extents[0].Flags;
    }
}
