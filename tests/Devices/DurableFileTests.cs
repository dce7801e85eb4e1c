using System;
using System.Globalization;
using System.IO;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>Every file system that is believed flushes the disk below it for a write with RWF_DSYNC.</summary>
public sealed unsafe class DurableFileTests(ITestOutputHelper output)
{
    private const long DiskBytes = 512L << 20;
    private const int FileBytes = 1 << 20, Writes = 16, BlockBytes = 4096, FlushesField = 15;

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void ADurableWriteFlushesTheDisk(string fileSystem)
    {
        using TestFolder folder = new();
        string disk = folder.File("disk", DiskBytes), point = Directory.CreateDirectory(folder.PathOf("m")).FullName;
        Outcome made = WeirProcess.Tool("mkfs." + fileSystem, "-q", disk);
        Assert.True(made.ExitCode == 0, made.Error);
        Outcome mounted = WeirProcess.Tool("mount", "-o", "loop", disk, point);
        if (mounted.ExitCode != 0)
        {
            Assert.False(Environment.IsPrivilegedProcess && File.Exists("/dev/loop-control"), mounted.Error);
            output.WriteLine("nothing can be mounted here, nothing was tested: " + mounted.Error);
            return;
        }
        try
        {
            WriteDurably(Path.Combine(point, "file"), LoopOf(point));
        }
        finally
        {
            WeirProcess.Tool("umount", point);
        }
    }

    private static void WriteDurably(string path, string loop)
    {
        File.WriteAllBytes(path, new byte[FileBytes]);
        using FileDevice device = FileDevice.Open(path);
        Assert.True(device.CanWriteDurably);
        Assert.Null(device.Warning);
        using DeviceClient h = new();
        DeviceQueue queue = device.OpenQueue(h.Io);
        Assert.Equal(0, h.Run(queue, IoKind.Flush, 0, 0));
        for (int i = 0; i < Writes; i++)
        {
            long before = FlushesOf(loop);
            IoOp* op = h.Op(IoKind.Write, i * BlockBytes, BlockBytes, h.Memory);
            op->Durable = true;
            queue.Submit(op);
            h.Drain();
            Assert.Equal(BlockBytes, h.Results[^1].Result);
            Assert.InRange(FlushesOf(loop), before + 1, long.MaxValue);
        }
    }

    private static string LoopOf(string point) => File.ReadLines("/proc/self/mounts")
        .Select(static line => line.Split(' ')).Single(words => words[1] == point)[0];

    private static long FlushesOf(string loop) => long.Parse(
        File.ReadAllText($"/sys/block/{Path.GetFileName(loop)}/stat")
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[FlushesField], CultureInfo.InvariantCulture);

    /// <summary>By whatever the kernel calls it: an overlay does not show what is below.</summary>
    [Fact]
    public void OthersAreNotBelieved()
    {
        using TestFolder folder = new();
        foreach (string name in (string[])["lower", "upper", "work", "m"])
            Directory.CreateDirectory(folder.PathOf(name));
        foreach (string option in (string[])["", ",volatile"])
        {
            Outcome mounted = WeirProcess.Tool("mount", "-t", "overlay", "overlay", "-o", $"lowerdir="
                + $"{folder.PathOf("lower")},upperdir={folder.PathOf("upper")},workdir={folder.PathOf("work")}{option}",
                folder.PathOf("m"));
            if (mounted.ExitCode != 0)
            {
                output.WriteLine("no overlay can be mounted here, nothing was tested: " + mounted.Error);
                return;
            }
            try
            {
                using FileDevice device = FileDevice.Open(folder.File("m/file", FileBytes));
                Assert.False(device.CanWriteDurably);
                Assert.Equal(option.Length > 0, device.Warning?.Contains("'volatile'", StringComparison.Ordinal) == true
                    || device.Warning?.Contains("'fsync=volatile'", StringComparison.Ordinal) == true);
            }
            finally
            {
                WeirProcess.Tool("umount", folder.PathOf("m"));
            }
        }
    }
}
