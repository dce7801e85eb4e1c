using System;
using System.IO;
using System.Linq;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A cache on a file system that ignores RWF_DSYNC: FUSE with direct I/O, as virtiofs has it too.</summary>
public sealed class FuseTests(ITestOutputHelper output)
{
    private const int Flushes = 50, BlockBytes = 4096, FileBytes = 8 << 20;

    [Fact]
    public void WhatWasFlushedOnFuseSurvivesAPowerCut()
    {
        using TestFolder folder = new();
        string lower = Directory.CreateDirectory(folder.PathOf("lower")).FullName;
        string point = folder.PathOf("mounted");
        folder.File("lower/cache", FileBytes);
        folder.File("lower/backing", FileBytes);
        using (FuseDisk? disk = FuseDisk.Mount(lower, point, output.WriteLine))
        {
            if (disk == null) return;
            WriteAndFlush(folder, disk);
        }
        Assert.True(folder.ForgetMemory());
        using FuseDisk after = FuseDisk.Mount(lower, point, output.WriteLine)!;
        using WeirProcess weir = Serve(folder, after);
        using (NbdClient client = weir.Connect())
            for (int i = 0; i < Flushes; i++) Assert.Equal(BlockOf(i), client.Read(i * BlockBytes, BlockBytes));
        weir.Stop();
    }

    private static void WriteAndFlush(TestFolder folder, FuseDisk disk)
    {
        using WeirProcess weir = Serve(folder, disk);
        folder.Remember(weir);
        using (NbdClient client = weir.Connect())
        {
            for (int i = 0; i < Flushes; i++)
            {
                int before = disk.Fsyncs("cache");
                client.Write(i * BlockBytes, BlockOf(i));
                Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
                Assert.InRange(disk.Fsyncs("cache"), before + 1, int.MaxValue);
            }
        }
        Assert.Equal("flush", weir.Text("cache_durable_write"));
        Assert.Equal(0, weir.Number("log_durable_writes"));
        Assert.Contains("lies on FUSE", weir.Error, StringComparison.Ordinal);
        weir.Kill();
    }

    private static WeirProcess Serve(TestFolder folder, FuseDisk disk) => WeirProcess.Serve(folder, "writeboost",
        "--cache", Path.Combine(disk.Mounted, "cache"), "--backing", Path.Combine(disk.Mounted, "backing"),
        "--segment-size", "128K", "--option", "allow_writeback=0");

    private static byte[] BlockOf(int i) => [.. Enumerable.Repeat((byte)(i + 1), BlockBytes)];
}
