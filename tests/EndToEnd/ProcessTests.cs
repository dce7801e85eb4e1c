using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>The served volume as its user sees it: status, messages, stop, signals, rights, memory.</summary>
public sealed class ProcessTests : IDisposable
{
    private const long BinaryBytesMax = 8 << 20;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private WeirProcess Serve(params string[] more) => WeirProcess.Serve(_folder, [.. Arguments(), .. more]);

    private string[] Arguments()
    {
        string cache = _folder.PathOf("cache"), backing = _folder.PathOf("backing");
        if (!File.Exists(cache)) _folder.File("cache", 32 << 20);
        if (!File.Exists(backing)) _folder.File("backing", 64 << 20);
        return ["writeboost", "--cache", cache, "--backing", "data=" + backing];
    }

    private Outcome Message(params string[] words) =>
        WeirProcess.Run(["message", "--control", _folder.PathOf("control"), .. words]);

    [Fact]
    public void TheBinaryIsSmallAndHasNoJit()
    {
        Assert.True(new FileInfo(WeirProcess.Binary).Length < BinaryBytesMax);
        using WeirProcess weir = Serve();
        string maps = File.ReadAllText($"/proc/{weir.Id}/maps");
        Assert.DoesNotContain("clr", maps, StringComparison.Ordinal);
        Assert.DoesNotContain("rwxp", maps, StringComparison.Ordinal);
        weir.Stop();
    }

    /// <summary>What is offered can be done, and nothing is said to be unknown that is known.</summary>
    [Fact]
    public void AMessageThatCannotBeSaysWhatCan()
    {
        using (WeirProcess weir = Serve())
        {
            Outcome help = Message("help", "1");
            Assert.Equal((2, "weir: help takes no value\n"), (help.ExitCode, help.Error));
            weir.Stop();
        }
        using WeirProcess plain =
            WeirProcess.Serve(_folder, "passthrough", "--backing", _folder.PathOf("backing"));
        foreach (string[] words in (string[][])[["attach", "x=y"], ["detach", "x"], ["drop_caches"], ["nonsense", "1"]])
        {
            Outcome outcome = Message(words);
            Assert.Equal(2, outcome.ExitCode);
            Assert.Contains($"unknown key '{words[0]}'", outcome.Error, StringComparison.Ordinal);
            Assert.Contains("known: resume, trace, help", outcome.Error, StringComparison.Ordinal);
        }
        Assert.DoesNotContain("attach", Message("help").Output, StringComparison.Ordinal);
        plain.Stop();
    }

    [Fact]
    public void TheReadyLineSaysWhatClientsNeed()
    {
        using WeirProcess weir = Serve();
        string[] words = weir.ReadyLine.Split(' ');
        Assert.Equal(["weir:", "ready", "data", $"{64 << 20}"], words[..4]);
        Assert.Equal($"nbd+unix:///data?socket={_folder.PathOf("nbd")}", weir.Uri);
        Outcome info = WeirProcess.Tool("nbdinfo", "--size", weir.Uri);
        Assert.Equal($"{64 << 20}", info.Output.Trim());
        UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(own, File.GetUnixFileMode(_folder.PathOf("nbd")));
        Assert.Equal(own, File.GetUnixFileMode(_folder.PathOf("control")));
        weir.Stop();
        Assert.False(File.Exists(_folder.PathOf("nbd")));
        Assert.False(File.Exists(_folder.PathOf("control")));
    }

    [Fact]
    public void StatusSaysTheSameAsTextAndAsJson()
    {
        using WeirProcess weir = Serve();
        using (NbdClient client = weir.Connect()) client.Write(0, Wire.Random(8192, 1));
        JsonElement json = weir.Status();
        Assert.Equal("writeboost", json.GetProperty("engine").GetString());
        Assert.Equal("healthy", json.GetProperty("state").GetString());
        Assert.Equal(8192, json.GetProperty("write_bytes").GetInt64());
        string text = WeirProcess.Run("status", "--control", _folder.PathOf("control")).Output;
        string[] names = text.TrimEnd('\n').Split('\n').Select(line => line.Split(' ')[0]).ToArray();
        Assert.Equal(names.Length, names.Distinct().Count());
        // An array of objects in one form is NAME[INDEX].FIELD in the other, an object NAME.FIELD.
        names = names.Select(name => name.Split('[', '.')[0]).Distinct().ToArray();
        Assert.Equal(json.EnumerateObject().Select(figure => figure.Name), names);
        Assert.All(names, name => Assert.Matches("^[a-z][a-z0-9_]*$", name));
        weir.Stop();
    }

