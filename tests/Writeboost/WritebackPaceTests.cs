using System;
using System.Linq;
using Weir.Core.Io;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// W15: write-back follows its clients, and a full cache slows them down to the disk's pace without stalling them.
/// </summary>
public sealed class WritebackPaceTests(ITestOutputHelper output)
{
    private const int Depth = 32;

    [Fact]
    public void AFullCacheTakesWritesAtTheDisksPace()
    {
        using ModelledDisk disk = new(new WriteboostOptions());
        long startUs = disk.NowUs;
        ModelledDisk.Seen filling = disk.Run(RequestKind.Write, Depth, 40);
        int[] perSecond = filling.PerSecond(startUs, disk.NowUs);
        output.WriteLine("until it has settled, per second: " + string.Join(' ', perSecond));
        Assert.DoesNotContain(0, perSecond);

        startUs = disk.NowUs;
        long before = disk.Volume.BlocksWrittenBack;
        ModelledDisk.Seen full = disk.Run(RequestKind.Write, Depth, 60);
        perSecond = full.PerSecond(startUs, disk.NowUs);
        double drained = (disk.Volume.BlocksWrittenBack - before) / 60.0;
        double written = perSecond.Average();
        long p99 = full.Percentile(99);
        output.WriteLine($"full: {written:f0} writes/s, disk {drained:f0} blocks/s, p99 {p99 / 1000} ms, per second: "
            + string.Join(' ', perSecond));
        Assert.DoesNotContain(0, perSecond);
        Assert.InRange(written, drained * 0.9, drained * 1.1);
        Assert.InRange(p99, 0, 3 * Depth / written * 1_000_000);
    }

    [Fact]
    public void AtHalfTheDrainRateNobodyWaits()
    {
        using ModelledDisk disk = new(new WriteboostOptions());
        ModelledDisk.Seen idle = disk.Run(RequestKind.Write, Depth, 2, perSecond: 150);
        disk.Run(RequestKind.Write, Depth, 30);
        ModelledDisk.Seen settled = disk.Run(RequestKind.Write, Depth, 10);
        int half = settled.LatenciesUs.Count / 10 / 2;
        long before = disk.Volume.BlocksWrittenBack;
        ModelledDisk.Seen seen = disk.Run(RequestKind.Write, Depth, 30, half);
        Assert.True(disk.Volume.BlocksWrittenBack - before > 30 * half, "write-back does not go on");
        output.WriteLine($"idle p99 {idle.Percentile(99)} us, at {half}/s while full p99 {seen.Percentile(99)} us");
        Assert.InRange(seen.Percentile(99), 0, Math.Max(3 * idle.Percentile(99), 10));
    }

    /// <summary>Readers of the disk beside write-back: what they wait and what is written back, per second.</summary>
    private (long P99Us, double BlocksPerSecond) ReadBeside(WriteboostOptions options)
    {
        options.HighWatermark = 0;
        options.IdleUs = 60_000_000;
        options.MaxBatchedWriteback = 1;
        using ModelledDisk disk = new(options);
        disk.Run(RequestKind.Write, Depth, 1, perSecond: 6000);
        disk.Run(RequestKind.Read, 1, 5);
        long before = disk.Volume.BlocksWrittenBack;
        long p99 = disk.Run(RequestKind.Read, 1, 20).Percentile(99);
        double rate = (disk.Volume.BlocksWrittenBack - before) / 20.0;
        output.WriteLine($"threshold {options.WritebackThreshold} %, target {options.LatencyTargetUs} us: "
            + $"p99 {p99} us, {rate:f1} blocks/s");
        return (p99, rate);
    }

    [Fact]
    public void WritebackHoldsTheClientsLatencyTarget()
    {
        (long alone, double none) = ReadBeside(new WriteboostOptions { WritebackThreshold = 0 });
        (long beside, double free) = ReadBeside(new WriteboostOptions { WritebackThreshold = 100 });
        (long held, double some) =
            ReadBeside(new WriteboostOptions { WritebackThreshold = 100, LatencyTargetUs = 24_000 });
        Assert.Equal(0, none);
        Assert.True(alone < 18_000 && beside > 30_000, "the target would make no difference");
        Assert.InRange(held, 0, 25_000);
        Assert.InRange(some, 1, free);
    }

    [Fact]
    public void TheThresholdIsAShareOfTheDisksTime()
    {
        (_, double all) = ReadBeside(new WriteboostOptions { WritebackThreshold = 100 });
        (_, double quarter) = ReadBeside(new WriteboostOptions { WritebackThreshold = 25 });
        Assert.InRange(quarter, 0.1 * all, 0.4 * all);
    }

    [Fact]
    public void ADrainHasAnEndAProgressAndAWayOut()
    {
        WriteboostOptions options = new() { IdleUs = 60_000_000 };
        using ModelledDisk disk = new(options);
        WriteboostVolume volume = disk.Volume;
        disk.Run(RequestKind.Write, 1, 1, perSecond: 1500);
        long dirty = volume.DirtyBlocks;
        Assert.InRange(dirty, 1400, 1500);
        long end = volume.Drain();
        Assert.True(disk.Wait(10, () => volume.DirtyBlocks < dirty));
        Assert.False(volume.IsWrittenBack(end));
        volume.CancelDrain();
        disk.Wait(6, () => false);
        long left = volume.DirtyBlocks;
        Assert.False(disk.Wait(10, () => volume.DirtyBlocks < left));
        Assert.InRange(left, 1, dirty - 1);

        end = volume.Drain();
        disk.Run(RequestKind.Write, 1, 1, perSecond: 100);
        Assert.True(disk.Wait(20, () => volume.IsWrittenBack(end)), disk.Figures());
        Assert.True(disk.Wait(1, () => !volume.IsDraining));
        volume.Drain();
        Assert.True(disk.Wait(20, () => volume.IsDrained));
        Assert.Equal(0, volume.DirtyBlocks);
    }
}
