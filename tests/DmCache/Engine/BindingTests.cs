using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Tests.DmCache.Tools;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>B14: metadata are used with the devices that they belong to, and with no others of the same size.</summary>
public sealed class BindingTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>A blank device of the same size: nothing of what is clean is there, whatever it is called.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnotherBackingDeviceIsRefused(bool isCalledTheSame)
    {
        using SmallCache cache = WithClean(3);
        string name = isCalledTheSame ? cache.Backing.Identity : "disk:other";
        UserErrorException refusal = Assert.Throws<UserErrorException>(
            () => cache.Reopen(() => cache.GiveBacking(name)));
        Assert.Contains("none of 3 clean blocks of cache device ram:", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("same on backing device ram:", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("rebind=1", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (cache.Backing.Writes, cache.Backing.Flushes));
        cache.GiveBacking(null);
        cache.Start();
        for (long home = 0; home < 3; home++) Assert.Equal(home + 1, cache.Read(home));
        Assert.Equal(3, cache["cached_blocks"]);
    }

    /// <summary>B14: without the check another device is served as if it were the right one.</summary>
    [Fact]
    public void TheCheckIsWhatRefuses()
    {
        Mutant.Active = DmCacheMutant.B14AnyDeviceTaken;
        try
        {
            using SmallCache cache = WithClean(3);
            cache.Reopen(() => cache.GiveBacking("disk:other"));
            Assert.Equal(2, cache.Read(1));
            Assert.Equal(0, cache.Read(5));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>Nothing is clean: the name alone tells. Told that it is right, dirty blocks go there.</summary>
    [Fact]
    public void WhereNothingIsCleanTheNameCounts()
    {
        using SmallCache cache = new();
        cache.Fill(7);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, Block, Block));
        Assert.Equal(1, cache["dirty_blocks"]);
        UserErrorException refusal = Assert.Throws<UserErrorException>(
            () => cache.Reopen(() => cache.GiveBacking("disk:other")));
        Assert.Contains("(disk:other) is not the backing device", refusal.Message, StringComparison.Ordinal);
        cache.Options.Rebind = true;
        cache.Start();
        Assert.Equal(7, cache.Read(1));
        cache.Options.Rebind = false;
        cache.Reopen();
        Assert.Equal(7, cache.Read(1));
    }

    /// <summary>A device that moved: it is called another name, and has what is clean.</summary>
    [Fact]
    public void ADeviceOfAnotherNameIsKnownByItsContent()
    {
        using SmallCache cache = WithClean(3);
        cache.Backing.Called = "disk:moved";
        cache.Reopen();
        Assert.Equal(3, cache["cached_blocks"]);
    }

    /// <summary>Told that it is right, a device is believed: its bytes are read, not those of the cache.</summary>
    [Fact]
    public void ARightDeviceThatLooksDifferentIsRead()
    {
        using SmallCache cache = WithClean(3);
        cache.Options.Rebind = true;
        cache.Reopen(() => cache.GiveBacking("disk:other"));
        Assert.Equal((0, 8), (cache["cached_blocks"], cache["free_blocks"]));
        Assert.Equal(0, cache.Read(1));
    }

    /// <summary>
    /// Metadata that a kernel wrote last: every block may be newer in the cache than at home. None of them is evidence,
    /// and none is forgotten.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsInDoubtIsKept(bool rebinds)
    {
        using SmallCache cache = WithClean(3);
        cache.Options.Rebind = rebinds;
        for (long home = 0; home < 3; home++) cache.WriteBacking(home, 9);
        cache.Reopen(cache.SayInDoubt);
        Assert.Equal((3, 3), (cache["cached_blocks"], cache["doubtful_blocks"]));
        for (long home = 0; home < 3; home++) Assert.Equal(home + 1, cache.Read(home));
    }

    /// <summary>
    /// Metadata that were restored know no devices: blank ones, or another cache's, would be written back over home.
    /// </summary>
    [Theory]
    [InlineData(1, 0, "is blank where the metadata on")]
    [InlineData(2, 0, "is blank where the metadata on")]
    [InlineData(2, 0xAB, "none of 9 blocks in doubt of cache device")]
    public void RestoredMetadataOverAnotherCacheAreRefused(int version, byte content, string refusal)
    {
        using SmallCache cache = Restored(version);
        cache.OverwriteCache(content);
        (long, long) before = (cache.Backing.Writes, cache.Cache.Writes);
        string said = Assert.Throws<UserErrorException>(cache.Start).Message;
        Assert.Contains(refusal, said, StringComparison.Ordinal);
        Assert.Contains("rebind=1", said, StringComparison.Ordinal);
        Assert.Contains("10 dirty blocks go to", said, StringComparison.Ordinal);
        Assert.Equal(before, (cache.Backing.Writes, cache.Cache.Writes));
        cache.Options.Rebind = true;
        cache.Start();
        Assert.Equal(10, cache["cached_blocks"]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void RestoredMetadataOverTheirCacheAreServed(int version)
    {
        using SmallCache cache = Restored(version);
        cache.Start();
        for (long home = 0; home < 10; home++) Assert.Equal(home == 9 ? 99 : home + 1, cache.Read(home));
    }

    /// <summary>A file that was made anew may be called what the old one was, down to its number.</summary>
    [Fact]
    public void ABlankFileIsNoCacheOfThatName()
    {
        using SmallCache cache = new();
        cache.WriteBacking(1, 3);
        cache.Fill(7);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, Block, Block));
        Assert.Equal(1, cache["dirty_blocks"]);
        cache.Driver.Stop();
        cache.OverwriteCache(0);
        cache.Cache.IsHole = true;
        string said = Assert.Throws<UserErrorException>(cache.Start).Message;
        Assert.Contains("is blank where the metadata on", said, StringComparison.Ordinal);
    }

    // Nine clean blocks and a dirty one.
    private static SmallCache Restored(int version)
    {
        SmallCache cache = new(places: 12, set: options => options.MetadataVersion = version);
        for (long home = 0; home < 10; home++) cache.Write(home, home + 1);
        for (long home = 0; home < 10; home++) cache.BringIn(home);
        cache.Write(9, 99);
        cache.Driver.Stop();
        cache.Meddle(image =>
        {
            MetadataImage made = OfflineTools.Restore(
                OfflineTools.Dump(image), image.Bytes.Length / MetadataImage.BlockBytes, version);
            made.Bytes.CopyTo(image.Bytes, 0);
        });
        return cache;
    }

    /// <summary>Somebody has written the backing device without its cache: what is clean is older.</summary>
    [Fact]
    public void ADeviceWrittenWithoutItsCacheIsRead()
    {
        using SmallCache cache = WithClean(3);
        cache.Options.Mode = CacheMode.Passthrough;
        cache.Reopen();
        cache.Driver.Stop();
        cache.WriteBacking(2, 9);
        cache.Start();
        Assert.Equal(0, cache["cached_blocks"]);
        Assert.Equal(9, cache.Read(2));
        Assert.Equal(1, cache.Read(0));
    }

    private static SmallCache WithClean(int count)
    {
        SmallCache cache = new();
        for (long home = 0; home < count; home++) cache.Write(home, home + 1);
        for (long home = 0; home < count; home++) cache.BringIn(home);
        return cache;
    }
}
