using System;
using System.IO;
using System.Threading.Tasks;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A backing device that does not answer, as a file on a FUSE program that has stopped.</summary>
public sealed class HangTests(ITestOutputHelper output)
{
    private const int FileBytes = 16 << 20, Blocks = 20, Reads = 40, PatienceMs = 60_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhoeverWaitsForItIsToldAndMayLeave(bool signals)
    {
        using TestFolder folder = new();
        string lower = Directory.CreateDirectory(folder.PathOf("lower")).FullName;
        folder.File("lower/backing", FileBytes);
        folder.File("cache", FileBytes);
        using FuseDisk? disk = FuseDisk.Mount(lower, folder.PathOf("mounted"), output.WriteLine);
        if (disk == null) return;
        using (WeirProcess weir = Serve(folder, disk))
        {
            folder.Remember(weir);
            using (NbdClient client = weir.Connect())
                for (int i = 0; i < Blocks; i++) client.Write(i * 4096, Wire.Random(4096, i));
            disk.Freeze();
            using NbdClient other = weir.Connect();
            try
            {
                await StopInVain(folder, weir, other, signals);
            }
            finally
            {
                disk.Thaw();
            }
            Assert.Equal(1, weir.WaitForExit());
            Assert.Contains("ended without an orderly stop: backing device", weir.Error, StringComparison.Ordinal);
        }
        using WeirProcess next = Serve(folder, disk);
        using (NbdClient client = next.Connect())
            for (int i = 0; i < Blocks; i++) Assert.Equal(Wire.Random(4096, i), client.Read(i * 4096, 4096));
        next.Stop();
    }

    private static async Task StopInVain(TestFolder folder, WeirProcess weir, NbdClient other, bool signals)
    {
        string control = folder.PathOf("control");
        Outcome drain = WeirProcess.Run("message", "--control", control, "drain");
        Assert.Equal(1, drain.ExitCode);
        Assert.Contains("still dirty: backing device 'weir'", drain.Error, StringComparison.Ordinal);
        Assert.Contains("has not answered for", weir.Text("not_answering"), StringComparison.Ordinal);
        ServeFromTheCache(control, other);
        Task<Outcome> stop = Task.Run(() => WeirProcess.Run("stop", "--control", control));
        WeirProcess.Until(
            () => weir.Error.Contains("stopping for", StringComparison.Ordinal), "what the stop waits for");
        if (signals)
        {
            weir.Signal("TERM");
        }
        else
        {
            Outcome forced = WeirProcess.Run("stop", "--control", control, "--force");
            Assert.Equal(1, forced.ExitCode);
            Assert.Contains("ended without an orderly stop", forced.Error, StringComparison.Ordinal);
        }
        WeirProcess.Until(
            () => weir.Error.Contains("ended without", StringComparison.Ordinal), "the end in the log");
        _ = stop;
        await Task.CompletedTask;
    }

    // Whoever needs the cache alone, clients and orders, does not wait for it, nor for a kernel's worker that does.
    private static void ServeFromTheCache(string control, NbdClient client)
    {
        for (int i = 0; i < Reads; i++)
            client.Request(NbdCommand.Read, (ulong)(i + 2), (Blocks + 1 + i) * 4096, 4096);
        client.Socket.ReceiveTimeout = PatienceMs;
        client.Request(NbdCommand.Read, 1, 0, 4096);
        Assert.Equal((1UL, 0), client.TakeSimple());
        Assert.Equal(Wire.Random(4096, 0), client.Receive(4096));
        client.Request(NbdCommand.Flush, 1, 0, 0);
        Assert.Equal((1UL, 0), client.TakeSimple());
        foreach (string order in new[] { "commit_super_block", "flush_current_buffer", "clear_stat" })
        {
            Outcome done = WeirProcess.Run("message", "--control", control, order);
            Assert.True(done.ExitCode == 0, done.Error);
        }
    }

    private static WeirProcess Serve(TestFolder folder, FuseDisk disk) => WeirProcess.Serve(folder, "writeboost",
        "--cache", folder.PathOf("cache"), "--backing", "weir=" + Path.Combine(disk.Mounted, "backing"),
        "--option", "allow_writeback=0");
}
