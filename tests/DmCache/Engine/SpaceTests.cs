using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Space on the host is taken last, and what is refused leaves it as it was.</summary>
public sealed class SpaceTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>Far too large, and a few blocks more than there are.</summary>
    [Theory]
    [InlineData(32_000)]
    [InlineData(19_000)]
    public void AGrowthWithoutRoomForItsMetadataTakesNone(long places)
    {
        using SmallCache cache = new(growsTimes: 4000, homes: 1, metadataBytes: 64 * CacheMetadata.BlockBytes);
        long before = cache.CacheRoom.ReservedEnd;
        Assert.Equal(8L * Block, before);
        cache.CacheRoom.Room = places * Block;
        string said = Assert.Throws<UserErrorException>(() => cache.Say("grow")).Message;
        Assert.Contains($"{places} cache blocks need", said, StringComparison.Ordinal);
        Assert.Equal(before, cache.CacheRoom.ReservedEnd);
    }

    [Fact]
    public void AFullFileSystemRefusesAGrowth()
    {
        using SmallCache cache = new(growsTimes: 4);
        (cache.CacheRoom.Room, cache.CacheRoom.IsFull) = (20L * Block, true);
        string said = Assert.Throws<UserErrorException>(() => cache.Say("grow")).Message;
        Assert.Contains("cannot reserve the space of its 1310720 bytes: No space left", said, StringComparison.Ordinal);
        Assert.Equal(8, cache["cache_blocks"]);
        cache.CacheRoom.IsFull = false;
        Assert.Contains("20 blocks", cache.Say("grow"), StringComparison.Ordinal);
    }

    [Fact]
    public void AStartThatIsRefusedTakesNone()
    {
        using SmallCache cache = new(growsTimes: 4);
        cache.BringIn(1);
        cache.Write(1, 11);
        cache.Driver.Stop();
        cache.GiveBacking("other");
        cache.CacheRoom.Resize(20L * Block);
        Assert.Throws<UserErrorException>(cache.Start);
        Assert.Equal(8L * Block, cache.CacheRoom.ReservedEnd);
        cache.GiveBacking(null);
        cache.CacheRoom.IsFull = true;
        MetadataImage before = cache.MetadataNow();
        Assert.Throws<UserErrorException>(cache.Start);
        Assert.Equal(before.Bytes, cache.MetadataNow().Bytes);
        cache.CacheRoom.IsFull = false;
        cache.Start();
        Assert.Equal(20, cache["cache_blocks"]);
    }
}
