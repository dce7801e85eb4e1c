using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Migration;
using Weir.Core.Io;
using Weir.Core.Volumes;
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
    }

    /// <summary>
    /// A bad sector is met once: reads beside it do not wait for its error again, until the block is written.
    /// </summary>
    [Fact]
    public void WhatCannotBeReadIsNotWantedAgain()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Backing.Unreadable = ((3 * SmallCache.BlockBytes) + 8192, (3 * SmallCache.BlockBytes) + 12288);
        Assert.Equal(7, cache.Read(3));
        cache.Backing.Clear();
        for (int i = 0; i < 5; i++) Assert.Equal(7, cache.Read(3));
        Assert.Equal(5, cache.Backing.Reads);
        Assert.Equal((1, 5), (cache["not_promoted_failed"], cache["not_promoted_unreadable"]));
        cache.BringIn(4);
        cache.Backing.Unreadable = default;
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, (3 * SmallCache.BlockBytes) + 8192, 4096));
        Assert.Equal(7, cache.Read(3));
        cache.Driver.Until(() => cache.IsCached(3), "the block");
    }

    [Fact]
    public void WhatCouldNotBeReadIsTriedAgainAfterAWhile()
    {
        FailedHomes failed = new();
        failed.Add(5, nowUs: 1000);
        Assert.True(failed.Has(5, 1000 + FailedHomes.PauseUs - 1));
        Assert.False(failed.Has(5, 1000 + FailedHomes.PauseUs));
        Assert.False(failed.Has(5 + 64, 1000));
        failed.Forget(5 + 64);
        Assert.True(failed.Has(5, 1000));
        failed.Add(5 + 64, nowUs: 1000);
        Assert.Equal((false, true), (failed.Has(5, 1000), failed.Has(5 + 64, 1000)));
        failed.Forget(5 + 64);
        Assert.False(failed.Has(5 + 64, 1000));
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

    /// <summary>The bytes are those of the request, wherever it lies in its block.</summary>
    [Fact]
    public void APartInTheMiddleIsReadAlong()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.WriteBacking(3, 8, within: 20480);
        cache.Driver.Turn();
        cache.Backing.Clear();
        const long at = (3 * SmallCache.BlockBytes) + 20480;
        Assert.Equal(8, cache.Driver.Read(at >> 12));
        cache.Driver.Until(() => cache.IsCached(3), "the block");
        Assert.Equal(1, cache.Backing.Reads);
        Assert.Equal((7, 8), (cache.Read(3), cache.Driver.Read(at >> 12)));
    }

    /// <summary>A suspend waits for the read, and for the copy that goes on after it.</summary>
    [Fact]
    public unsafe void ASuspendWaitsForIt()
    {
        using SmallCache cache = new();
        using Held held = new(cache);
        Func<OrderProgress> look = cache.Volume.BeginSuspend();
        cache.Driver.Idle(20_000);
        Assert.False(look().IsOver);
        cache.Cache.Hold = IoKind.Write;
        cache.Backing.Release();
        Assert.Equal(7, held.Value());
        cache.Driver.Until(() => cache.Cache.HeldCount == 1, "the write of the copy");
        cache.Driver.Idle(20_000);
        Assert.False(look().IsOver);
        cache.Cache.Release();
        cache.Driver.Until(() => look().IsOver, "the suspend");
        Assert.True(cache.IsCached(3));
        (long writes, long commits) = (cache.Cache.Writes, cache["commits"]);
        cache.Driver.Idle(20_000);
        Assert.Equal((writes, commits), (cache.Cache.Writes, cache["commits"]));
        cache.Say("resume");
        Assert.Equal(7, cache.Read(3));
    }

    /// <summary>So does a stop for the copy, and the block is there in the next life.</summary>
    [Fact]
    public void AStopWaitsForTheCopy()
    {
        using SmallCache cache = new();
        cache.WriteBacking(3, 7);
        cache.Driver.Turn();
        cache.Cache.Hold = IoKind.Write;
        Assert.Equal(7, cache.Read(3));
        cache.Driver.Queue.BeginStop();
        cache.Driver.Idle(20_000);
        Assert.False(cache.Driver.Queue.StopStatus.IsOver);
        cache.Cache.Release();
        cache.Driver.Until(() => cache.Driver.Queue.StopStatus.IsOver, "the end of the stop");
        cache.Start();
        Assert.True(cache.IsCached(3));
        Assert.Equal(7, cache.Read(3));
    }

    /// <summary>
    /// A mode without a cache waits for the read. What the copy brings in after that does not hide a later write, not
    /// even from the next life (B9).
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public unsafe void AModeWithoutCacheMayComeBetween(bool isCopyHeld)
    {
        using SmallCache cache = new();
        using Held held = new(cache);
        cache.Volume.SetMode(CacheMode.Passthrough);
        cache.Driver.Idle(20_000);
        Assert.NotEqual(CacheMode.Passthrough, cache.Volume.Mode.Named);
        if (isCopyHeld) cache.Cache.Hold = IoKind.Write;
        cache.Backing.Release();
        Assert.Equal(7, held.Value());
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Passthrough, "the mode");
        cache.Fill(9);
        Request write = new()
        {
            Kind = RequestKind.Write, OffsetBytes = 3 * SmallCache.BlockBytes, LengthBytes = 4096,
            Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(&write);
        cache.Driver.Idle(20_000);
        cache.Cache.Release();
        Assert.True(cache.Driver.TakeOne() == &write);
        Assert.Equal((0, 9), (write.Result, cache.Read(3)));
        cache.Options.Mode = CacheMode.Writeback;
        cache.Kill();
        Assert.Equal(9, cache.Read(3));
    }

    /// <summary>When no commit comes any more the client has its bytes, and the place is free again.</summary>
    [Fact]
    public void AfterACommitThatFailedNothingComesIn()
    {
        using SmallCache cache = new();
        cache.BringIn(1);
        using Held held = new(cache);
        int free = cache.Volume.Map.Free.Count;
        cache.Metadata.RefusesWith = -Errno.EIO;
        cache.Driver.Until(() => cache.Volume.Changes.Failure != null, "the failure");
        cache.Backing.Release();
        Assert.Equal(7, held.Value());
        cache.Driver.Until(() => cache.Volume.Map.Free.Count == free + 1, "the place");
        Assert.False(cache.IsCached(3));
        Assert.Equal(7, cache.Read(3));
    }

    /// <summary>A read of block 3, which is 7, that misses: home keeps its answer back.</summary>
    private sealed unsafe class Held : IDisposable
    {
        private readonly SmallCache _cache;
        private readonly AlignedMemory _memory = new(sizeof(Request) + 8192);
        private readonly Request* _request;

        public Held(SmallCache cache)
        {
            _cache = cache;
            _request = (Request*)(_memory.Pointer + 8192);
            cache.WriteBacking(3, 7);
            cache.Driver.Turn();
            (cache.Backing.Hold, cache.Backing.HoldAt) = (IoKind.Read, 3 * SmallCache.BlockBytes);
            *_request = new Request
            {
                Kind = RequestKind.Read, OffsetBytes = 3 * SmallCache.BlockBytes, LengthBytes = 4096,
                Data = _memory.Pointer,
            };
            cache.Driver.Queue.Submit(_request);
            cache.Driver.Until(() => cache.Backing.HeldCount == 1, "the read");
        }

        public long Value()
        {
            Assert.True(_cache.Driver.TakeOne() == _request);
            Assert.Equal(0, _request->Result);
            return *(long*)_memory.Pointer;
        }

        public void Dispose() => _memory.Dispose();
    }
}
