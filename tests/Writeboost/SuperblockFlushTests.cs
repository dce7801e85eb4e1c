using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The cache device fails the flush that should have covered a copy of the superblock (R6).</summary>
public sealed class SuperblockFlushTests : IDisposable
{
    private static readonly byte[] s_seven = [.. System.Linq.Enumerable.Repeat((byte)7, 4096)];

    public void Dispose() => Mutant.Active = null;

    [Theory]
    [InlineData(SharedMutant.None, 0)]
    [InlineData(SharedMutant.R6SuperblockNotRewritten, Superblock.CopyBOffset)]
    public void ACopyThatAFailedFlushMayHaveLostIsWrittenAgainBeforeTheOther(SharedMutant mutant, long secondWrite)
    {
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        CountingDevice cache = new(flash);
        WriteboostOptions options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
        using DirectClient client = new(cache, backing, options);
        client.Write(0, new byte[4096]);
        client.Flush();
        Mutant.Active = mutant;
        cache.Clear();
        client.Volume.Drain();
        AwaitCopy(client, cache);
        Assert.Equal(0, cache.HeldOffset);
        cache.Release();
        cache.Hold = IoKind.Flush;
        client.Until(() => cache.HeldCount == 1);
        cache.FlushesToFail = 1;
        cache.Release();
        AwaitCopy(client, cache);
        Assert.Equal(secondWrite, cache.HeldOffset);
        cache.Release();
        client.DrainAll();
    }

    /// <summary>
    /// One copy has the mark, the other one fails: the batch comes once more. Between its zeroing and its writing the
    /// power goes: the block that lay over the discard was flushed long ago.
    /// </summary>
    [Theory]
    [InlineData(WriteboostMutant.None, 7)]
    [InlineData(WriteboostMutant.R8MarkInDoubt, 0)]
    public void ABatchIsNotZeroedAgainWhileOneCopySaysItIsOver(WriteboostMutant mutant, byte expected)
    {
        using RamDevice disk = new(16 << 20), flash = new(8 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        CountingDevice cache = new(flash), backing = new(disk);
        WriteboostOptions options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
        using DirectClient client = new(cache, backing, options);
        Assert.Equal(0, client.Run(RequestKind.Discard, 0, 1 << 20));
        client.Write(0, s_seven);
        client.Flush();
        Mutant.Active = mutant;
        client.Volume.Drain();
        AwaitCopy(client, cache);
        cache.Release();
        AwaitCopy(client, cache);
        cache.WritesToFail = LogPort.MaxAttempts;
        long discards = backing.Counts[(int)IoKind.Discard];
        cache.Release();
        client.Until(() => backing.Counts[(int)IoKind.Discard] > discards);
        backing.Hold = IoKind.Write;
        client.Until(() => backing.HeldCount == 1);
        Assert.Equal(expected, FirstByteAfterPowerCut(flash, disk));
        backing.Release();
        client.DrainAll();
    }

    private static unsafe byte FirstByteAfterPowerCut(RamDevice cache, RamDevice backing)
    {
        using RamDevice cacheThen = new(cache.SizeBytes), backingThen = new(backing.SizeBytes);
        Buffer.MemoryCopy(cache.Start, cacheThen.Start, cache.SizeBytes, cache.SizeBytes);
        Buffer.MemoryCopy(backing.Start, backingThen.Start, backing.SizeBytes, backing.SizeBytes);
        using DirectClient next = new(cacheThen, backingThen, new WriteboostOptions { AllowWriteback = false });
        return next.Read(0, 4096)[0];
    }

    // The next write of a superblock copy is held; what else is written passes.
    private static void AwaitCopy(DirectClient client, CountingDevice cache)
    {
        bool isCopy = false;
        while (!isCopy)
        {
            cache.Hold = IoKind.Write;
            client.Until(() => cache.HeldCount == 1);
            isCopy = cache.HeldOffset is 0 or Superblock.CopyBOffset;
            if (!isCopy) cache.Release();
        }
    }
}
