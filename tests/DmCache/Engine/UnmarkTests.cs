using System.Linq;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Marks of blocks that have become clean go before the stop (B1): a crash leaves few blocks dirty.</summary>
public sealed unsafe class UnmarkTests
{
    /// <summary>In idle time; without it everything that was ever written is dirty after a crash.</summary>
    [Theory]
    [InlineData(CacheMode.Writeback, 1, 5_000, 0)]
    [InlineData(CacheMode.Writeback, 2, 5_000, 0)]
    [InlineData(CacheMode.Writethrough, 2, 5_000, 0)]
    [InlineData(CacheMode.Writeback, 2, 0, 3)]
    [InlineData(CacheMode.Writethrough, 2, 0, 3)]
    public void ACrashInIdleTimeLeavesNothingDirty(CacheMode mode, int version, long unmarkUs, int dirtyAfter)
    {
        using SmallCache cache = new(set: options =>
        {
            (options.Mode, options.MetadataVersion) = (mode, version);
            (options.UnmarkUs, options.IdleUs) = (unmarkUs, 1000);
        });
        for (long home = 0; home < 3; home++) cache.BringIn(home);
        for (long home = 0; home < 3; home++) cache.Write(home, home + 1);
        Assert.Equal(3, cache["marked_blocks"]);
        cache.Driver.Until(() => cache["dirty_blocks"] == 0, "the write-back");
        if (unmarkUs > 0) cache.Driver.Until(() => cache["marked_blocks"] == 0, "the unmarking");
        else cache.Driver.Idle(50_000);
        cache.Options.IdleUs = long.MaxValue / 4;
        cache.Kill();
        Assert.Equal(dirtyAfter, cache["dirty_blocks"]);
        for (long home = 0; home < 3; home++) Assert.Equal(home + 1, cache.Read(home));
    }

    /// <summary>A region that is written now and then keeps its marks, idle time or not: its writes cost no commit.
    /// </summary>
    [Fact]
    public void ARegionThatIsWrittenKeepsItsMarks()
    {
        using SmallCache cache = new(set: static options => (options.UnmarkUs, options.IdleUs) = (2_000_000, 1000));
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        long before = cache["commits"];
        for (int i = 0; i < 20; i++)
        {
            cache.Write(0, i);
            cache.Driver.Until(() => cache["dirty_blocks"] == 0, "the write-back");
        }
        Assert.Equal(before, cache["commits"]);
    }

    /// <summary>wait_clean and drain are answered when a crash leaves nothing dirty, whatever unmark_ms says.</summary>
    [Theory]
    [InlineData("wait_clean")]
    [InlineData("drain")]
    public void WhatWaitsForCleanBlocksIsTrueAfterACrash(string order)
    {
        using SmallCache cache = new(set: static options => options.UnmarkUs = 0);
        cache.BringIn(0);
        cache.Write(0, 1);
        if (order == "wait_clean") ((IDrainable)cache.Volume).Drain();
        VolumeCommand command = DmCacheCommands.Of(cache.Volume, []).Single(command => command.Name == order);
        System.Func<OrderProgress> look = command.Begin!();
        cache.Driver.Until(() => look().IsOver, "the end of the order");
        Assert.Null(look().Failure);
        cache.Kill();
        Assert.Equal(0, cache["dirty_blocks"]);
        Assert.Equal(1, cache.Read(0));
    }

    /// <summary>
    /// A write to both devices that has begun meanwhile keeps its mark: while it is under way they may differ.
    /// </summary>
    [Fact]
    public void AWriteUnderWayKeepsItsMark()
    {
        Assert.Equal(1, MarksDuringAWrite(DmCacheMutant.None));
        Assert.Equal(0, MarksDuringAWrite(DmCacheMutant.B1MarkTakenBlindly));
    }

    /// <summary>
    /// Zeroes of a part of a clean block wait for its mark, and go on waiting when a round takes away what was wanted.
    /// </summary>
    [Fact]
    public void ZeroesWaitUntilTheirBlockIsMarked()
    {
        Assert.InRange(MarksDuringZeroes(DmCacheMutant.None), 1, 64);
        Assert.Equal(0, MarksDuringZeroes(DmCacheMutant.B1ZeroedUnmarked));
    }

    /// <summary>A crash in mode passthrough can be followed by a start in it.</summary>
    [Fact]
    public void PassthroughHasItsNameWhenNothingIsMarked()
    {
        using SmallCache cache = new(set: static options => options.UnmarkUs = 0);
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.Volume.SetMode(CacheMode.Passthrough);
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Passthrough, "the mode");
        cache.Options.Mode = CacheMode.Passthrough;
        cache.Kill();
        Assert.Equal(1, cache.Read(0));
    }

    // Block 40, which is cached, leaves with a commit whose flush is held.
    private static Request HoldACommit(SmallCache cache)
    {
        cache.Metadata.Hold = IoKind.Flush;
        return new Request
        {
            Kind = RequestKind.Discard, OffsetBytes = 40 * SmallCache.BlockBytes, LengthBytes = SmallCache.BlockBytes,
        };
    }

    private static unsafe long MarksDuringZeroes(DmCacheMutant mutant)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new(set: static options =>
            (options.Mode, options.UnmarkUs) = (CacheMode.Writethrough, 0));
        cache.BringIn(0);
        cache.BringIn(40);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        Request discard = HoldACommit(cache);
        cache.Driver.Queue.Submit(&discard);
        cache.Driver.Until(() => cache.Metadata.HeldCount > 0, "the commit before");
        Request zeroes = new() { Kind = RequestKind.WriteZeroes, LengthBytes = 4096 };
        cache.Driver.Queue.Submit(&zeroes);
        cache.Driver.Idle(20_000);
        cache.Volume.BeginUnmark();
        cache.Driver.Idle(20_000);
        (cache.Backing.Hold, cache.Backing.HoldAt) = (IoKind.Discard, 0);
        cache.Metadata.Release();
        Assert.True(cache.Driver.TakeOne() == &discard);
        cache.Driver.Until(() => cache.Backing.HeldCount > 0, "the zeroes");
        long marked = cache["marked_blocks"];
        cache.Backing.Release();
        Assert.True(cache.Driver.TakeOne() == &zeroes);
        return marked;
    }

    private static long MarksDuringAWrite(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new(set: static options =>
                (options.Mode, options.UnmarkUs) = (CacheMode.Writethrough, 0));
            cache.BringIn(0);
            cache.BringIn(40);
            cache.Write(0, 1);
            Request discard = HoldACommit(cache);
            cache.Driver.Queue.Submit(&discard);
            cache.Driver.Until(() => cache.Metadata.HeldCount > 0, "the commit before");
            long order = cache.Volume.BeginUnmark();
            cache.Driver.Idle(20_000);
            cache.Backing.Hold = IoKind.Write;
            Request request = new() { Kind = RequestKind.Write, LengthBytes = 4096, Data = cache.Driver.Data };
            cache.Driver.Queue.Submit(&request);
            cache.Driver.Until(() => cache.Backing.HeldCount > 0, "the write");
            cache.Metadata.Release();
            Assert.True(cache.Driver.TakeOne() == &discard);
            cache.Driver.Until(() => cache.Volume.IsUnmarked(order), "the commit");
            long marked = cache["marked_blocks"];
            cache.Backing.Release();
            Assert.True(cache.Driver.TakeOne() == &request);
            return marked;
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}
