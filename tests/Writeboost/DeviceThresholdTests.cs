using System;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Each backing device's own share for write-back (the migrate_threshold of seed 000).</summary>
public sealed class DeviceThresholdTests
{
    [Fact]
    public void ADeviceCanHaveAThresholdOfItsOwn()
    {
        using RamDevice cache = new(4 << 20), first = new(1 << 20), second = new(2 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        WriteboostOptions options = new();
        using DirectClient client = new(
            cache, [new BackingSpec(null, "a", first), new BackingSpec(null, "b", second)], options);
        Tunable threshold = Tunable.Find(WriteboostTunables.Of(options), "migrate_threshold");
        threshold.Set("b=30", atStart: false);
        Assert.Equal(30, client.Volume.Backings.Find("b")!.WritebackThreshold);
        Assert.Equal(-1, client.Volume.Backings.Find("a")!.WritebackThreshold);
        Assert.Equal(70, options.WritebackThreshold);
        threshold.Set("40", atStart: false);
        Assert.Equal((40, 30), (options.WritebackThreshold, client.Volume.Backings.Find("b")!.WritebackThreshold));
        Assert.Contains("'c'", Refused("c=30"), StringComparison.Ordinal);
        Assert.Contains("0..100", Refused("b=101"), StringComparison.Ordinal);
        Assert.Contains("0..100", Refused("b="), StringComparison.Ordinal);

        string Refused(string text) =>
            Assert.Throws<UserErrorException>(() => threshold.Set(text, atStart: false)).Message;
    }

    /// <summary>Devices take turns; the one with no share rests while clients are at work.</summary>
    [Fact]
    public void TheGovernorHeedsTheDeviceThatIsWrittenTo()
    {
        using RamDevice cache = new(4 << 20), first = new(1 << 20), second = new(2 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        WriteboostOptions options = new() { HighWatermark = 0, IdleUs = 60_000_000 };
        using DirectClient client = new(
            cache, [new BackingSpec(null, "a", first), new BackingSpec(null, "b", second)], options);
        BackingDevice a = client.Volume.Backings.Find("a")!, b = client.Volume.Backings.Find("b")!;
        b.WritebackThreshold = 0;
        client.Write(0, new byte[4096]);
        long nowUs = client.Io.NowUs + 1_000_000;
        CleaningGovernor governor = new(client.Volume.Load, options, client.Volume.Throttle);
        Assert.Equal(0, governor.Window(nowUs, b.ThresholdOr(options.WritebackThreshold)));
        Assert.True(governor.Window(nowUs + 1_000_000, a.ThresholdOr(options.WritebackThreshold)) > 0);
    }
}
