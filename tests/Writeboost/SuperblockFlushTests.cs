using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The cache device fails the flush that should have covered a copy of the superblock (R6).</summary>
public sealed class SuperblockFlushTests : IDisposable
{
    public void Dispose() => Mutant.Active = MutantId.None;

    [Theory]
    [InlineData(MutantId.None, 0)]
    [InlineData(MutantId.R6SuperblockNotRewritten, Superblock.CopyBOffset)]
    public void ACopyThatAFailedFlushMayHaveLostIsWrittenAgainBeforeTheOther(MutantId mutant, long secondWrite)
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
