using System;
using System.IO;
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
        Assert.Equal(shows, Device.MayHaveChanged(OfLine(Line), OfLine(later)));

    [Fact]
    public void WhatCannotBeToldIsInDoubt()
    {
        foreach (string line in (string[])["  0  0  0  0   0  0  0  0  0  14  14\n", ""])
            Assert.True(Device.MayHaveChanged(OfLine(line), OfLine(line)));
        // Before discards were counted, and before the first write.
        foreach (string line in (string[])["  100  0  800  5   0  0  0  0  0  14  14\n", Line[..^16] + "\n"])
            Assert.Equal(OfLine(line), OfLine(line));
        ulong before = OfLine(Line);
        Assert.False(Device.MayHaveChanged(0, before));
        Assert.True(Device.MayHaveChanged(before, 0));
        // Another boot of the machine, and a file that has taken its place.
        Assert.True(Device.MayHaveChanged(before, OfLine(Line, boot: 80)));
        Assert.True(Device.MayHaveChanged(before, ChangeStamps.OfTimes("5.7 5.7", 77)));
    }

    /// <summary>Its counters begin anew, or go on, with whatever it has become meanwhile.</summary>
    [Fact]
    public void ABlockDeviceThatWasAwayIsInDoubt()
    {
        Assert.True(Device.MayHaveChanged(OfLine(Line), OfLine(Line, "12")));
        Assert.True(Device.MayHaveChanged(OfLine(Line, ""), OfLine(Line, "")));
        using TestFolder sys = new();
        string disk = Directory.CreateDirectory(sys.PathOf("disk")).FullName;
        string part = Directory.CreateDirectory(sys.PathOf("disk/part")).FullName;
        string link = sys.PathOf("8:1");
        File.CreateSymbolicLink(link, part);
        File.WriteAllText(disk + "/stat", Line);
        File.WriteAllText(part + "/stat", Line);
        File.WriteAllText(part + "/partition", "1\n");
        foreach (string folder in (string[])[disk, part, link])
        {
            // A kernel that does not count them.
            File.Delete(disk + "/diskseq");
            Assert.True(Device.MayHaveChanged(Of(folder), Of(folder)));
            File.WriteAllText(disk + "/diskseq", "11\n");
            ulong before = Of(folder);
            Assert.False(Device.MayHaveChanged(before, Of(folder)));
            File.WriteAllText(disk + "/diskseq", "12\n");
            Assert.True(Device.MayHaveChanged(before, Of(folder)));
        }
    }

    /// <summary>It may be written through its file, which another loop device has too.</summary>
    [Fact]
    public void ALoopDeviceTellsByItsFileToo()
    {
        using TestFolder sys = new();
        string disk = Directory.CreateDirectory(sys.PathOf("loop0/loop")).Parent!.FullName;
        File.WriteAllText(disk + "/stat", Line);
        File.WriteAllText(disk + "/diskseq", "11\n");
        string file = sys.File("image", 4096);
        File.WriteAllText(disk + "/loop/backing_file", file + "\n");
        ulong before = Of(disk);
        Assert.False(Device.MayHaveChanged(before, Of(disk)));
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        Assert.True(Device.MayHaveChanged(before, Of(disk)));
        File.Delete(file);
        Assert.False(Device.MayHaveChanged(Of(disk), Of(disk)));
    }

    [Fact]
    public void AFileTellsByItsTime()
    {
        // After a power cut the times may be older than what was written: nothing is known in another boot.
        Assert.True(Device.MayHaveChanged(ChangeStamps.OfTimes("5.7 5.7", 77), ChangeStamps.OfTimes("5.7 5.7", 80)));
        Assert.False(Device.MayHaveChanged(ChangeStamps.OfTimes("5.7 5.7", 77), ChangeStamps.OfTimes("5.7 5.7", 77)));
        using TemporaryFile file = new(1 << 20);
        using FileDevice device = FileDevice.Open(file.Path);
        ulong before = device.ChangeStamp;
        Assert.NotEqual(0UL, before);
        Assert.Equal(before, device.ChangeStamp);
        File.SetLastWriteTimeUtc(file.Path, DateTime.UnixEpoch);
        ulong touched = device.ChangeStamp;
        Assert.True(Device.MayHaveChanged(before, touched));
        // As tools do that put the time back which they have found; a file system's clock may stand still for a while.
        for (long end = Environment.TickCount64 + 60_000;
            device.ChangeStamp == touched && Environment.TickCount64 < end;)
            File.SetLastWriteTimeUtc(file.Path, DateTime.UnixEpoch);
        Assert.True(Device.MayHaveChanged(touched, device.ChangeStamp));
    }

    private static ulong OfLine(string line, string sequence = "11", uint boot = 77) =>
        ChangeStamps.OfLine(line, sequence, boot);

    private static ulong Of(string folder) => ChangeStamps.OfBlockDevice(folder, 77);
}
