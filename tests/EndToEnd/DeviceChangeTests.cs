using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Devices that come and go while the program serves, and one that is missing at its start (R13).</summary>
public sealed class DeviceChangeTests : IDisposable
{
    private const int Mib = 1 << 20;

    private readonly TestFolder _folder = new();

    public DeviceChangeTests()
    {
        _folder.File("cache", 32 * Mib);
        foreach (string name in new[] { "a", "b", "c" }) _folder.File(name, 16 * Mib);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AThirdComesAndTheSecondGoesWhileTheFirstIsAtWork()
    {
        byte[] first = new byte[8 * Mib], second = new byte[16 * Mib], third = new byte[16 * Mib];
        using (WeirProcess weir = Serve("a", "b"))
        {
            using NbdClient b = weir.Connect("b");
            Change(b, second, 1, 300);
            Load load = new(weir, first);
            foreach (string order in new[] { "attach", "detach" })
                Assert.Equal((2, true), (Message(order).ExitCode, Message(order).Error.Contains("NAME")));
            string answer = Done(Message("attach", "c=" + _folder.PathOf("c")));
            Assert.StartsWith("attached c ", answer, StringComparison.Ordinal);
            Assert.Equal(["a", "b", "c"], Exports(weir));
            using NbdClient c = weir.Connect("c");
            Change(c, third, 2, 300);
            // The other client's writes may have had all that was there before written back.
            load.Pause();
            Change(b, second, 12, 20);
            Assert.True(Dirty(weir, "b") > 0, "the detach should have something to write back");
            load.GoOn();
            Assert.Equal("detached b\n", Done(Message("detach", "b")));
            Assert.Equal(second, Content("b"));
            b.ExpectClosed();
            Assert.Equal(["a", "c"], Exports(weir));
            using (NbdClient late = weir.Connect(null))
                Assert.Equal(NbdOptionReply.ErrUnknown, late.Option(NbdOption.Go, Wire.Info("b"))[^1].Type);
            // Its number and its room serve the others now.
            Change(c, third, 3, 300);
            load.End();
            Verify(c, third);
            weir.Stop();
        }
        using WeirProcess again = Serve("a", "c");
        using (NbdClient a = again.Connect("a")) Verify(a, first);
        using (NbdClient c = again.Connect("c")) Verify(c, third);
        Done(Message("drain"));
        WeirProcess.Until(() => again.Number("dirty_blocks") == 0, "the drain's end");
        again.Stop();
        Assert.Equal(first, Content("a")[..first.Length]);
        Assert.Equal(third, Content("c"));
    }

    /// <summary>The one who asked for it is killed; later it is asked for again.</summary>
    [Fact]
    public void ADetachThatIsInterruptedLeavesTheDeviceServed()
    {
        byte[] content = new byte[16 * Mib];
        string slow = $"slow:{_folder.PathOf("b")}?seek=20ms&bandwidth=4M";
        using WeirProcess weir = Serve("a", "b=" + slow);
        using NbdClient b = weir.Connect("b");
        Change(b, content, 4, 300);
        long dirty = Dirty(weir, "b");
        using (WeirProcess message = WeirProcess.StartProgram(
            [WeirProcess.Binary, "message", "--control", _folder.PathOf("control"), "detach", "b"], null))
        {
            WeirProcess.Until(() => State(weir, "b") == "draining", "the beginning of the detach");
            message.Kill();
        }
        WeirProcess.Until(() => State(weir, "b") == "attached", "the end of the detach");
        Assert.InRange(Dirty(weir, "b"), 1, dirty);
        Assert.Equal(["a", "b"], Exports(weir));
        Verify(b, content);
        Change(b, content, 5, 20);
        Done(Message("detach", "b"));
        b.ExpectClosed();
        Assert.Equal(content, Content("b"));
        Assert.Equal(["a"], Exports(weir));
        weir.Stop();
    }

    /// <summary>What the cache has of it stays there until it comes again, through restarts.</summary>
    [Fact]
    public void AnAbsentDeviceIsNamedAndItsDirtyDataKept()
    {
        byte[] content = new byte[16 * Mib];
        using (WeirProcess weir = Serve("a", "b"))
        {
            using (NbdClient b = weir.Connect("b")) Change(b, content, 6, 200);
            weir.Stop();
        }
        string before = TestFolder.HashOf(_folder.PathOf("b"));
        using (WeirProcess weir = Serve("a"))
        {
            long dirty = Dirty(weir, "b");
            Assert.True(dirty > 0, "the device should have dirty blocks");
            string report = $"'b', is not given: its {dirty} dirty blocks stay in the cache";
            Assert.Contains(report, weir.Error, StringComparison.Ordinal);
            Assert.Equal("absent", State(weir, "b"));
            Assert.Equal((1, dirty), (weir.Number("devices_absent"), weir.Number("dirty_blocks_absent")));
            Assert.Equal(["a"], Exports(weir));
            Outcome refused = Message("detach", "b");
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("attach it first", refused.Error, StringComparison.Ordinal);
            // More than the cache holds: the log goes round, and takes what is the absent device's along.
            using (NbdClient a = weir.Connect("a"))
                for (int round = 0; round < 6; round++) Change(a, new byte[16 * Mib], 7 + round, 200);
            Assert.True(weir.Number("segment_tail") > weir.Number("segments"), "the log should have gone round");
            // Parts of a block that are moved together count as one.
            Assert.InRange(Dirty(weir, "b"), 1, dirty);
            weir.Stop();
        }
        Assert.Equal(before, TestFolder.HashOf(_folder.PathOf("b")));
        using WeirProcess again = Serve("a");
        Done(Message("attach", "b=" + _folder.PathOf("b")));
        using (NbdClient b = again.Connect("b")) Verify(b, content);
        Done(Message("detach", "b"));
        Assert.Equal(content, Content("b"));
        again.Stop();
    }

    /// <summary>Its log goes round the end; a start after a kill, the tools, and a repair know where it is.</summary>
    [Fact]
    public void TheCacheGrowsWhileItsClientIsAtWork()
    {
        byte[] content = new byte[8 * Mib];
        using (WeirProcess weir = Serve("a"))
        {
            Assert.Equal(31, weir.Number("segments"));
            Load load = new(weir, content);
            foreach (int size in new[] { 48, 49, 64 })
            {
                long segment = weir.Number("segment_head") + 17;
                WeirProcess.Until(() => weir.Number("segment_head") > segment, "a log that goes on");
                Resize("cache", size * Mib);
                string answer = Done(Message("grow"));
                Assert.EndsWith($"cache {size * Mib} {size - 1} segments\n", answer, StringComparison.Ordinal);
                Assert.Equal(size - 1, weir.Number("segments"));
            }
            load.End();
            weir.Kill();
        }
        using (WeirProcess weir = Serve("a"))
        {
            using (NbdClient a = weir.Connect("a"))
            {
                Verify(a, content);
                // What a lost superblock is rebuilt from is the newest header: it shall know of all segments.
                a.Write(0, content[..4096], CommandFlags.Fua);
            }
            Assert.Equal(63, weir.Number("segments"));
            weir.Stop();
        }
        Done(WeirProcess.Run("check", "writeboost", "--cache", _folder.PathOf("cache")));
        using (FileStream file = new(_folder.PathOf("cache"), FileMode.Open)) file.Write(new byte[Mib]);
        Done(WeirProcess.Run("repair", "writeboost", "--cache", _folder.PathOf("cache"), "--write"));
        using WeirProcess again = Serve("a");
        using (NbdClient a = again.Connect("a")) Verify(a, content);
        Assert.Equal(63, again.Number("segments"));
        again.Stop();
        Resize("cache", 32 * Mib);
        Outcome smaller = WeirProcess.Run("check", "writeboost", "--cache", _folder.PathOf("cache"));
        Assert.Equal(1, smaller.ExitCode);
        Assert.Contains("formatted with 63 segments", smaller.Error, StringComparison.Ordinal);
    }

    /// <summary>It was taken for a new device, showed old data, and a drain added it.</summary>
    [Fact]
    public void AFileThatWasCopiedIsTheSameDeviceUnderAnyName()
    {
        byte[] content = Wire.Random(16 * Mib, 40);
        File.WriteAllBytes(_folder.PathOf("a"), content);
        using (WeirProcess weir = Serve("a"))
        {
            using (NbdClient a = weir.Connect("a")) Change(a, content, 41, 50);
            weir.Stop();
        }
        File.Copy(_folder.PathOf("a"), _folder.PathOf("moved"));
        File.Delete(_folder.PathOf("a"));
        using (WeirProcess weir = Serve("weir=" + _folder.PathOf("moved")))
        {
            Assert.Equal(1, weir.Status().GetProperty("devices").GetArrayLength());
            using (NbdClient moved = weir.Connect("weir")) Verify(moved, content);
            weir.Stop();
        }
        Outcome drain = Drain(_folder.PathOf("moved"));
        Assert.True(drain.ExitCode == 0, drain.Error);
        Assert.Equal(content, Content("moved"));
    }

    [Fact]
    public void AnotherFileIsNeverTakenBesideOneThatIsMissed()
    {
        byte[] content = new byte[16 * Mib];
        using (WeirProcess weir = Serve("a"))
        {
            using (NbdClient a = weir.Connect("a")) Change(a, content, 42, 50);
            weir.Stop();
        }
        string before = TestFolder.HashOf(_folder.PathOf("cache"));
        foreach (string command in new[] { "serve", "drain" })
        {
            Outcome refused = command == "drain" ? Drain(_folder.PathOf("b"))
                : WeirProcess.Run("serve", "writeboost", "--cache", _folder.PathOf("cache"), "--backing",
                    _folder.PathOf("b"), "--listen", "unix:" + _folder.PathOf("nbd"));
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("'a'", refused.Error, StringComparison.Ordinal);
            Assert.Contains("a=" + (command == "drain" ? "" : _folder.PathOf("b")),
                refused.Error.Replace("NAME=", "a=", StringComparison.Ordinal), StringComparison.Ordinal);
            Assert.Equal(before, TestFolder.HashOf(_folder.PathOf("cache")));
        }
    }

    private Outcome Drain(string backing) =>
        WeirProcess.Run("drain", "writeboost", "--cache", _folder.PathOf("cache"), "--backing", backing);

    private void Resize(string name, long sizeBytes)
    {
        using FileStream file = new(_folder.PathOf(name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(sizeBytes);
    }

    private WeirProcess Serve(params string[] backings)
    {
        List<string> arguments = ["writeboost", "--cache", _folder.PathOf("cache"), "--option", "allow_writeback=0"];
        foreach (string backing in backings)
            arguments.AddRange(["--backing", backing.Contains('=') ? backing : $"{backing}={_folder.PathOf(backing)}"]);
        WeirProcess weir = WeirProcess.Serve(_folder, [.. arguments]);
        _folder.Remember(weir);
        return weir;
    }

    private Outcome Message(params string[] words) =>
        WeirProcess.Run(["message", "--control", _folder.PathOf("control"), .. words]);

    private static string Done(Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome.Output;
    }

    private static string[] Exports(WeirProcess weir)
    {
        string list = Done(WeirProcess.Tool("nbdinfo", "--list", "--json", weir.Uri));
        return JsonDocument.Parse(list).RootElement.GetProperty("exports").EnumerateArray()
            .Select(static export => export.GetProperty("export-name").GetString()!).Order().ToArray();
    }

    private static JsonElement Device(WeirProcess weir, string name) => weir.Status().GetProperty("devices")
        .EnumerateArray().Single(device => device.GetProperty("name").GetString() == name);

    private static string State(WeirProcess weir, string name) =>
        Device(weir, name).GetProperty("state").GetString()!;

    private static long Dirty(WeirProcess weir, string name) =>
        Device(weir, name).GetProperty("dirty_blocks").GetInt64();

    private byte[] Content(string name)
    {
        // Shared for writing: the program may hold the file.
        using FileStream file = new(_folder.PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }

    private static void Change(NbdClient client, byte[] model, int seed, int requests)
    {
        Random random = new(seed);
        byte[] data = Wire.Random(64 << 10, seed);
        for (int i = 0; i < requests; i++)
        {
            int length = 512 * random.Next(1, 129), at = 512 * random.Next((model.Length - length) / 512);
            if (random.Next(20) == 0)
            {
                Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, at, length));
                model.AsSpan(at, length).Clear();
                continue;
            }
            client.Write(at, data[..length], random.Next(30) == 0 ? CommandFlags.Fua : 0);
            data.AsSpan(0, length).CopyTo(model.AsSpan(at));
        }
    }

    private static void Verify(NbdClient client, byte[] model)
    {
        const int Step = 256 << 10;
        for (int at = 0; at < model.Length; at += Step)
            Assert.True(client.Read(at, Step).AsSpan().SequenceEqual(model.AsSpan(at, Step)), $"differs behind {at}");
    }

    /// <summary>A client of the first device that writes, reads and compares all the time.</summary>
    private sealed class Load
    {
        private readonly Thread _thread;
        private Exception? _failure;
        private volatile bool _shallRest;
        private volatile bool _rests;
        private volatile bool _isEnough;

        public Load(WeirProcess weir, byte[] model)
        {
            _thread = new Thread(() => Run(weir, model));
            _thread.Start();
        }

        /// <summary>Nothing of it is under way any more.</summary>
        public void Pause()
        {
            _shallRest = true;
            WeirProcess.Until(() => _rests, "the client's rest");
        }

        public void GoOn() => _shallRest = false;

        public void End()
        {
            _isEnough = true;
            Assert.True(_thread.Join(60_000), "the client of the first device hangs");
            Assert.True(_failure == null, $"{_failure}");
        }

        private void Run(WeirProcess weir, byte[] model)
        {
            try
            {
                using NbdClient a = weir.Connect("a");
                for (int round = 0; !_isEnough || round < 3; round++)
                {
                    Change(a, model, 100 + round, 50);
                    Verify(a, model);
                    for (_rests = _shallRest; _rests; _rests = _shallRest) Thread.Sleep(1);
                }
            }
            catch (Exception failure)
            {
                _failure = failure;
            }
        }
    }
}
