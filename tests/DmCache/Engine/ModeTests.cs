using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Modes change by draining (B12), policies at once.</summary>
public sealed class ModeTests
{
    private static readonly CacheMode[] s_ways =
    [
        CacheMode.Writethrough, CacheMode.Writeback, CacheMode.Passthrough, CacheMode.Writethrough,
        CacheMode.Passthrough, CacheMode.Writeback,
    ];

    [Fact]
    public void AModeHasItsNameWhenItIsTrue()
    {
        Assert.True(IsNamedClean(DmCacheMutant.None));
        Assert.False(IsNamedClean(DmCacheMutant.B12NamedTooEarly));
    }

    [Fact]
    public void EveryModeIsReachedFromEveryOther()
    {
        using SmallCache cache = new();
        for (int i = 0; i < s_ways.Length; i++)
        {
            for (long home = 0; home < 4; home++) cache.Write(home, (i * 10) + home);
            if (cache.Volume.Mode.Named != CacheMode.Passthrough) cache.BringIn(i % 4);
            Become(cache, s_ways[i]);
            for (long home = 0; home < 4; home++) Assert.Equal((i * 10) + home, cache.Read(home));
        }
    }

    /// <summary>B9: past the cache, what is written at home is cached no more, even after a crash.</summary>
    [Fact]
    public void WhatIsWrittenAtHomeIsCachedNoMore()
    {
        using SmallCache cache = new();
        cache.Write(3, 1);
        cache.BringIn(3);
        Become(cache, CacheMode.Passthrough);
        Assert.True(cache.IsCached(3));
        cache.Write(3, 2);
        Assert.False(cache.IsCached(3));
        cache.Options.Mode = CacheMode.Writeback;
        cache.Kill();
        Assert.Equal(2, cache.Read(3));
    }

    [Fact]
    public void AnotherPolicyKnowsTheBlocks()
    {
        using SmallCache cache = new(places: 4);
        for (long home = 0; home < 4; home++) cache.BringIn(home);
        cache.Write(1, 7);
        cache.Volume.SetPolicy("sieve");
        cache.Write(20, 1);
        cache.BringIn(20);
        Assert.Equal(7, cache.Read(1));
        cache.Volume.SetPolicy("cleaner");
        cache.Driver.Until(() => cache.Volume.DrainBlocksLeft == 0, "the end of the dirty blocks");
        Assert.Equal(0, cache.Driver.Do(RequestKind.Flush));
    }

    /// <summary>An order that is taken back before it is carried out leaves write-back at its own pace.</summary>
    [Fact]
    public void AnOrderThatIsTakenBackDrainsNothing()
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        cache.Write(1, 5);
        cache.Backing.RefusesWith = -5;
        cache.Volume.SetMode(CacheMode.Writethrough);
        cache.Driver.Until(() => cache.Volume.Drains.ForMode, "the drain");
        cache.Volume.SetMode(CacheMode.Writeback);
        cache.Driver.Until(() => cache.Volume.Mode.Current == CacheMode.Writeback, "the mode before");
        cache.Driver.Idle(20_000);
        Assert.False(cache.Volume.Drains.IsOn);
        Assert.Equal(CacheMode.Writeback, cache.Volume.Mode.Named);
        cache.Backing.RefusesWith = 0;
    }

    private static void Become(SmallCache cache, CacheMode mode)
    {
        cache.Volume.SetMode(mode);
        cache.Driver.Until(() => cache.Volume.Mode.Named == mode, $"mode {mode}");
    }

    private static bool IsNamedClean(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new();
            cache.BringIn(0);
            cache.Write(0, 1);
            cache.Backing.Hold = IoKind.Write;
            cache.Volume.SetMode(CacheMode.Writethrough);
            cache.Driver.Until(
                () => cache.Volume.Mode.Named == CacheMode.Writethrough || cache.Backing.HeldCount > 0, "an end");
            bool isClean = cache.Volume.Mode.Named != CacheMode.Writethrough;
            cache.Backing.Release();
            cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Writethrough, "the mode");
            return isClean && cache["dirty_blocks"] == 0;
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>
    /// A write that goes past the cache waits for its blocks, and one of them becomes dirty meanwhile: on another queue
    /// write-back has begun. It is no error.
    /// </summary>
    [Fact]
    public unsafe void AWriteOfTheModeBeforeMayMeetADirtyBlock()
    {
        using SmallCache cache = new(places: 40, homes: 200);
        foreach (long home in (long[])[1, 15]) cache.BringIn(home);
        using QueueDriver waiting = new(cache.Volume, index: 1);
        using QueueDriver ahead = new(cache.Volume, index: 2);
        cache.Volume.SetMode(CacheMode.Passthrough);
        TurnUntil(() => cache.Volume.Mode.Named == CacheMode.Passthrough, cache.Driver, waiting, ahead);
        (cache.Backing.Hold, cache.Backing.HoldAt) = (IoKind.Read, SmallCache.BlockBytes);
        Request read = new()
        {
            Kind = RequestKind.Read, OffsetBytes = SmallCache.BlockBytes, LengthBytes = 4096, Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(&read);
        Request around = new()
        {
            Kind = RequestKind.Write, OffsetBytes = SmallCache.BlockBytes, LengthBytes = 15 * SmallCache.BlockBytes,
            Data = waiting.Data,
        };
        waiting.Queue.Submit(&around);
        cache.Volume.SetMode(CacheMode.Writeback);
        TurnUntil(() => cache.Volume.Mode.Current == CacheMode.Writeback, cache.Driver, waiting, ahead);
        Request back = new()
        {
            Kind = RequestKind.Write, OffsetBytes = 15 * SmallCache.BlockBytes, LengthBytes = 4096, Data = ahead.Data,
        };
        ahead.Queue.Submit(&back);
        TurnUntil(() => ahead.Queue.TakeCompleted() != null, cache.Driver, waiting, ahead);
        Assert.Equal((0, 1), (back.Result, cache["dirty_blocks"]));
        cache.Backing.Release();
        TurnUntil(() => waiting.Queue.TakeCompleted() != null, cache.Driver, waiting, ahead);
        Assert.Equal(0, around.Result);
    }

    private static void TurnUntil(Func<bool> condition, params QueueDriver[] queues)
    {
        for (int turns = 0; !condition(); turns++)
        {
            Assert.True(turns < 20_000, "it never happens");
            foreach (QueueDriver queue in queues) queue.Turn();
        }
    }
}
