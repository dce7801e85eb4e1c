using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Devices that fail (B11), and what is believed after that (B6).</summary>
public sealed class ErrorTests
{
    /// <summary>A clean block that the cache device refuses is read at home; a dirty one is an error.</summary>
    [Fact]
    public void ACleanBlockIsReadAtHome()
    {
        Assert.Equal((0, -Errno.EIO), ReadsOf(DmCacheMutant.None));
        Assert.Equal((-Errno.EIO, -Errno.EIO), ReadsOf(DmCacheMutant.B11CleanNotReadAtHome));
    }

    /// <summary>A write that home has and the cache refuses is answered when the block has left the cache.</summary>
    [Fact]
    public void AWriteThroughLosesItsBlockAndNotItsData()
    {
        using SmallCache cache = new(set: static options => options.Mode = CacheMode.Writethrough);
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Cache.WritesToFail = 1;
        cache.Write(1, 6);
        Assert.False(cache.IsCached(1));
        Assert.Equal(6, cache.Read(1));
        cache.Kill();
        Assert.Equal(6, cache.Read(1));
    }

    /// <summary>
    /// While a volume goes from write-back to write-through, blocks are dirty still: what the cache alone has of one
    /// is kept when the cache refuses a write of another part of it.
    /// </summary>
    [Fact]
    public void ADirtyBlockIsNotGivenUpForAWriteThrough()
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Backing.WritesToFail = 1;
        cache.Volume.SetMode(CacheMode.Writethrough);
        cache.Driver.Until(() => cache.Volume.Mode.Current == CacheMode.Writethrough, "the mode of new writes");
        cache.Driver.Until(() => cache.Backing.WritesToFail == 0, "a write-back that fails");
        cache.Cache.WritesToFail = 2;
        Assert.Equal(
            -Errno.EIO, cache.Driver.Do(RequestKind.Write, SmallCache.BlockBytes + 8192, 4096, RequestFlags.None));
        Assert.Equal(0, cache.Cache.WritesToFail);
        Assert.Equal(5, cache.Read(1));
        cache.Kill();
        Assert.Equal(5, cache.Read(1));
    }

    /// <summary>The same of zeroes, in a part of a block.</summary>
    [Theory]
    [InlineData(RequestKind.WriteZeroes)]
    [InlineData(RequestKind.Discard)]
    public void ZeroesThroughLoseTheirBlockAndNothingElse(RequestKind kind)
    {
        using SmallCache cache = new(set: static options => options.Mode = CacheMode.Writethrough);
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Cache.RefusesWith = -Errno.EIO;
        Assert.Equal(0, cache.Driver.Do(kind, SmallCache.BlockBytes, 4096));
        Assert.False(cache.IsCached(1));
        Assert.Equal(0, cache.Read(1));
        Assert.Equal(0, cache["dirty_blocks"]);
        cache.Kill();
        Assert.Equal(0, cache.Read(1));
    }

    /// <summary>On the way out of write-back zeroes that the cache refuses fail, and a dirty block stays.</summary>
    [Fact]
    public void ADirtyBlockIsNotGivenUpForZeroes()
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Cache.FailsReads = true;
        cache.Volume.SetMode(CacheMode.Writethrough);
        cache.Driver.Until(() => cache.Volume.Mode.Current == CacheMode.Writethrough, "the other mode");
        cache.Cache.RefusesWith = -Errno.EIO;
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.WriteZeroes, SmallCache.BlockBytes + 8192, 4096));
        (cache.Cache.RefusesWith, cache.Cache.FailsReads) = (0, false);
        Assert.Equal(5, cache.Read(1));
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Writethrough, "the name of the other mode");
        Assert.Equal(5, cache.Read(1));
    }

    /// <summary>What home has refused is read from the cache until home has it, whatever the mode becomes.</summary>
    [Fact]
    public void WhatHomeRefusedShowsUntilItIsThere()
    {
        using SmallCache cache = new(set: static options => options.Mode = CacheMode.Writethrough);
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Backing.RefusesWith = -Errno.EIO;
        cache.Fill(6);
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Write, SmallCache.BlockBytes, 4096));
        Assert.Equal(6, cache.Read(1));
        cache.Volume.SetMode(CacheMode.Passthrough);
        cache.Driver.Idle(20_000);
        Assert.Equal(6, cache.Read(1));
        cache.Backing.RefusesWith = 0;
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Passthrough, "the other mode");
        Assert.Equal(6, cache.Read(1));
    }

    /// <summary>B6: after a flush that failed none succeeds until the next start.</summary>
    [Fact]
    public void NoFlushIsBelievedAfterOneThatFailed()
    {
        Assert.Equal((-Errno.EIO, -Errno.EIO), FlushesOf(DmCacheMutant.None));
        Assert.Equal((0, 0), FlushesOf(DmCacheMutant.B6FailureForgotten));
    }

    /// <summary>
    /// B6: after a flush of the cache device that failed, and the death of the process, every flush succeeds and covers
    /// nothing of what was lost. So the next start writes again what is dirty, and reads at home what is clean; once.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, true)]
    [InlineData(DmCacheMutant.B6LossNotNoted, false)]
    [InlineData(DmCacheMutant.B6LossForgotten, false)]
    public void TheNextStartKnowsOfALostFlush(DmCacheMutant mutant, bool isKnown)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new(places: 130, homes: 200);
        cache.Write(1, 4);
        for (long home = 0; home < 130; home++) cache.BringIn(home);
        // Whose group is not marked by a write of the other.
        long dirty = (cache.Volume.Map.Find(1) >> 6) == 0 ? HomeIn(cache, 1) : HomeIn(cache, 0);
        cache.Write(dirty, 5);
        cache.Cache.FlushesToFail = 1;
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Flush));
        cache.Driver.Idle(50_000);
        long before = cache.Cache.Writes;
        cache.Kill();
        Assert.Equal(isKnown, cache.Cache.Writes > before);
        Assert.Equal((!isKnown, true), (cache.IsCached(1), cache.IsCached(dirty)));
        Assert.Equal((4, 5), (cache.Read(1), cache.Read(dirty)));
        cache.Options.IdleUs = long.MaxValue / 4;
        before = cache.Cache.Writes;
        cache.Kill();
        Assert.Equal(before, cache.Cache.Writes);
        Assert.Equal((4, 5), (cache.Read(1), cache.Read(dirty)));
    }

    /// <summary>
    /// Whoever comes to wait for a commit when none comes any more is answered, though nobody wakes the queue again.
    /// </summary>
    [Fact]
    public unsafe void NobodyWaitsForACommitThatHasFailed()
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Metadata.RefusesWith = -Errno.EIO;
        Assert.Throws<UserErrorException>(() => cache.Say("invalidate_cblocks", "0-8"));
        Assert.True(cache.Volume.Map.IsLeaving(1));
        using QueueDriver other = new(cache.Volume, index: 1);
        cache.Volume.SetMode(CacheMode.Writethrough);
        cache.Driver.Turn();
        Request request = new()
        {
            Kind = RequestKind.Write, OffsetBytes = SmallCache.BlockBytes, LengthBytes = 4096, Data = other.Data,
        };
        other.Queue.Submit(&request);
        other.Queue.Poll(other.Io.NowUs);
        Assert.True(other.Queue.DeadlineUs <= other.Io.NowUs, "the queue sleeps");
        other.Queue.Poll(other.Io.NowUs);
        Assert.True(other.Queue.TakeCompleted() == &request);
        Assert.Equal(-Errno.EIO, request.Result);
    }

    /// <summary>
    /// A commit whose data cannot be flushed leaves the metadata as they were: they need no check, and what was marked
    /// is written on.
    /// </summary>
    [Fact]
    public void ACommitWithoutItsDataChangesNothing()
    {
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.BringIn(1);
        cache.Cache.FlushesToFail = 1;
        cache.Driver.Until(() => cache.Volume.Changes.Failure != null, "the failure");
        Assert.DoesNotContain("needs_check", cache.Volume.KernelStatus(), StringComparison.Ordinal);
        cache.Write(0, 2);
        cache.Kill();
        Assert.Equal(2, cache.Read(0));
    }

    /// <summary>B6: a stop whose last flush has failed ends when the next start will know of it.</summary>
    [Theory]
    [InlineData(DmCacheMutant.None, false)]
    [InlineData(DmCacheMutant.B6LossNotAwaited, true)]
    public void AStopWaitsUntilALossIsNoted(DmCacheMutant mutant, bool endsBefore)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        cache.Driver.Idle(20_000);
        cache.Write(0, 2);
        (cache.Cache.FlushesToFail, cache.Metadata.Hold) = (1, IoKind.Write);
        cache.Driver.Queue.BeginStop();
        cache.Driver.Until(() => cache.Metadata.HeldCount > 0, "the note");
        cache.Driver.Idle(20_000);
        Assert.Equal(endsBefore, cache.Driver.Queue.StopStatus.IsOver);
        cache.Metadata.Release();
        cache.Driver.Until(() => cache.Driver.Queue.StopStatus.IsOver, "the end of the stop");
    }

    /// <summary>
    /// Nor are the marks gone that it was to take away: the durable metadata have them, and the block is written on.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, 0)]
    [InlineData(DmCacheMutant.B1MarksLostByFailure, -Errno.EIO)]
    public void ACommitWithoutItsDataLeavesTheMarks(DmCacheMutant mutant, int result)
    {
        using MutantScope broken = new(mutant);
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.Volume.BeginDrain();
        cache.Driver.Until(() => cache["dirty_blocks"] == 0, "the write-back");
        cache.Volume.EndDrain();
        cache.Driver.Idle(50_000);
        cache.BringIn(1);
        cache.Cache.FlushesToFail = 1;
        cache.Volume.BeginUnmark();
        cache.Driver.Until(() => cache.Volume.Changes.Failure != null, "the failure");
        cache.Fill(2);
        Assert.Equal(result, cache.Driver.Do(RequestKind.Write, 0, 4096));
    }

    private static long HomeIn(SmallCache cache, long group)
    {
        for (long home = 2; home < 130; home++)
            if (cache.Volume.Map.Find(home) >> 6 == group) return home;
        throw new InvalidOperationException("no block in this group");
    }

    /// <summary>
    /// A commit that cannot be written is the last one: the state says so, what is marked is written on, what is not is
    /// an error, and the metadata say that they are to be checked.
    /// </summary>
    [Fact]
    public void ACommitThatFailsIsTheLast()
    {
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.BringIn(1);
        cache.Metadata.RefusesWith = -Errno.EIO;
        cache.Driver.Until(() => cache.Volume.Health.State != VolumeState.Healthy, "the failure");
        Assert.Equal(VolumeState.ReadOnly, cache.Volume.Health.State);
        cache.Write(0, 2);
        Assert.Equal(2, cache.Read(0));
        cache.Write(40, 4);
        Assert.Equal(4, cache.Read(40));
        Assert.Equal(0, cache.Driver.Do(RequestKind.Flush));
        Assert.Contains("needs_check", cache.Volume.KernelStatus(), StringComparison.Ordinal);
    }

    private static (int Clean, int Dirty) ReadsOf(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new();
            cache.Write(0, 3);
            cache.BringIn(0);
            cache.BringIn(1);
            cache.Write(1, 4);
            cache.Cache.FailsReads = true;
            int clean = cache.Driver.Do(RequestKind.Read, 0, 4096);
            if (clean == 0) Assert.Equal(3, cache.Read(0));
            return (clean, cache.Driver.Do(RequestKind.Read, SmallCache.BlockBytes, 4096));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private static (int First, int Second) FlushesOf(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new();
            cache.Write(0, 3);
            cache.Backing.FlushesToFail = 1;
            int first = cache.Driver.Do(RequestKind.Flush);
            cache.Write(50, 4);
            return (first, cache.Driver.Do(RequestKind.Flush));
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}
