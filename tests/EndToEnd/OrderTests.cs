using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading.Tasks;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Orders as whoever gives them sees them: exit code, one line, and how far they are.</summary>
public sealed class OrderTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Control => _folder.PathOf("control");

    // Nothing is written back unasked.
    private WeirProcess Serve(string backing, params string[] more)
    {
        string cache = _folder.PathOf("cache");
        if (!File.Exists(cache)) _folder.File("cache", 32 << 20);
        WeirProcess weir = WeirProcess.Serve(
            _folder, ["writeboost", "--cache", cache, "--backing", backing, "--option", "allow_writeback=0",
            "--option", "sync_data_interval=0", .. more]);
        _folder.Remember(weir);
        return weir;
    }

    private WeirProcess Serve() => Serve("data=" + _folder.File("backing", 64 << 20));

    private Outcome Message(params string[] words) =>
        WeirProcess.Run(["message", "--control", _folder.PathOf("control"), .. words]);

    [Fact]
    public void ADrainIsOverWhenItIsAnswered()
    {
        using WeirProcess weir = Serve();
        using NbdClient client = weir.Connect();
        byte[] data = Wire.Random(4 << 20, 1);
        for (int i = 0; i < 4; i++) client.Write(i << 20, data[..(1 << 20)]);
        client.Ask(NbdCommand.WriteZeroes, 32 << 20, 1 << 20);
        Assert.True(weir.Number("dirty_blocks") > 0);
        Outcome drain = Message("drain");
        Assert.Equal((0, ""), (drain.ExitCode, WithoutProgress(drain.Error)));
        Assert.Equal(
            "drain: done, 1024 blocks (4 MiB) and 1 discarded or zeroed range written back\n", drain.Output);
        Assert.Equal((0, 0), (weir.Number("dirty_blocks"), weir.Number("dirty_ranges")));
        client.Write(0, data[..4096]);
        Outcome drop = Message("drop_caches", "1");
        Assert.Equal((0, "drop_caches: done, 1 block (4 KiB) written back\n"), (drop.ExitCode, drop.Output));
        Assert.Equal(0, weir.Number("dirty_blocks"));
        Assert.Equal(weir.Number("segments"), weir.Number("segments_free"));
        client.Dispose();
        weir.Stop();
    }

    // Nobody is at a terminal here: a line every two seconds says how far an order is.
    private static string WithoutProgress(string error)
    {
        string rest = "";
        foreach (string line in error.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (!line.EndsWith(" left", StringComparison.Ordinal)) rest += line + "\n";
        return rest;
    }

    [Fact]
    public void TheLogIsDurableWhenAFlushOfItIsAnswered()
    {
        using WeirProcess weir = Serve();
        using NbdClient client = weir.Connect();
        for (int i = 0; i < 20; i++)
        {
            client.Write(i * 4096, Wire.Random(4096, i));
            Assert.Equal(0, Message(i % 2 == 0 ? "flush_current_buffer" : "FLUSH_current_buffer", "1").ExitCode);
            Assert.Equal(weir.Number("log_reserved_position"), weir.Number("log_durable_position"));
        }
        Assert.Equal(0, Message("commit_super_block", "1").ExitCode);
        client.Dispose();
        weir.Stop();
    }

    /// <summary>As writing to the kernel's files of these names: 1, and nothing else.</summary>
    [Fact]
    public void OrdersTakeTheWordsOfTheKernel()
    {
        using WeirProcess weir =
            Serve("data=" + _folder.File("backing", 64 << 20), "--option", "ALLOW_migrate=0");
        using (NbdClient client = weir.Connect()) client.Write(0, new byte[4096]);
        foreach (string order in new[]
        {
            "CLEAR_STAT", "Drop_Caches", "FLUSH_CURRENT_BUFFER", "Commit_Super_Block", "drain", "cancel_drain", "grow",
        })
        {
            Assert.True(Message(order).ExitCode == 0, order);
            Outcome done = Message(order, "1");
            Assert.True(done is { ExitCode: 0, Output: not "", Error: "" }, order);
            foreach (string wrong in new[] { "0", "2", "yes" })
            {
                Outcome outcome = Message(order, wrong);
                Assert.Equal(2, outcome.ExitCode);
                Assert.Contains("expected nothing or 1", outcome.Error, StringComparison.Ordinal);
            }
        }
        Assert.Equal(0, weir.Number("requests_write"));
        Assert.Equal("writeback_threshold 33\n", Message("Migrate_Threshold", "33").Output);
        Assert.Equal("writeback_threshold data=30\n", Message("migrate_threshold", "data=30").Output);
        Assert.Equal("writeback_threshold 33\n", Message("migrate_threshold").Output);
        Assert.Contains("drain", Message("HELP").Output, StringComparison.Ordinal);
        weir.Stop();
    }

    /// <summary>
    /// A drain that takes longer than anybody's patience holds up nobody, tells how far it is, and fails when the
    /// volume stops: what is not written back stays in the cache.
    /// </summary>
    [Fact]
    public async Task AStopEndsAWaitingDrainAndOthersAreServedMeanwhile()
    {
        string disk = _folder.File("backing", 64 << 20);
        using WeirProcess weir = Serve($"data=slow:{disk}?seek=1s&bandwidth=64K");
        using NbdClient client = weir.Connect();
        for (int i = 0; i < 64; i++) client.Write(i * (1 << 20), Wire.Random(4096, i));
        Task<Outcome> drain = Task.Run(() => Message("drain"));
        (Socket socket, StreamReader followed) = Follow("drain");
        string[] first = followed.ReadLine()!.Split(' ');
        Assert.Equal("progress", first[0]);
        Assert.Equal("64", first[2]);
        Assert.Equal(0, Message("flush_current_buffer").ExitCode);
        Assert.Equal(0, Message("commit_super_block").ExitCode);
        Assert.True(weir.Number("dirty_blocks") > 0);
        Assert.False(drain.IsCompleted, "it should have taken a minute");
        client.Dispose();
        weir.Stop();
        Outcome outcome = await drain;
        Assert.Equal(1, outcome.ExitCode);
        Assert.Matches("^weir: drain: [0-9]+ blocks? \\([0-9.]+ [KM]iB\\) (is|are) still dirty: the volume stops\n$",
            WithoutProgress(outcome.Error));
        string last = followed.ReadToEnd().TrimEnd('\n').Split('\n')[^1];
        Assert.StartsWith("error 1 drain: ", last, StringComparison.Ordinal);
        socket.Dispose();
    }

    [Fact]
    public void WhoeverWaitsForADrainHearsThatItIsCalledOff()
    {
        string disk = _folder.File("backing", 64 << 20);
        using WeirProcess weir = Serve($"data=slow:{disk}?seek=1s&bandwidth=64K");
        using NbdClient client = weir.Connect();
        for (int i = 0; i < 64; i++) client.Write(i * (1 << 20), Wire.Random(4096, i));
        (Socket socket, StreamReader followed) = Follow("drain");
        Assert.StartsWith("progress ", followed.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(0, Message("cancel_drain").ExitCode);
        string last = followed.ReadToEnd().TrimEnd('\n').Split('\n')[^1];
        Assert.Contains("still dirty: called off by cancel_drain", last, StringComparison.Ordinal);
        socket.Dispose();
        client.Dispose();
        weir.Stop();
    }

    // As a program that shows progress does; it says no more after its line, and still waits.
    private (Socket, StreamReader) Follow(string order)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Control));
        StreamReader answer = new(new NetworkStream(socket));
        socket.Send(Encoding.UTF8.GetBytes($"follow message {order}\n"));
        socket.Shutdown(SocketShutdown.Send);
        return (socket, answer);
    }

    /// <summary>Without a terminal too: a line on standard error now and then, without escape codes.</summary>
    [Fact]
    public void WhoeverWaitsWithoutATerminalSeesHowFarADrainIs()
    {
        string disk = _folder.File("backing", 64 << 20);
        using WeirProcess weir = Serve($"data=slow:{disk}?seek=1s&bandwidth=64K");
        using NbdClient client = weir.Connect();
        for (int i = 0; i < 64; i++) client.Write(i * (1 << 20), Wire.Random(4096, i));
        using (WeirProcess drain = WeirProcess.StartProgram(
            [WeirProcess.Binary, "message", "--control", Control, "drain"], null))
        {
            WeirProcess.Until(() => drain.Error.Contains(" left", StringComparison.Ordinal), "a line of progress");
            Assert.Equal(0, Message("cancel_drain").ExitCode);
            Assert.Equal(1, drain.WaitForExit());
            Assert.Matches("^weir: [0-9.]+%  [0-9]+ of 64 blocks, [0-9]+/s, ([0-9:]+( s)?|\\?) left\n", drain.Error);
        }
        client.Dispose();
        weir.Stop();
    }

    [Fact]
    public void AVolumeWithoutACacheResumesToo()
    {
        using WeirProcess weir =
            WeirProcess.Serve(_folder, "passthrough", "--backing", "data=" + _folder.File("backing", 64 << 20));
        Outcome outcome = Message("resume");
        Assert.Equal((0, "resume: done, no flush has failed\n"), (outcome.ExitCode, outcome.Output));
        Assert.Equal(2, Message("drain").ExitCode);
        weir.Stop();
    }

    [Fact]
    public void WhoeverMistypesAKeyIsToldAllOfThem()
    {
        using WeirProcess weir = Serve();
        Outcome outcome = Message("nosuch");
        Assert.Equal(2, outcome.ExitCode);
        foreach (string key in new[] { "attach", "detach", "drain", "help", "writeback_threshold" })
            Assert.Contains($" {key}", outcome.Error, StringComparison.Ordinal);
        weir.Stop();
    }
}
