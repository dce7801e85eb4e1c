using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What requests meet, and what they wait for.</summary>
public sealed unsafe class QueueTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>D1: what is behind the last whole block is served to its last byte, and never cached.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(Block - 512)]
    public void TheRestOfTheVolumeIsServedAndNeverCached(int restBytes)
    {
        using SmallCache cache = new(homes: 3, restBytes: restBytes);
        long end = (3L * Block) + restBytes;
        for (int i = 0; i < 20; i++)
        {
            cache.Fill(i + 1);
            Assert.Equal(0, cache.Driver.Do(RequestKind.Write, end - 512, 512));
            cache.Fill(0);
            Assert.Equal(0, cache.Driver.Do(RequestKind.Read, end - 512, 512));
            Assert.Equal(i + 1, *(long*)(cache.Driver.Data + ((end - 512) & 4095)));
        }
        // A request over the edge: a cached block, and the rest.
        cache.BringIn(2);
        cache.Fill(77);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, end - restBytes - 512, 1024));
        Assert.False(cache.IsCached(3));
        Assert.True(cache.IsCached(2));
        Assert.Equal(1, cache["cached_blocks"]);
        cache.Reopen();
        Assert.Equal(0, cache.Driver.Do(RequestKind.Read, end - restBytes - 512, 1024));
        Assert.Equal(77, *(long*)(cache.Driver.Data + ((end - restBytes - 512) & 4095)));
    }

    /// <summary>D27: the request that made the policy want a block is answered before the block is copied.</summary>
    [Fact]
    public void NobodyWaitsForThePromotionHeCauses()
    {
        using SmallCache cache = new();
        cache.Cache.Hold = IoKind.Write;
        Assert.Equal(0, cache.Driver.Do(RequestKind.Read, 0, 4096));
        cache.Driver.Until(() => cache.Cache.HeldCount == 1, "the copy");
        Assert.Equal(0, cache.Driver.Do(RequestKind.Read, 8192, 4096));
        Assert.False(cache.IsCached(0));
        cache.Cache.Release();
        cache.Driver.Until(() => cache.IsCached(0), "the promotion");
    }

    /// <summary>A write of a whole block is brought in as it is: nothing is read at home, or written there.</summary>
    [Fact]
    public void AWholeBlockNeedsNoCopy()
    {
        using SmallCache cache = new();
        cache.Backing.Clear();
        cache.Fill(5);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, Block, Block));
        Assert.True(cache.IsCached(1));
        Assert.Equal((0, 0), (cache.Backing.Reads, cache.Backing.Writes));
        Assert.Equal((1, 1), (cache["copies_avoided"], cache["dirty_blocks"]));
        Assert.Equal(5, cache.Read(1));
    }

    /// <summary>B10: what is not written of a discarded block reads as zeroes, whatever its place held.</summary>
    [Fact]
    public void APartOfADiscardedBlockLeavesZeroes()
    {
        using SmallCache cache = new(places: 4, homes: 4);
        cache.Fill(9);
        for (long home = 0; home < 4; home++)
            Assert.Equal(0, cache.Driver.Do(RequestKind.Write, home * Block, Block));
        ((IDrainable)cache.Volume).Drain();
        cache.Driver.Until(() => cache.Volume.DrainBlocksLeft == 0, "the end of the drain");
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 0, 4L * Block));
        cache.Driver.Until(() => cache["free_blocks"] == 4, "the removal");
        cache.Write(2, 3);
        Assert.True(cache.IsCached(2));
        Assert.Equal(3, cache.Read(2));
        Assert.Equal(0, cache.Driver.Do(RequestKind.Read, (2L * Block) + 4096, Block - 4096));
        Assert.Equal(-1, new ReadOnlySpan<byte>(cache.Driver.Data, Block - 4096).IndexOfAnyExcept((byte)0));
    }

    /// <summary>B1: a write of a clean block waits for its mark; the next one of the region does not.</summary>
    [Fact]
    public void AWriteOfACleanBlockWaitsForItsMark()
    {
        Assert.Equal((true, 0L), MarksOf(DmCacheMutant.None));
        Assert.Equal((false, 0L), MarksOf(DmCacheMutant.B1MarkNotAwaited));
    }

    /// <summary>B5: a write to a new place is answered when its entry is durable.</summary>
    [Fact]
    public void AWriteToANewPlaceWaitsForItsEntry()
    {
        Assert.True(WaitsForEntry(DmCacheMutant.None));
        Assert.False(WaitsForEntry(DmCacheMutant.B5EntryNotAwaited));
    }

    private static (bool Waits, long CommitsOfMore) MarksOf(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new();
            for (long home = 0; home < 3; home++) cache.BringIn(home);
            cache.Driver.Until(() => cache["commits"] >= 2, "the commit of the entries");
            cache.Metadata.Hold = IoKind.Flush;
            bool waits = Waits(cache, home: 0);
            cache.Metadata.Release();
            if (waits) End(cache);
            long before = cache["commits"];
            cache.Write(1, 1);
            cache.Write(2, 1);
            return (waits, waits ? cache["commits"] - before : 0);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private static bool WaitsForEntry(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using SmallCache cache = new();
            cache.Metadata.Hold = IoKind.Flush;
            bool waits = Waits(cache, home: 0, Block);
            cache.Metadata.Release();
            if (waits) End(cache);
            return waits;
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // Submits a write, and turns until it ends or the metadata device holds a flush.
    private static bool Waits(SmallCache cache, long home, int length = 4096)
    {
        Request* request = (Request*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)sizeof(Request));
        *request = new Request
        {
            Kind = RequestKind.Write, OffsetBytes = home * Block, LengthBytes = length, Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(request);
        bool isDone = false;
        cache.Driver.Until(() => IsOver(cache, ref isDone) || cache.Metadata.HeldCount > 0, "an end");
        return !isDone;
    }

    private static void End(SmallCache cache)
    {
        bool isDone = false;
        cache.Driver.Until(() => IsOver(cache, ref isDone), "the write");
    }

    // Asked again after it has said so.
    private static bool IsOver(SmallCache cache, ref bool isDone) =>
        isDone = isDone || cache.Driver.Queue.TakeCompleted() != null;
}
