using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// R10 on real threads: one thread writes ever larger numbers into the same few blocks, the others read them all the
/// time, with a read cache that takes everything and a log so small that it wraps again and again. A read never shows
/// less than what had been acknowledged when it began.
/// </summary>
public sealed unsafe class ReadCacheThreadsTests
{
    private const int Blocks = 200, Readers = 2, Writes = 30_000;

    [Fact]
    public void AReadNeverShowsWhatWasOverwritten()
    {
        using RamDevice backing = new((long)Blocks << 12), cache = new(4 << 20);
        WriteboostOptions options = new()
        {
            RamSegments = 8, IdleUs = 100, SyncIntervalUs = 5_000, WritebackThreshold = 0, ReadCacheThreshold = 127,
        };
        long[] acknowledged = new long[Blocks];
        for (int life = 0; life < 2; life++)
        {
            using RingContext io = new();
            if (life == 0) WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
            WriteboostVolume volume = WriteboostVolume.Open(
                io, cache, [new BackingSpec(null, "disk", backing)], new HeapRamStore(), options);
            Run(volume, acknowledged);
            StatusFigures figures = new(volume);
            Assert.True(figures["blocks_staged"] > 100, $"only {figures["blocks_staged"]} blocks staged");
        }
    }

    private static void Run(WriteboostVolume volume, long[] acknowledged)
    {
        int writing = 1;
        TestThreads.Run(Readers + 1, number =>
        {
            using QueueDriver driver = new(volume, number);
            try
            {
                if (number == 0) Write(driver, acknowledged);
                else Read(driver, acknowledged, ref writing);
            }
            finally
            {
                Volatile.Write(ref writing, 0);
            }
            driver.Stop();
        });
    }

    private static void Write(QueueDriver driver, long[] acknowledged)
    {
        Prng random = new(1);
        for (int i = 0; i < Writes; i++)
        {
            int block = random.Below(Blocks);
            long value = acknowledged[block] + 1;
            driver.Write(block, value);
            Volatile.Write(ref acknowledged[block], value);
            // Time for write-back, so that there is something to stage.
            if (i % 64 == 0) driver.Idle(300);
        }
    }

    private static void Read(QueueDriver driver, long[] acknowledged, ref int writing)
    {
        Prng random = new(2);
        while (Volatile.Read(ref writing) != 0)
        {
            int block = random.Below(Blocks);
            long least = Volatile.Read(ref acknowledged[block]);
            long value = driver.Read(block);
            Assert.True(value >= least, $"block {block} shows {value}, after {least} was acknowledged");
        }
    }
}