    /// <summary>Each figure that status has, in every layout, with a line that says what it is.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("lc1")]
    [InlineData("passthrough")]
    public void EveryFigureIsExplained(string layout)
    {
        string[] arguments = layout == "passthrough"
            ? ["passthrough", "--backing", "data=" + _folder.File("backing", 64 << 20)]
            : [.. Arguments(), "--layout", layout];
        using WeirProcess weir = WeirProcess.Serve(_folder, arguments);
        string[] status = Status(), explained = Status("--explain");
        Assert.Equal(status.Select(NameOf), explained.Select(NameOf));
        Assert.All(explained, line => Assert.Matches(@"^\S+ +\S.*  \S.*$", line));
        if (layout == "passthrough")
        {
            weir.Stop();
            return;
        }
        JsonElement options = weir.Status().GetProperty("options");
        foreach (string line in Message("help").Output.TrimEnd('\n').Split('\n')[1..])
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[1] == "-") Assert.False(options.TryGetProperty(words[0], out _));
            else Assert.Equal(words[1], options.GetProperty(words[0]).ToString());
        }
        string control = _folder.PathOf("control");
        Assert.Equal(2, WeirProcess.Run("status", "--control", control, "--dm", "--explain").ExitCode);
        weir.Stop();

        static string NameOf(string line) => line.Split(' ')[0];
        string[] Status(params string[] more)
        {
            Outcome outcome = WeirProcess.Run(["status", "--control", _folder.PathOf("control"), .. more]);
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            return outcome.Output.TrimEnd('\n').Split('\n');
        }
    }

    [Fact]
    public void APassthroughVolumeThatStopsHasNothingToSay()
    {
        using WeirProcess weir = WeirProcess.Serve(
            _folder, "passthrough", "--backing", "data=" + _folder.File("backing", 64 << 20));
        weir.Stop();
        Assert.DoesNotContain("was ok", weir.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("the volume was", weir.Error, StringComparison.Ordinal);
    }

    /// <summary>Refused before anything is written, and while it is served.</summary>
    [Fact]
    public void AnOptionThatTheLayoutDoesNotHeedIsRefused()
    {
        string[] arguments = Arguments();
        string cache = TestFolder.HashOf(_folder.PathOf("cache"));
        Outcome outcome = WeirProcess.Run(["serve", .. arguments, "--layout", "writeboost2",
            "--option", "write_around_mode=1", "--listen", "unix:" + _folder.PathOf("nbd")]);
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("in layout writeboost2 every write is logged", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(cache, TestFolder.HashOf(_folder.PathOf("cache")));
        using WeirProcess weir = Serve("--layout", "writeboost2");
        Assert.Equal(2, Message("write_around_mode", "1").ExitCode);
        Assert.Equal("write_around_mode 0\n", Message("write_around_mode").Output);
        weir.Stop();
    }

    [Fact]
    public void MessagesReadSetAndExplain()
    {
        using WeirProcess weir = Serve("--option", "idle_ms=5000");
        Assert.Equal("idle_ms 5000\n", Message("idle_ms").Output);
        Assert.Equal("writeback_threshold 55\n", Message("migrate_threshold", "55").Output);
        Assert.Equal("writeback_threshold 55\n", Message("writeback_threshold").Output);
        string help = Message("help").Output;
        foreach (string key in new[] { "writeback_threshold", "allow_writeback", "sync_data_interval", "clear_stat" })
            Assert.Contains(key, help, StringComparison.Ordinal);
        string[] lines = help.TrimEnd('\n').Split('\n');
        int meaning = lines[0].IndexOf("meaning", StringComparison.Ordinal);
        Assert.All(lines, line => Assert.Equal("  ", line[(meaning - 2)..meaning]));
        Assert.All(lines, line => Assert.NotEqual(' ', line[meaning]));
        Assert.Contains("expected 0..100", Refused(Message("writeback_threshold", "101")), StringComparison.Ordinal);
        Assert.Contains("at the start only", Refused(Message("ram_segments", "8")), StringComparison.Ordinal);
        Assert.Contains("unknown key", Refused(Message("warp", "9")), StringComparison.Ordinal);
        Assert.Equal("writeback_latency_target 10ms\n", Message("writeback_latency_target", "10ms").Output);
        string refusal = Refused(Message("writeback_latency_target", "10"));
        Assert.Contains("expected 0..10s", refusal, StringComparison.Ordinal);
        using (NbdClient client = weir.Connect()) client.Write(0, new byte[4096]);
        Assert.Equal(1, weir.Number("requests_write"));
        Assert.Equal(1, weir.Number("dirty_blocks"));
        foreach (string order in new[] { "flush_current_buffer", "commit_super_block", "drain" })
        {
            Outcome done = Message(order);
            Assert.Equal(0, done.ExitCode);
            Assert.StartsWith($"{order}: done", done.Output, StringComparison.Ordinal);
            Assert.Equal(1, done.Output.Count(static letter => letter == '\n'));
        }
        WeirProcess.Until(() => weir.Number("dirty_blocks") == 0, "the drain's end");
        Assert.Equal("healthy", weir.Text("state"));
        Assert.Equal(0, Message("cancel_drain").ExitCode);
        Assert.Equal(0, Message("clear_stat").ExitCode);
        Assert.Equal(0, weir.Number("requests_write"));
        weir.Stop();
    }

    /// <summary>What a stop has kept in the cache is written back by the next start, and scrubbed, unasked.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    public void BackgroundWorkNeedsNoClient(string layout)
    {
        byte[] data = Wire.Random(1 << 20, 1);
        using (WeirProcess weir = Serve("--layout", layout, "--option", "allow_writeback=0"))
        {
            using (NbdClient client = weir.Connect())
                for (int at = 0; at < data.Length; at += 65536) client.Write(at, data.AsSpan(at, 65536).ToArray());
            weir.Stop();
        }
        using WeirProcess again = Serve("--option", "scrub_interval=1");
        WeirProcess.Until(() => again.Number("dirty_blocks") == 0, "write-back without a client");
        WeirProcess.Until(() => again.Number("scrub_passes") > 0, "a scrub without a client");
        Assert.Equal(data, File.ReadAllBytes(_folder.PathOf("backing"))[..data.Length]);
        // The last client has gone, and what it wrote lies in the open segment.
        using (NbdClient client = again.Connect()) client.Write(2 << 20, data.AsSpan(0, 65536).ToArray());
        WeirProcess.Until(() => again.Number("dirty_blocks") == 0, "write-back after the last client");
        again.Stop();
    }

    /// <summary>Field for field what dmsetup printed for the kernel's programs.</summary>
    [Theory]
    [InlineData("native", 38, "10 writeback_threshold 70 nr_cur_batched_writeback ")]
    [InlineData("writeboost2", 38, "10 writeback_threshold 70 nr_cur_batched_writeback ")]
    [InlineData("writeboost1", 39, "7 barrier_deadline_ms 3 allow_migrate 1 enable_migration_modulator 1")]
    public void KernelStatusLines(string layout, int fields, string words)
    {
        using WeirProcess weir = Serve("--layout", layout);
        using (NbdClient client = weir.Connect()) client.Write(0, Wire.Random(3 * 4096, 1));
        Outcome outcome = WeirProcess.Run("status", "--control", _folder.PathOf("control"), "--dm");
        string[] lines = outcome.Output.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith($"0 {(64 << 20) / 512} writeboost ", lines[0], StringComparison.Ordinal);
        Assert.Equal(fields, lines[0].Split(' ').Length);
        Assert.Contains(words, lines[0], StringComparison.Ordinal);
        string[] table = lines[1].Split(' ');
        Assert.Equal([_folder.PathOf("backing"), _folder.PathOf("cache")], table[3..5]);
        // Three whole blocks written, found nowhere: index 9 of dm-writeboost 2.2 and of the seeds alike.
        int counters = layout == "writeboost1" ? 9 : 10;
        Assert.Equal("3", lines[0].Split(' ')[counters + 9]);
        weir.Stop();
    }

    [Fact]
    public void KernelStatusOfManyDevices()
    {
        using WeirProcess weir = Serve("--layout", "lc1");
        string text = WeirProcess.Run("status", "--control", _folder.PathOf("control"), "--dm").Output;
        Assert.Contains("\nwrite? hit? on_buffer? fullsize?\n0 0 0 0 0\n1 0 0 0 0\n", text, StringComparison.Ordinal);
        Assert.Contains($"lc 1 {_folder.PathOf("backing")} 1\n", text, StringComparison.Ordinal);
        weir.Stop();
    }

    /// <summary>Whoever asks while the volume goes is answered or told so, and never looks at what is gone.</summary>
    [Theory]
    [InlineData("status json")]
    [InlineData("status dm")]
    [InlineData("message help")]
    [InlineData("message dirty_ranges")]
    public void QuestionsDuringAStopAreAnsweredOrRefused(string question)
    {
        using WeirProcess weir = Serve();
        using (NbdClient client = weir.Connect()) client.Write(0, Wire.Random(1 << 20, 1));
        HashSet<string> answers = [];
        Thread[] askers = new Thread[3];
        for (int i = 0; i < askers.Length; i++)
        {
            askers[i] = new Thread(() => AskUntilGone(question, answers));
            askers[i].Start();
        }
        weir.Signal("TERM");
        Assert.Equal(0, weir.WaitForExit());
        foreach (Thread asker in askers) asker.Join();
        Assert.All(answers, answer => Assert.True(answer is "ok" or "error 1 stopping" or "", answer));
        Assert.DoesNotContain("at Weir.", weir.Error, StringComparison.Ordinal);
    }

    // The first line of each answer; none from a program that ends meanwhile.
    private void AskUntilGone(string question, HashSet<string> answers)
    {
        UnixDomainSocketEndPoint address = new(_folder.PathOf("control"));
        try
        {
            while (true)
            {
                using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                socket.Connect(address);
                using NetworkStream stream = new(socket);
                stream.Write(Encoding.UTF8.GetBytes(question + "\n"));
                string answer = new StreamReader(stream).ReadToEnd().Split('\n')[0];
                lock (answers) answers.Add(answer);
            }
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // It listens no more.
        }
    }

    /// <summary>A reader that has seen enough ends the command, quietly.</summary>
    [Fact]
    public void WatchingEndsWithItsReader()
    {
        using WeirProcess weir = Serve();
        string command = $"{WeirProcess.Binary} status --control {_folder.PathOf("control")} --watch | head -n 1";
        Outcome outcome = WeirProcess.Tool("bash", "-c", "set -o pipefail; " + command);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        Assert.Single(outcome.Output.TrimEnd('\n').Split('\n'));
        weir.Stop();
    }

    /// <summary>Clients of the control socket that say nothing do not keep others out.</summary>
    [Fact]
    public void SilentControlClientsDoNotKeepOthersOut()
    {
        using WeirProcess weir = Serve();
        List<Socket> silent = [];
        for (int i = 0; i < 100; i++)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(_folder.PathOf("control")));
            silent.Add(socket);
        }
        Assert.Equal("healthy", weir.Text("state"));
        silent.ForEach(static socket => socket.Dispose());
        weir.Stop();
    }

    private static string Refused(Outcome outcome)
    {
        Assert.Equal(2, outcome.ExitCode);
        return outcome.Error;
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public void SignalsStopInOrder(string signal)
    {
        byte[] data = Wire.Random(1 << 20, 2);
        using (WeirProcess weir = Serve())
        {
            using NbdClient client = weir.Connect();
            client.Write(1 << 20, data);
            weir.Signal(signal);
            Assert.Equal(0, weir.WaitForExit());
            Assert.DoesNotContain("weir:", weir.Error.Replace("weir: recovered", "", StringComparison.Ordinal)
                .Replace("weir: " + _folder.PathOf("cache"), "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
        using WeirProcess again = Serve();
        using (NbdClient client = again.Connect()) Assert.Equal(data, client.Read(1 << 20, data.Length));
        again.Stop();
    }

    [Fact]
    public void OldSocketsOfADeadProcessAreReplaced()
    {
        using (WeirProcess weir = Serve()) weir.Kill();
        Assert.True(File.Exists(_folder.PathOf("nbd")));
        using WeirProcess again = Serve();
        _folder.Remember(again);
        again.Stop();
    }

    [Fact]
    public void TcpIsServedOnThisMachineOnly()
    {
        using WeirProcess weir = Serve("--listen", "tcp:0");
        string uri = weir.Text("uri").Split(' ').Single(
            address => address.StartsWith("nbd:", StringComparison.Ordinal));
        Assert.StartsWith("nbd://127.0.0.1:", uri, StringComparison.Ordinal);
        Assert.Equal($"{64 << 20}", WeirProcess.Tool("nbdinfo", "--size", uri).Output.Trim());
        weir.Stop();
    }

    /// <summary>After an orderly stop with dirty data, and every byte of both files stays as it is.</summary>
    [Fact]
    public void ReadOnlyWritesNothingAnywhere()
    {
        byte[] data = Wire.Random(1 << 20, 3);
        using (WeirProcess weir = Serve("--option", "allow_writeback=0"))
        {
            using (NbdClient client = weir.Connect()) client.Write(2 << 20, data);
            weir.Stop();
        }
        (string cache, string backing) = (
            TestFolder.HashOf(_folder.PathOf("cache")), TestFolder.HashOf(_folder.PathOf("backing")));
        string memory = string.Join(' ', Directory.GetFiles("/dev/shm").Order());
        using (WeirProcess weir = Serve("--read-only"))
        {
            using NbdClient client = weir.Connect();
            Assert.Equal(data, client.Read(2 << 20, data.Length));
            Assert.Equal(1, client.Ask(NbdCommand.Write, 0, 4096, 0, new byte[4096]));
            Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
            Assert.Equal("read-only", weir.Text("access"));
            Assert.Equal(memory, string.Join(' ', Directory.GetFiles("/dev/shm").Order()));
            weir.Stop();
        }
        Assert.Equal(cache, TestFolder.HashOf(_folder.PathOf("cache")));
        Assert.Equal(backing, TestFolder.HashOf(_folder.PathOf("backing")));
    }

    /// <summary>
    /// One connection, warmed up; then the queue's thread allocates not one byte more, whatever is asked.
    /// </summary>
    [Fact]
    public void NothingIsAllocatedUnderLoad()
    {
        using WeirProcess weir = Serve("--option", "idle_ms=1", "--option", "high_watermark=10");
        using NbdClient client = weir.Connect();
        Random random = new(4);
        Load(client, random, 3000);
        long before = weir.Number("queue_allocated_bytes"), turns = weir.Number("queue_turns");
        Load(client, random, 10_000);
        Assert.Equal(before, weir.Number("queue_allocated_bytes"));
        Assert.True(weir.Number("queue_turns") > turns + 10_000);
        Assert.True(weir.Number("segments_written_back") > 0, "the load should have reached write-back");
        client.Dispose();
        weir.Stop();
    }

    private static void Load(NbdClient client, Random random, int requests)
    {
        byte[] data = Wire.Random(64 << 10, 5);
        for (int i = 0; i < requests; i++)
        {
            int length = 512 * random.Next(1, 129);
            long offset = 512L * random.Next(((64 << 20) - length) / 512);
            int what = random.Next(16);
            if (what < 8) client.Write(offset, data[..length], what == 0 ? CommandFlags.Fua : 0);
            else if (what < 13) client.Read(offset, length);
            else if (what == 13) Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
            else Assert.Equal(0, client.Ask(what == 14 ? NbdCommand.Trim : NbdCommand.WriteZeroes, offset, length));
        }
    }

    /// <summary>Without the right to lock memory nothing is registered; it works and is said once.</summary>
    [Fact]
    public void NoRightToLockMemoryIsAWarning()
    {
        string[] arguments = Arguments();
        string binary = _folder.PathOf("weir");
        File.Copy(WeirProcess.Binary, binary);
        foreach (string path in Directory.GetFiles(_folder.Path))
            File.SetUnixFileMode(path, (UnixFileMode)0b111_111_111);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_111_111);
        string[] drop = Environment.UserName == "root"
            ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            : [];
        using WeirProcess weir = WeirProcess.StartProgram(
            [.. drop, "prlimit", "--memlock=524288", binary, "serve", .. arguments, "--listen",
                "unix:" + _folder.PathOf("nbd"),
                "--control", _folder.PathOf("control")], _folder.PathOf("control"));
        Assert.True(weir.FirstLine().StartsWith("weir: ready", StringComparison.Ordinal), weir.Error);
        _folder.Remember(weir);
        using (NbdClient client = weir.Connect())
        {
            client.Write(4096, Wire.Random(4096, 6));
            Assert.Equal(Wire.Random(4096, 6), client.Read(4096, 4096));
        }
        WeirProcess.Until(() => weir.Error.Contains("lock", StringComparison.Ordinal), "the warning: " + weir.Error);
        weir.Stop();
    }
}
