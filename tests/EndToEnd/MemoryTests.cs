using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>The real program and the files of its memory: taken away, missing, too small, left behind.</summary>
public sealed class MemoryTests(ITestOutputHelper output)
{
    private const int Writes = 100, BlockBytes = 4096, FileBytes = 16 << 20;

    /// <summary>Long enough that nothing is durable by itself.</summary>
    private static readonly string[] s_lazy = ["--option", "sync_data_interval=3600", "--option", "allow_writeback=0"];

    [Theory]
    [InlineData("removed")]
    [InlineData("renamed")]
    [InlineData("replaced")]
    public void MemoryThatIsTakenAwayCostsNoAcknowledgedWrite(string way)
    {
        using TestFolder folder = new();
        using (WeirProcess weir = Serve(folder))
        {
            folder.Remember(weir);
            Assert.Equal("in shared memory", weir.Text("acknowledge_when"));
            string file = Assert.Single(TestFolder.MemoryOf(weir.Text("cache_uuid")));
            Assert.Equal(file, weir.Text("memory"));
            using NbdClient client = weir.Connect();
            Write(client, 0, Writes);
            TakeAway(file, way);
            WeirProcess.Until(() => weir.Text("acknowledge_when") == "durable", "the loss noticed");
            Assert.Contains(file, weir.Error, StringComparison.Ordinal);
            Write(client, Writes, Writes);
            WeirProcess.Until(
                () => weir.Error.Contains("before is durable now", StringComparison.Ordinal), "all durable");
            weir.Kill();
        }
        folder.ForgetMemory();
        using WeirProcess next = Serve(folder);
        Assert.DoesNotContain("memory is gone", next.Error, StringComparison.Ordinal);
        Verify(next, 2 * Writes);
        next.Stop();
    }

    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void MemoryThatIsGoneBeforeTheNextStartIsMissedAloud(string layout)
    {
        using TestFolder folder = new();
        string[] chosen = layout == "native" ? [] : ["--layout", layout];
        using (WeirProcess weir = Serve(folder, chosen))
        {
            folder.Remember(weir);
            using NbdClient client = weir.Connect();
            Write(client, 0, 1);
            weir.Kill();
        }
        Assert.True(folder.ForgetMemory());
        Outcome check = WeirProcess.Run(["check", "writeboost", "--cache", folder.PathOf("cache"), .. chosen]);
        string[] notes = [.. check.Output.Split('\n').Where(line => line.StartsWith("note: ", StringComparison.Ordinal)
            && line.Contains("memory is gone", StringComparison.Ordinal))];
        Assert.Equal((0, 1), (check.ExitCode, notes.Length));
        using (WeirProcess next = Serve(folder, chosen))
        {
            Assert.Contains("memory is gone", next.Error, StringComparison.Ordinal);
            next.Stop();
        }
        using WeirProcess last = Serve(folder, chosen);
        Assert.DoesNotContain("memory is gone", last.Error, StringComparison.Ordinal);
        last.Stop();
    }

    /// <summary>In a folder of the user's choice, or where it is without one.</summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, false, "--layout", "writeboost2")]
    [InlineData(true, false, "--layout", "lc1")]
    public void MemoryIsFoundWhereverItWasLeft(bool chosenFirst, bool chosenNext, params string[] layout)
    {
        using TestFolder folder = new();
        using TmpfsFolder place = new();
        string[] chosen = ["--memory", place.Path, .. layout];
        using (WeirProcess weir = Serve(folder, chosenFirst ? chosen : []))
        {
            folder.Remember(weir);
            Assert.Equal(chosenFirst ? 1 : 0, Directory.GetFiles(place.Path).Length);
            using NbdClient client = weir.Connect();
            Write(client, 0, Writes);
            weir.Kill();
        }
        Outcome check = WeirProcess.Run(["check", "writeboost", "--cache", folder.PathOf("cache"), .. layout]);
        Assert.Equal(0, check.ExitCode);
        Assert.Contains("left acknowledged writes in memory", check.Output, StringComparison.Ordinal);
        using WeirProcess next = Serve(folder, chosenNext ? chosen : layout);
        Verify(next, Writes);
        next.Stop();
        Assert.Empty(Directory.GetFiles(place.Path));
        Assert.False(folder.ForgetMemory());
    }

