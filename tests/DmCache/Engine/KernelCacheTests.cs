using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Volume;
using Weir.Core.Volumes;
using Xunit;
using Xunit.Sdk;

namespace Weir.Tests.DmCache.Engine;

/// <summary>
/// Caches that real kernels have left, stopped or interrupted, dirty, even where the kernel itself would forget data:
/// every byte is there, and stays there whatever moves.
/// </summary>
public sealed class KernelCacheTests
{
    public static TheoryData<string> Sets => [.. MetadataImage.Fixtures];

    [Theory]
    [MemberData(nameof(Sets))]
    public void EveryByteIsThereAndStays(string set)
    {
        using KernelCache cache = new(set);
        for (int life = 0; life < 3; life++)
        {
            using RingContext io = new();
            using DmCacheVolume volume = cache.Open(io);
            using QueueDriver driver = new(volume, 0, io);
            cache.Check(driver);
            // Others have come in for what was read, so what was there has gone, or has been written home.
            driver.Idle(50_000);
            cache.Check(driver);
            driver.Stop();
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void EverythingGoesHome(string set)
    {
        using KernelCache cache = new(set);
        using (RingContext io = new())
        {
            using DmCacheVolume volume = cache.Open(io, policy: "cleaner");
            using QueueDriver driver = new(volume, 0, io);
            driver.Until(() => volume.DrainBlocksLeft == 0, "the end of the drain");
            cache.CheckBacking();
            cache.Check(driver);
            driver.Stop();
            Assert.Equal(VolumeState.Healthy, volume.Health.State);
        }
        using RingContext again = new();
        using DmCacheVolume passing = cache.Open(again, CacheMode.Passthrough);
        using QueueDriver reader = new(passing, 0, again);
        cache.Check(reader);
        reader.Stop();
    }

    /// <summary>The hole in the kernel's protocol: clean, it says, and only the cache has the data.</summary>
    [Fact]
    public void WhatTheKernelForgetsIsInDoubt()
    {
        using KernelCache cache = new("v2-wb-resume-crash");
        using RingContext io = new();
        using DmCacheVolume volume = cache.Open(io);
        using QueueDriver driver = new(volume, 0, io);
        StatusFigures figures = new(volume);
        Assert.Equal(195, figures["doubtful_blocks"]);
        ((IDrainable)volume).Drain();
        driver.Until(() => volume.DrainBlocksLeft == 0, "the end of the drain");
        StatusFigures after = new(volume);
        Assert.Equal(0, after["doubtful_blocks"]);
        Assert.True(after["blocks_written_back"] > 0);
        Assert.True(after["doubtful_blocks_equal"] > 0);
        cache.CheckBacking();
        driver.Stop();
    }

    /// <summary>B13: what the kernel said is believed, and flushed data are lost, as the kernel loses them.</summary>
    [Fact]
    public void WhoBelievesTheKernelLosesData()
    {
        Mutant.Active = DmCacheMutant.B13StrangersBelieved;
        try
        {
            using KernelCache cache = new("v2-wb-resume-crash");
            using RingContext io = new();
            using DmCacheVolume volume = cache.Open(io, policy: "cleaner");
            using QueueDriver driver = new(volume, 0, io);
            Assert.Equal(0, volume.DrainBlocksLeft);
            Assert.ThrowsAny<XunitException>(cache.CheckBacking);
            driver.Stop();
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>
    /// A repair leaves our mark, and says in it that dirty bits may have been lost: that is no clean bill either.
    /// </summary>
    [Fact]
    public void WhatWasRepairedIsInDoubtToo()
    {
        using SmallCache cache = new();
        for (long home = 0; home < 3; home++) cache.BringIn(home);
        cache.Reopen();
        Assert.Equal(0, cache["doubtful_blocks"]);
        cache.Reopen(cache.SayInDoubt);
        Assert.Equal(3, cache["doubtful_blocks"]);
        ((IDrainable)cache.Volume).Drain();
        cache.Driver.Until(() => cache["doubtful_blocks"] == 0, "the comparison");
        Assert.Equal(3, cache["doubtful_blocks_equal"]);
        cache.Reopen();
        Assert.Equal(0, cache["doubtful_blocks"]);
    }
}
