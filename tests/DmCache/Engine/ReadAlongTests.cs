using Weir.Core.Io;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>A read that misses, and the block that comes in because of it: home is read once for both.</summary>
public sealed class ReadAlongTests
{
    [Fact]
    public void HomeIsReadOnce()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Backing.Clear();
        Assert.Equal(7, cache.Read(3));
        cache.Driver.Until(() => cache.IsCached(3), "the block");
        Assert.Equal(1, cache.Backing.Reads);
        Assert.Equal((1, 1), (cache["read_misses"], cache["promotions"]));
        cache.WriteBacking(3, 8);
        Assert.Equal(7, cache.Read(3));
    }

    /// <summary>The client hears of its bytes before the cache has them (D27).</summary>
    [Fact]
    public void TheClientDoesNotWaitForTheCache()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Cache.Hold = IoKind.Write;
        Assert.Equal(7, cache.Read(3));
        Assert.Equal((1, false), (cache.Cache.HeldCount, cache.IsCached(3)));
        cache.Cache.Release();
        cache.Driver.Until(() => cache.IsCached(3), "the block");
    }

    /// <summary>Where home does not give all of the block, the client has its part all the same.</summary>
    [Fact]
    public void AnUnreadablePartOfTheBlockIsNotTheClients()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Backing.Unreadable = ((3 * SmallCache.BlockBytes) + 8192, (3 * SmallCache.BlockBytes) + 12288);
        Assert.Equal(7, cache.Read(3));
        Assert.Equal(
            -Errno.EIO, cache.Driver.Do(RequestKind.Read, (3 * SmallCache.BlockBytes) + 8192, 4096));
        Assert.False(cache.IsCached(3));
        cache.Backing.Unreadable = default;
        Assert.Equal(7, cache.Read(3));
        cache.Driver.Until(() => cache.IsCached(3), "the block");
    }

    /// <summary>A write of the block waits until the copy has ended, and is not lost in it (B8).</summary>
    [Fact]
    public unsafe void AWriteMeanwhileIsNotLost()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Cache.Hold = IoKind.Write;
        Assert.Equal(7, cache.Read(3));
        cache.Fill(9);
        Request write = new()
        {
            Kind = RequestKind.Write, OffsetBytes = 3 * SmallCache.BlockBytes, LengthBytes = 4096,
            Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(&write);
        cache.Driver.Idle(20_000);
        Assert.Equal(1, cache.Cache.HeldCount);
        cache.Cache.Release();
        Assert.True(cache.Driver.TakeOne() == &write);
        Assert.Equal((0, true), (write.Result, cache.IsCached(3)));
        Assert.Equal(9, cache.Read(3));
    }
}