    /// <summary>Whoever touches what was cut off dies of it: as with a power cut, what was flushed is there.</summary>
    [Fact]
    public void MemoryThatIsCutLosesNothingThatWasFlushed()
    {
        using TestFolder folder = new();
        using (WeirProcess weir = Serve(folder))
        {
            folder.Remember(weir);
            using NbdClient client = weir.Connect();
            Write(client, 0, Writes);
            Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
            string file = Assert.Single(TestFolder.MemoryOf(weir.Text("cache_uuid")));
            using (FileStream stream = new(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                stream.SetLength(BlockBytes);
            weir.Kill();
        }
        using WeirProcess next = Serve(folder);
        Assert.Contains("is not whole", next.Error, StringComparison.Ordinal);
        Verify(next, Writes);
        next.Stop();
    }

    [Fact]
    public void ASmallPlaceSaysWhatFits()
    {
        using TestFolder folder = new();
        using TmpfsFolder place = new();
        if (!place.TryMount("8m", output.WriteLine)) return;
        string[] chosen = ["--memory", place.Path];
        using (WeirProcess weir = Serve(folder, chosen))
        {
            folder.Remember(weir);
            Assert.Equal("durable", weir.Text("acknowledge_when"));
            Assert.Contains("--option ram_segments=7 fits", weir.Error, StringComparison.Ordinal);
            weir.Stop();
        }
        using WeirProcess next = Serve(folder, [.. chosen, "--option", "ram_segments=7"]);
        Assert.Equal("in shared memory", next.Text("acknowledge_when"));
        next.Stop();
    }

    [Fact]
    public void NoMemoryIsAskedForByName()
    {
        using TestFolder folder = new();
        using WeirProcess weir = Serve(folder, "--memory", "none");
        Assert.Equal(("durable", "the process's own"), (weir.Text("acknowledge_when"), weir.Text("memory")));
        Assert.Empty(TestFolder.MemoryOf(weir.Text("cache_uuid")));
        weir.Stop();
        Outcome refused = WeirProcess.Run("serve", "writeboost", "--cache", folder.PathOf("cache"), "--backing",
            folder.PathOf("backing"), "--memory", "/proc", "--listen", "unix:" + folder.PathOf("nbd"));
        Assert.Equal((1, true), (refused.ExitCode, refused.Error.Contains("not on tmpfs", StringComparison.Ordinal)));
    }

    [Fact]
    public void OrphansAreListedAndOnlyThoseOfNoUseAreCleaned()
    {
        using TestFolder folder = new();
        string uuid;
        using (WeirProcess weir = Serve(folder))
        {
            folder.Remember(weir);
            uuid = weir.Text("cache_uuid");
            Assert.EndsWith("in use", Line("list", uuid), StringComparison.Ordinal);
            Assert.StartsWith("kept: ", Line("clean", uuid, "--write", "--force", uuid, "!"), StringComparison.Ordinal);
            using NbdClient client = weir.Connect();
            Write(client, 0, Writes);
            weir.Kill();
        }
        string file = Assert.Single(TestFolder.MemoryOf(uuid));
        byte[] bytes = File.ReadAllBytes(file);
        string line = Line("list", uuid);
        Assert.Contains(folder.PathOf("cache"), line, StringComparison.Ordinal);
        Assert.EndsWith("the next start of its cache needs it", line, StringComparison.Ordinal);
        Assert.StartsWith("kept: ", Line("clean", uuid, "--write"), StringComparison.Ordinal);
        Assert.StartsWith("would be removed: ", Line("clean", uuid, "--force", uuid), StringComparison.Ordinal);
        using (WeirProcess weir = Serve(folder))
        {
            Verify(weir, Writes);
            weir.Stop();
        }
        // As if it had been left in another place: its cache has gone on without it.
        File.WriteAllBytes(file, bytes);
        Assert.StartsWith("would be removed: ", Line("clean", uuid), StringComparison.Ordinal);
        Assert.True(File.Exists(file));
        Assert.StartsWith("removed: ", Line("clean", uuid, "--write"), StringComparison.Ordinal);
        Assert.False(File.Exists(file));
        // Of an earlier boot.
        bytes[40]++;
        File.WriteAllBytes(file, bytes);
        Assert.Contains("earlier boot", Line("clean", uuid, "--write"), StringComparison.Ordinal);
        // Its cache is not there: kept, but for who names it.
        bytes[40]--;
        File.WriteAllBytes(file, bytes);
        File.Move(folder.PathOf("cache"), folder.PathOf("moved"));
        Assert.EndsWith("its cache is not there", Line("clean", uuid, "--write"), StringComparison.Ordinal);
        Assert.StartsWith("removed: ", Line("clean", uuid, "--write", "--force", file), StringComparison.Ordinal);
        Outcome unknown = WeirProcess.Run("clean", "--force", uuid);
        Assert.Equal(1, unknown.ExitCode);
        Assert.Contains("no memory of that name", unknown.Error, StringComparison.Ordinal);
    }

    /// <summary>
    /// Also in layouts that keep no UUID in a superblock, and in the one that nothing tells from other bytes.
    /// </summary>
    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void MemoryThatTheNextStartNeedsIsCalledThat(string layout)
    {
        using TestFolder folder = new();
        string uuid;
        using (WeirProcess weir = Serve(folder, "--layout", layout))
        {
            folder.Remember(weir);
            uuid = weir.Text("cache_uuid");
            using NbdClient client = weir.Connect();
            Write(client, 0, Writes);
            Assert.Contains("\"state\":\"in use\"", Line("list", uuid, "--json"), StringComparison.Ordinal);
            weir.Kill();
        }
        Assert.Contains("the next start of its cache needs it", Line("list", uuid), StringComparison.Ordinal);
        Assert.Equal(layout == "lc1", Line("list", uuid).EndsWith("(with --layout lc1)", StringComparison.Ordinal));
        string item = Line("list", uuid, "--json");
        Assert.StartsWith("{\"item\":\"memory\",\"path\":", item, StringComparison.Ordinal);
        Assert.Contains("\"state\":\"needed\"", item, StringComparison.Ordinal);
        Assert.StartsWith("kept: ", Line("clean", uuid, "--write"), StringComparison.Ordinal);
        // Somebody else's bytes where the notes about the cache were: it may be one, or not.
        if (layout != "lc1") return;
        using (FileStream cache = File.OpenWrite(folder.PathOf("cache")))
        {
            cache.Position = BlockBytes;
            cache.Write(new byte[BlockBytes]);
        }
        string line = Line("list", uuid);
        Assert.Contains("it may be needed", line, StringComparison.Ordinal);
        Assert.Contains("weir check writeboost", line, StringComparison.Ordinal);
        Assert.Contains("--layout lc1", line, StringComparison.Ordinal);
    }

    // The one line about a cache; "!": the command fails.
    private static string Line(string command, string uuid, params string[] arguments)
    {
        bool fails = arguments is [.., "!"];
        Outcome outcome = WeirProcess.Run([command, .. fails ? arguments[..^1] : arguments]);
        Assert.True(outcome.ExitCode == (fails ? 1 : 0), outcome.Error);
        return Assert.Single(outcome.Output.Split('\n'), line => line.Contains(uuid, StringComparison.Ordinal));
    }

    private static WeirProcess Serve(TestFolder folder, params string[] more)
    {
        foreach (string name in (string[])["cache", "backing"])
            if (!File.Exists(folder.PathOf(name))) folder.File(name, name == "cache" ? 4 * FileBytes : FileBytes);
        return WeirProcess.Serve(folder, [
            "writeboost", "--cache", folder.PathOf("cache"), "--backing", folder.PathOf("backing"), .. s_lazy, .. more,
        ]);
    }

    private static void TakeAway(string file, string way)
    {
        if (way == "removed") File.Delete(file);
        else File.Move(file, file + "-away");
        if (way == "replaced") File.Copy(file + "-away", file);
        if (way != "removed") File.Delete(file + "-away");
    }

    private static void Write(NbdClient client, int first, int count)
    {
        for (int i = first; i < first + count; i++) client.Write((long)i * BlockBytes, BlockOf(i));
    }

    private static void Verify(WeirProcess weir, int count)
    {
        using NbdClient client = weir.Connect();
        List<int> lost = [];
        for (int i = 0; i < count; i++)
            if (!client.Read((long)i * BlockBytes, BlockBytes).SequenceEqual(BlockOf(i))) lost.Add(i);
        Assert.True(lost.Count == 0, $"of {count} acknowledged writes are lost: {string.Join(' ', lost)}");
    }

    private static byte[] BlockOf(int i) => [.. Enumerable.Repeat((byte)((i % 251) + 1), BlockBytes)];

    /// <summary>Whoever only looks makes nothing, in a machine whose /run has nothing of ours yet.</summary>
    [Theory]
    [InlineData("check writeboost --cache {0}", false)]
    [InlineData("list", false)]
    [InlineData("drain writeboost --cache {0} --backing {1}", true)]
    public void OnlyWhoeverNeedsMemoryMakesItsFolder(string command, bool makes)
    {
        using TestFolder folder = new();
        using (WeirProcess weir = Serve(folder)) weir.Stop();
        (string cache, string backing) = (folder.PathOf("cache"), "weir=" + folder.PathOf("backing"));
        string words = string.Format(System.Globalization.CultureInfo.InvariantCulture, command, cache, backing);
        string script = $"mount -t tmpfs weir-test /run || exit 99; {WeirProcess.Binary} {words} >&2 || exit 98; "
            + "test -e /run/weir && echo made";
        Outcome outcome = WeirProcess.Tool("unshare", "-m", "sh", "-c", script);
        bool isMounted = outcome.ExitCode != 99 && !outcome.Error.StartsWith("unshare:", StringComparison.Ordinal);
        if (!isMounted)
        {
            Assert.True(!Environment.IsPrivilegedProcess || !File.Exists("/dev/fuse"), outcome.Error);
            output.WriteLine("nothing can be mounted here, nothing was tested: " + outcome.Error);
            return;
        }
        Assert.NotEqual(98, outcome.ExitCode);
        Assert.Equal(makes ? "made\n" : "", outcome.Output);
    }

    [Fact]
    public void AFolderThatCannotBeLookedIntoIsNamedInOneLine()
    {
        using TestFolder folder = new();
        string closed = folder.PathOf("closed"), binary = folder.PathOf("weir");
        Directory.CreateDirectory(closed);
        File.Copy(WeirProcess.Binary, binary);
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0b111_111_111);
        File.SetUnixFileMode(binary, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(closed, UnixFileMode.None);
        string[] drop = Environment.IsPrivilegedProcess
            ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
        string[] words = [.. drop, binary, "list", "--memory", closed];
        Outcome outcome = WeirProcess.Tool(words[0], words[1..]);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal($"weir: {closed}: cannot be looked into: Permission denied (EACCES)\n", outcome.Error);
    }
}
