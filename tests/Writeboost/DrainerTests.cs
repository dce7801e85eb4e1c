using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

public sealed class DrainerTests
{
    /// <summary>Not a share that stands still without a word.</summary>
    [Fact]
    public void ADrainThatIsHeldUpSaysWhyAsLongAsItWaits()
    {
        using RamDevice flash = new(3 << 20), disk = new(4 << 20);
        using (RingContext format = new())
            WriteboostFormat.Format(format, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        CountingDevice backing = new(new KeptDevice(disk));
        WriteboostOptions options = new() { RamSegments = 4, AllowWriteback = false };
        using (DirectClient client = new(new KeptDevice(flash), new KeptDevice(backing), options))
        {
            client.Write(0, new byte[4096]);
            client.Stop();
        }
        backing.RefusesWith = -28;
        using RingContext io = new();
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, new KeptDevice(flash), [new BackingSpec(null, "disk", backing)], new PrivateMemoryStore(), options);
        List<string> units = [];
        Drainer drainer = new(volume, io);
        // Three lines that say so, then the device is mended.
        int result = drainer.Run(static () => false, at =>
        {
            units.Add(at.Unit);
            bool isSaid = units.FindAll(static unit => unit.Contains("No space left")).Count == 3;
            if (isSaid) backing.RefusesWith = 0;
        });
        Assert.Equal(0, result);
        Assert.Equal("blocks", units[^1]);
    }
}
