using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Sizes that keys and slots cannot name are refused before anything is served.</summary>
public sealed class SizeLimitTests
{
    [Theory]
    [InlineData(BackingTable.MaxDeviceBytes, true)]
    [InlineData(BackingTable.MaxDeviceBytes + 4096, false)]
    [InlineData(1L << 60, false)]
    public void ABackingDeviceHasNoBlockWithoutAName(long sizeBytes, bool isGood)
    {
        Assert.True(!isGood || BackingTable.IdOf(BackingTable.KeyOf(1, sizeBytes - 1)) == 1);
        WriteboostOptions options = new() { Layout = Layout.Native };
        BackingSpec spec = new(null, "disk", new LargeDevice(sizeBytes));
        if (isGood)
        {
            Assert.Single(new Binding(null, 0, options).Bind([spec]));
            return;
        }
        UserErrorException e = Assert.Throws<UserErrorException>(() => new Binding(null, 0, options).Bind([spec]));
        Assert.Contains($"large: {sizeBytes} bytes", e.Message, StringComparison.Ordinal);
        Assert.Contains($"at most {BackingTable.MaxDeviceBytes}", e.Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => new Binding(null, 0, options).BindOne(spec, []));
    }

    [Fact]
    public void ACacheHasNoSlotWithoutANumber()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => WriteboostFormat.Plan(
            new LargeDevice(9L << 40), Layout.Native, Layout.Native.DefaultSegmentBytes, Guid.NewGuid));
        Assert.Contains("9 TiB is too large: expected at most 8 TiB", e.Message, StringComparison.Ordinal);
    }

    private sealed class LargeDevice(long sizeBytes) : Device
    {
        public override string Name => "large";

        public override long SizeBytes => sizeBytes;

        public override int LogicalBlockBytes => 512;

        public override bool CanFlush => true;

        public override string Identity => "large";

        public override DeviceQueue OpenQueue(IoContext io) => throw new NotSupportedException();

        public override void Dispose()
        {
        }
    }
}
