using System;
using System.Linq;
using Weir.Core.Io;
using Weir.Core.Writeboost;
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
}
