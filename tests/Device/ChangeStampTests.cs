using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>What tells that a device was written by somebody else.</summary>
public sealed class ChangeStampTests
{
    // Documentation/block/stat.rst: reads, merged, sectors, ticks; writes, merged, sectors, ticks; under way, two
    // times; discards, merged, sectors, ticks.
    private const string Line = "  100  0  800  5   200  1  1600  9  0  14  14   3  0  24  1  7  2\n";

    [Theory]
    [InlineData(Line, false)]
    [InlineData("  101  0  808  6   200  1  1600  9  1  15  15   3  0  24  1  8  2\n", false)]
    [InlineData("  100  0  800  5   201  1  1608  9  0  14  14   3  0  24  1  7  2\n", true)]
    [InlineData("  100  0  800  5   200  1  1600  9  0  14  14   4  0  32  1  7  2\n", true)]
    public void WritesAndDiscardsOfABlockDeviceShow(string later, bool shows) =>
        Assert.Equal(shows, Device.MayHaveChanged(ChangeStamps.OfLine(Line, 77), ChangeStamps.OfLine(later, 77)));

    [Fact]
    public void WhatCannotBeToldIsInDoubt()
    {
        foreach (string line in (string[])["  0  0  0  0   0  0  0  0  0  14  14\n", ""])
            Assert.True(Device.MayHaveChanged(ChangeStamps.OfLine(line, 77), ChangeStamps.OfLine(line, 77)));
        // Before discards were counted, and before the first write.
        foreach (string line in (string[])["  100  0  800  5   0  0  0  0  0  14  14\n", Line[..^16] + "\n"])
            Assert.Equal(ChangeStamps.OfLine(line, 77), ChangeStamps.OfLine(line, 77));
        ulong before = ChangeStamps.OfLine(Line, 77);
        Assert.False(Device.MayHaveChanged(0, before));
        Assert.True(Device.MayHaveChanged(before, 0));
        // Another boot of the machine, and a file that has taken its place.
        Assert.True(Device.MayHaveChanged(before, ChangeStamps.OfLine(Line, 80)));
        Assert.True(Device.MayHaveChanged(before, ChangeStamps.OfTime(5, 7)));
    }

    [Fact]
    public void AFileTellsByItsTime()
    {
        Assert.True(Device.MayHaveChanged(ChangeStamps.OfTime(5, 7), ChangeStamps.OfTime(5, 8)));
        Assert.True(Device.MayHaveChanged(ChangeStamps.OfTime(5, 7), ChangeStamps.OfTime(4, 7)));
        using TemporaryFile file = new(1 << 20);
        using FileDevice device = FileDevice.Open(file.Path);
        ulong before = device.ChangeStamp;
        Assert.NotEqual(0UL, before);
        Assert.Equal(before, device.ChangeStamp);
        System.IO.File.SetLastWriteTimeUtc(file.Path, System.DateTime.UnixEpoch);
        Assert.True(Device.MayHaveChanged(before, device.ChangeStamp));
    }
}
