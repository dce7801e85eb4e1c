using System.Runtime.InteropServices;
using Weir.Core.DmCache;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What takes two requests, or a request and a commit, that meet at one moment: here they do.</summary>
public sealed unsafe class MeetingTests
{
    private const int Block = SmallCache.BlockBytes, Piece = 4096;

    /// <summary>B2: a clean entry says that home has the same bytes, durably.</summary>
    [Fact]
    public void AnEntryOfBytesFromHomeFollowsAFlushOfHome()
    {
        Assert.True(IsHomeFlushed(DmCacheMutant.None));
        Assert.False(IsHomeFlushed(DmCacheMutant.B2HomeUnflushed));
    }

    /// <summary>B7: of two writes of the same bytes to both devices one is first on both.</summary>
    [Fact]
    public void OneOfTwoWritesThroughIsFirst()
    {
        Assert.Equal(1, WritesAtHome(DmCacheMutant.None));
        Assert.Equal(2, WritesAtHome(DmCacheMutant.B7ThroughUnordered));
    }

    /// <summary>B10: a write that waited for a discarded block looks again: another one may have gone home.</summary>
    [Fact]
    public void AWriteThatCameBetweenEndsTheDiscard()
    {
        Assert.Equal(7, WrittenBetween(DmCacheMutant.None));
        Assert.Equal(0, WrittenBetween(DmCacheMutant.B10DiscardRemembered));
    }

    private static bool IsHomeFlushed(DmCacheMutant mutant)
    {
        using MutantScope scope = new(mutant);
        using SmallCache cache = new();
        cache.Write(5, 1);
        cache.Driver.Until(() => cache.IsCached(5), "the promotion");
        cache.Backing.Clear();
        long before = cache["commits"];
        cache.Driver.Until(() => cache["commits"] > before, "the commit of the entry");
        return cache.Backing.Flushes > 0;
    }

    private static int WritesAtHome(DmCacheMutant mutant)
    {
        using MutantScope scope = new(mutant);
        using SmallCache cache = new(set: options => options.Mode = CacheMode.Writethrough);
        cache.BringIn(0);
        cache.Write(0, 1);
        using Pair pair = new(cache);
        cache.Backing.Hold = IoKind.Write;
        pair.Submit(0, 0, Piece, 2);
        pair.Submit(1, 0, Piece, 3);
        cache.Driver.Idle(20_000);
        int count = cache.Backing.HeldCount;
        cache.Backing.Release();
        pair.Await();
        return count;
    }

    // The first write waits for the mark of block 1, and has block 2 too, which is discarded; the second is in block 2
    // alone. No promotion comes between them.
    private static long WrittenBetween(DmCacheMutant mutant)
    {
        using MutantScope scope = new(mutant);
        using SmallCache cache = new(set: options => options.MigrationRate = 1);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Discard, 0, 8L * Block));
        cache.BringIn(1);
        using Pair pair = new(cache);
        cache.Metadata.Hold = IoKind.Flush;
        pair.Submit(0, (2L * Block) - Piece, 2 * Piece, 7);
        cache.Driver.Until(() => cache.Metadata.HeldCount > 0, "the commit of the mark");
        pair.Submit(1, (2L * Block) + (4 * Piece), Piece, 8);
        cache.Driver.Idle(20_000);
        cache.Metadata.Release();
        pair.Await();
        return cache.Read(2);
    }

    /// <summary>Two writes, under way at a time.</summary>
    private sealed class Pair(SmallCache cache) : System.IDisposable
    {
        private readonly Request* _requests = (Request*)NativeMemory.AllocZeroed(2, (nuint)sizeof(Request));

        public void Submit(int which, long offsetBytes, int lengthBytes, long value)
        {
            byte* data = cache.Driver.Data + (which * (64 << 10));
            new System.Span<long>(data, lengthBytes / sizeof(long)).Fill(value);
            _requests[which] = new Request
            {
                Kind = RequestKind.Write, OffsetBytes = offsetBytes, LengthBytes = lengthBytes, Data = data,
            };
            cache.Driver.Queue.Submit(&_requests[which]);
        }

        public void Await()
        {
            for (int i = 0; i < 2; i++)
            {
                Request* done = cache.Driver.TakeOne();
                Assert.True(done != null, "a write hangs");
                Assert.Equal(0, done->Result);
            }
        }

        public void Dispose() => NativeMemory.Free(_requests);
    }
}
