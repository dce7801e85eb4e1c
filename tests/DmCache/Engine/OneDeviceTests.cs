using Weir.Core.DmCache;
using Weir.Core.Io;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Metadata at the head of the cache device: its flushes cover data and metadata at once.</summary>
public sealed class OneDeviceTests
{
    /// <summary>A commit that names new data flushes their device twice: for all but the superblock, and for that.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, 2)]
    [InlineData(DmCacheMutant.B6BlocksFlushedTwice, 3)]
    [InlineData(DmCacheMutant.B6FirstFlushLeftOut, 1)]
    public void ACommitFlushesItsDeviceTwice(DmCacheMutant mutant, long flushes)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new(isAtHead: true);
        cache.Driver.Idle(20_000);
        cache.Cache.Clear();
        long before = cache["commits"];
        cache.BringIn(3);
        cache.Driver.Until(() => cache["commits"] > before, "a commit");
        cache.Driver.Idle(20_000);
        Assert.Equal((before + 1, flushes), (cache["commits"], cache.Cache.Flushes));
    }

    /// <summary>
    /// A client's flush that fails after the superblock was written may have been the one that should have covered it:
    /// the commit does not count, though its own flush succeeds.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, true)]
    [InlineData(DmCacheMutant.B6RootLossUnseen, false)]
    public void ASuperblockMayBeLostWithAClientsFlush(DmCacheMutant mutant, bool isSeen)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new(isAtHead: true);
        cache.BringIn(1);
        cache.Write(1, 5);
        (cache.Cache.Hold, cache.Cache.HoldAt) = (IoKind.Write, 0);
        cache.BringIn(3);
        cache.Driver.Until(() => cache.Cache.HeldCount > 0, "the superblock");
        cache.Write(1, 6);
        cache.Cache.FlushesToFail = 1;
        long before = cache["commits"];
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Flush));
        cache.Cache.Release();
        cache.Driver.Until(() => cache["commits"] > before || cache.Volume.Changes.Failure != null, "the end of it");
        Assert.Equal(isSeen, cache.Volume.Changes.Failure != null);
        Assert.Equal(6, cache.Read(1));
    }
}
