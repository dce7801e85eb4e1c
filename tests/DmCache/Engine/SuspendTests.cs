using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Migration;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Requests that are held, and what is on the devices meanwhile.</summary>
public sealed unsafe class SuspendTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>Nothing is written meanwhile, marks are the dirty blocks, and the judges say well.</summary>
    [Fact]
    public void ASuspendedVolumeIsAsAfterAStop()
    {
        using SmallCache cache = new(places: 80);
        for (long home = 0; home < 6; home++) cache.BringIn(home);
        cache.Write(1, 11);
        cache.Write(3, 13);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 10L * Block, 4L * Block));
        cache.Say("suspend");
        Assert.Equal("yes", new StatusFigures(cache.Volume).TextOf("suspended"));
        cache.Fill(12);
        Request request = WriteOf(cache, home: 1);
        cache.Driver.Queue.Submit(&request);
        MetadataImage image = cache.MetadataNow();
        Clear(cache);
        cache.Driver.Idle(50_000);
        Assert.True(cache.Driver.Queue.TakeCompleted() == null);
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing })
            Assert.Equal((0, 0, 0), (device.Reads, device.Writes, device.Flushes));
        CheckIsAsAfterAStop(image);
        cache.Say("resume");
        Assert.True(cache.Driver.TakeOne() == &request);
        Assert.Equal(12, cache.Read(1));
        Assert.Equal("no", new StatusFigures(cache.Volume).TextOf("suspended"));
        cache.Write(2, 22);
        cache.Kill();
        Assert.Equal((12, 22, 13), (cache.Read(1), cache.Read(2), cache.Read(3)));
    }

    /// <summary>Those under way end first, and flushes cover them.</summary>
    [Fact]
    public void ASuspendWaitsForWhatIsUnderWay()
    {
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        cache.Cache.Hold = IoKind.Write;
        cache.Fill(2);
        Request request = WriteOf(cache, home: 0);
        cache.Driver.Queue.Submit(&request);
        Func<OrderProgress> look = cache.Volume.BeginSuspend();
        cache.Driver.Idle(30_000);
        Assert.False(look().IsOver);
        Assert.Equal("begun", new StatusFigures(cache.Volume).TextOf("suspended"));
        cache.Cache.Clear();
        cache.Cache.Release();
        cache.Driver.Until(() => look().IsOver, "the suspend");
        Assert.True(cache.Driver.Queue.TakeCompleted() == &request);
        Assert.True(cache.Cache.Flushes > 0);
        cache.Kill();
        Assert.Equal(2, cache.Read(0));
    }

    /// <summary>
    /// D18: the seed's cleaner copies while the target is suspended. Here nothing begins, though the policy is to clean
    /// and blocks are wanted; it all goes on after the resume.
    /// </summary>
    [Fact]
    public void NothingIsCopiedWhileSuspended()
    {
        using SmallCache cache = new();
        for (long home = 0; home < 6; home++) cache.BringIn(home);
        for (long home = 0; home < 6; home++) cache.Write(home, home + 1);
        cache.Say("suspend");
        Clear(cache);
        (cache.Options.IdleUs, cache.Options.HighWatermark) = (0, 0);
        cache.Volume.SetPolicy("cleaner");
        cache.Volume.Promotions.TryAdd(new WantedBlock(20, default));
        cache.Driver.Idle(50_000);
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing })
            Assert.Equal((0, 0, 0), (device.Reads, device.Writes, device.Flushes));
        Assert.Equal(6, cache["dirty_blocks"]);
        cache.Say("resume");
        Assert.Equal("wait_clean: done, nothing is dirty\n", cache.Say("wait_clean"));
    }

    /// <summary>B10: after a resume a crash brings no discard back over what was written since.</summary>
    [Fact]
    public void AResumeTakesTheDiscardsBack()
    {
        Assert.Equal(5, ReadAfterResumeAndCrash(DmCacheMutant.None));
        Assert.Equal(0, ReadAfterResumeAndCrash(DmCacheMutant.B10DiscardsKeptByResume));
    }

    /// <summary>A stop serves what waits, and ends as any other.</summary>
    [Fact]
    public void AStopLetsRequestsGoOn()
    {
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Say("suspend");
        cache.Fill(3);
        Request request = WriteOf(cache, home: 0);
        cache.Driver.Queue.Submit(&request);
        cache.Driver.Queue.Hurry(mayRefuse: true);
        Assert.True(cache.Driver.TakeOne() == &request);
        Assert.Equal(0, request.Result);
        cache.Reopen();
        Assert.Equal(3, cache.Read(0));
    }

    /// <summary>What cannot commit lets nothing go on: a crash would undo it. A stop refuses what waits.</summary>
    [Fact]
    public void AResumeThatCannotCommitStaysSuspended()
    {
        using SmallCache cache = new();
        cache.Say("suspend");
        cache.Fill(3);
        Request request = WriteOf(cache, home: 40);
        cache.Driver.Queue.Submit(&request);
        cache.Metadata.RefusesWith = -Errno.EIO;
        string said = Assert.Throws<UserErrorException>(() => cache.Say("resume")).Message;
        Assert.Contains("stays suspended", said, StringComparison.Ordinal);
        Assert.Equal("yes", new StatusFigures(cache.Volume).TextOf("suspended"));
        Assert.True(cache.Driver.Queue.TakeCompleted() == null);
        cache.Driver.Queue.Hurry(mayRefuse: true);
        Assert.True(cache.Driver.TakeOne() == &request);
        Assert.Equal(-Errno.EIO, request.Result);
        cache.Driver.Stop(-Errno.EIO);
    }

    /// <summary>Orders that would wait for ever say so; the policy may change, and is what is kept.</summary>
    [Fact]
    public void OrdersWhileSuspended()
    {
        using SmallCache cache = new();
        cache.BringIn(0);
        cache.Write(0, 1);
        Assert.Equal("resume: done, the volume was not suspended\n", cache.Say("resume"));
        cache.Say("suspend");
        Assert.Equal("suspend: done, requests wait until resume\n", cache.Say("suspend"));
        foreach (string order in new[] { "drain", "wait_clean", "invalidate_cblocks 0" })
            Assert.Contains("suspended", Assert.Throws<UserErrorException>(() => cache.Say(order.Split(' '))).Message,
                StringComparison.Ordinal);
        cache.Volume.SetPolicy("sieve");
        cache.Volume.SetMode(CacheMode.Writethrough);
        Assert.Equal("resume: done, requests go on\n", cache.Say("resume"));
        cache.Driver.Until(() => cache.Volume.Mode.Named == CacheMode.Writethrough, "the mode");
        cache.Say("suspend");
        using CacheMetadata metadata = cache.MetadataNow().Open();
        Assert.Equal("sieve", metadata.Head.PolicyName);
    }

    private static void CheckIsAsAfterAStop(MetadataImage image)
    {
        foreach (Judge judge in Judge.Both) judge.Accepts(image);
        using CacheMetadata metadata = image.Open();
        Assert.True(metadata.Head.IsClean);
        ulong[] dirty = image.DirtyWords(metadata);
        Assert.Equal(2, BitOperations.PopCount(dirty[0]) + BitOperations.PopCount(dirty[1]));
        Assert.Equal("lru", metadata.Head.PolicyName);
        Assert.NotEqual(0UL, image.DiscardWords(metadata)[0]);
    }

    private static long ReadAfterResumeAndCrash(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new(set: static options => options.Policy = "noop");
            Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 0, 4L * Block));
            cache.Say("suspend");
            cache.Say("resume");
            cache.Write(2, 5);
            cache.Options.Policy = "lru";
            cache.Kill();
            cache.BringIn(2);
            return cache.Read(2);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private static void Clear(SmallCache cache)
    {
        foreach (CountingDevice device in new[] { cache.Cache, cache.Metadata, cache.Backing }) device.Clear();
    }

    private static Request WriteOf(SmallCache cache, long home) => new()
    {
        Kind = RequestKind.Write, OffsetBytes = home * Block, LengthBytes = 4096, Data = cache.Driver.Data,
    };
}
