using System;
using System.IO;
using System.Linq;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// What users get wrong: each case ends with one clear line on standard error, exit code 1 (or 2 for the command line),
/// and nothing written.
/// </summary>
public sealed class BadInputTests : IDisposable
{
    private const int SuperblockCopyB = 512 << 10;

    private static readonly string[] s_sockets = ["nbd", "control"];

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Cache(long sizeBytes = 16 << 20) => _folder.File("cache", sizeBytes);

    private string Backing(long sizeBytes = 32 << 20) => _folder.File("backing", sizeBytes);

    private Outcome Serve(params string[] arguments) =>
        WeirProcess.Run(["serve", .. arguments, "--listen", "unix:" + _folder.PathOf("nbd")]);

    /// <summary>One line, these words, this exit code; no file of the folder changes, none is added.</summary>
    private void Refused(int exitCode, string words, Func<Outcome> run)
    {
        string before = Snapshot();
        Outcome outcome = run();
        Assert.True(outcome.ExitCode == exitCode, $"exit code {outcome.ExitCode}: {outcome.Error}{outcome.Output}");
        Assert.Contains(words, outcome.Error, StringComparison.Ordinal);
        Assert.StartsWith("weir: ", outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(outcome.Output);
        Assert.Equal(before, Snapshot());
    }

    private string Snapshot() => string.Join('\n', Directory.GetFiles(_folder.Path).Order(StringComparer.Ordinal)
        .Select(path => path + " " + (s_sockets.Contains(Path.GetFileName(path)) ? "" : TestFolder.HashOf(path))));

    /// <summary>A cache that has been served once with its backing device, and stopped in order.</summary>
    private (string Cache, string Backing) Used()
    {
        (string cache, string backing) = (Cache(), Backing());
        using WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        using (Nbd.NbdClient client = weir.Connect()) client.Write(4096, Nbd.Wire.Random(8192, 1));
        weir.Stop();
        return (cache, backing);
    }

    private static void Overwrite(string path, long offset, params byte[] bytes)
    {
        using FileStream file = File.OpenWrite(path);
        file.Position = offset;
        file.Write(bytes);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(1 << 20)]
    [InlineData(4 << 20)]
    public void CacheTooSmall(int sizeBytes)
    {
        (string cache, string backing) = (Cache(sizeBytes), Backing());
        Refused(1, "too small", () => Serve("writeboost", "--cache", cache, "--backing", backing));
        Refused(1, "too small", () => WeirProcess.Run("format", "writeboost", "--cache", cache));
    }

    /// <summary>The device that is too small is the one that is named, wherever the metadata are.</summary>
    [Fact]
    public void CacheTooSmallForABlock()
    {
        (string cache, string backing) = (Cache(32 << 10), Backing());
        string metadata = _folder.File("metadata", 4 << 20), words = $"{cache}: has 32768 bytes: too small";
        string[] devices = ["dmcache", "--cache", cache, "--metadata", metadata];
        Refused(1, words, () => Serve([.. devices, "--backing", backing]));
        Refused(1, words, () => WeirProcess.Run(["format", .. devices]));
    }

    [Fact]
    public void TracesThatAreNone()
    {
        string zeroes = _folder.File("zeroes", 24 << 10);
        Refused(1, "is no trace that is known", () => WeirProcess.Run("simulate", zeroes));
        Refused(1, "request 1: its next use is none that can be; expected a later request, or -1",
            () => WeirProcess.Run("simulate", "--format", "oracle", zeroes));
        Refused(1, "standard input is /dev/stdin", () => WeirProcess.Run("simulate", "-"));
    }

    [Fact]
    public void CacheIsTheBackingDevice()
    {
        string cache = Cache();
        File.CreateSymbolicLink(_folder.PathOf("link"), cache);
        Assert.Equal(0, WeirProcess.Tool("ln", cache, _folder.PathOf("hard")).ExitCode);
        foreach (
            string other in new[] { cache, _folder.PathOf("link"), _folder.PathOf("hard"), $"slow:{cache}?seek=1ms" })
            Refused(1, "backing device too", () => Serve("writeboost", "--cache", cache, "--backing", other));
    }

    [Fact]
    public void CacheHoldsAFileSystem()
    {
        (string cache, string backing) = (Cache(), Backing());
        Assert.Equal(0, WeirProcess.Tool("mkfs.ext4", "-q", cache).ExitCode);
        Refused(1, "holds an ext4 file system", () => Serve("writeboost", "--cache", cache, "--backing", backing));
        Refused(1, "holds an ext4 file system", () => WeirProcess.Run("format", "writeboost", "--cache", cache));
        Assert.Equal(0, WeirProcess.Run("format", "writeboost", "--cache", cache, "--force").ExitCode);
        using WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        weir.Stop();
    }

    [Fact]
    public void CacheHoldsSomethingUnknown()
    {
        (string cache, string backing) = (Cache(), Backing());
        Overwrite(cache, 70_000, 1);
        Refused(1, "holds unknown content", () => Serve("writeboost", "--cache", cache, "--backing", backing));
        Refused(1, "holds unknown content", () => WeirProcess.Run("format", "writeboost", "--cache", cache));
    }

    /// <summary>Not blank, though its beginning is: it was wiped, and the log had moved on.</summary>
    [Fact]
    public void CacheWhoseBeginningWasWiped()
    {
        (string cache, string backing) = Used();
        byte[] record = File.ReadAllBytes(cache)[(2 << 20)..(3 << 20)];
        File.Delete(cache);
        Overwrite(Cache(), 9 << 20, record);
        Refused(1, "both damaged", () => Serve("writeboost", "--cache", cache, "--backing", backing));
        Refused(1, "both damaged", () => WeirProcess.Run("format", "writeboost", "--cache", cache));
    }

    [Fact]
    public void CacheHoldsSomethingUnknownFarBehind()
    {
        (string cache, string backing) = (Cache(), Backing());
        Overwrite(cache, 12_345_678, 1);
        Refused(1, "unknown content (at byte", () => Serve("writeboost", "--cache", cache, "--backing", backing));
    }

    /// <summary>All of it is allocated, and in one place alone is there anything.</summary>
    [Fact]
    public void SomethingSmallInTheMiddleOfADevice()
    {
        (string disk, string cache, string other) = (Zeroes(80 << 20), Cache(), Backing());
        Overwrite(disk, 42_345_678, 1);
        string before = Snapshot();
        NamesIt(WeirProcess.Run("format", "writeboost", "--cache", disk));
        NamesIt(Serve("writeboost", "--cache", disk, "--backing", other));
        NamesIt(WeirProcess.Run("check", "writeboost", "--cache", disk));
        string[] job = ["--size", "16M", "--seconds", "0.1"];
        NamesIt(WeirProcess.Run(["bench", "passthrough", "--backing", disk, .. job]));
        NamesIt(WeirProcess.Run(["bench", "writeboost", "--cache", cache, "--backing", disk, .. job]));
        Assert.Equal(before, Snapshot());
    }

    // On a slow machine there are lines that say how far it is.
    private static void NamesIt(Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 1, $"exit code {outcome.ExitCode}: {outcome.Error}{outcome.Output}");
        Assert.Contains("holds unknown content (at byte 42345678)", outcome.Error, StringComparison.Ordinal);
    }

    // Written ones: no holes.
    private string Zeroes(int sizeBytes)
    {
        string path = _folder.PathOf("zeroes");
        File.WriteAllBytes(path, new byte[sizeBytes]);
        return path;
    }

    [Fact]
    public void SegmentSizeOfAFormattedCache()
    {
        (string cache, string backing) = Used();
        string[] arguments = ["writeboost", "--cache", cache, "--backing", backing, "--segment-size"];
        Refused(1, "formatted with segments of 1 MiB", () => Serve([.. arguments, "512K"]));
        using WeirProcess weir = WeirProcess.Serve(_folder, [.. arguments, "1M"]);
        weir.Stop();
    }

    [Fact]
    public void FormatDoesNotOverwriteACache()
    {
        (string cache, _) = Used();
        Refused(1, "holds a weir cache", () => WeirProcess.Run("format", "writeboost", "--cache", cache));
    }

    /// <summary>Before the equals sign is a name, unless there is a slash in it.</summary>
    [Theory]
    [InlineData("Größe=b", "'Größe' is no name")]
    [InlineData("my disk=b", "'my disk' is no name")]
    [InlineData("x:y=b", "'x:y' is no name")]
    [InlineData("3:a b=b", "'a b' is no name")]
    [InlineData("=b", "the name is missing")]
    [InlineData("3:=b", "the name is missing")]
    [InlineData("a=", "the path is missing")]
    [InlineData("255:a=b", "device number 255: expected 0 (not cached) to 254")]
    public void ANameThatCannotBe(string text, string words)
    {
        (string cache, _) = Used();
        Refused(2, words, () => Serve("writeboost", "--cache", cache, "--backing", text));
        Refused(2, words, () => WeirProcess.Run("drain", "writeboost", "--cache", cache, "--backing", text));
    }

    [Fact]
    public void APathMayHaveAnEqualsSign()
    {
        (string cache, string backing) = (Cache(), _folder.File("Größe=b", 32 << 20));
        using WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        string control = _folder.PathOf("control");
        Outcome attach = WeirProcess.Run("message", "--control", control, "attach", "Größe=" + backing);
        Assert.Equal(2, attach.ExitCode);
        Assert.Contains("'Größe' is no name", attach.Error, StringComparison.Ordinal);
        weir.Stop();
    }

    [Fact]
    public void CacheOfAnotherBackingDevice()
    {
        (string cache, string backing) = Used();
        string other = _folder.File("other", new FileInfo(backing).Length);
        Refused(
            1, "belongs to another backing device", () => Serve("writeboost", "--cache", cache, "--backing", other));
    }

    [Fact]
    public void BackingDeviceWasTruncated()
    {
        (string cache, string backing) = Used();
        using (FileStream file = File.OpenWrite(backing)) file.SetLength(8192);
        Refused(
            1, "holds 1 dirty blocks and 0 discarded or zeroed ranges beyond: truncated?",
            () => Serve("writeboost", "--cache", cache, "--backing", backing));
        using (FileStream file = File.OpenWrite(backing)) file.SetLength(8 << 20);
        using WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        Assert.Equal(8 << 20, weir.SizeBytes);
        using (Nbd.NbdClient client = weir.Connect())
            Assert.Equal(Nbd.Wire.Random(8192, 1), client.Read(4096, 8192));
        weir.Stop();
    }

    [Fact]
    public void CacheWasTruncated()
    {
        (string cache, string backing) = Used();
        using (FileStream file = File.OpenWrite(cache)) file.SetLength(8 << 20);
        Refused(1, "truncated", () => Serve("writeboost", "--cache", cache, "--backing", backing));
        foreach (string tool in new[] { "check", "dump", "repair" })
            Refused(1, "truncated", () => WeirProcess.Run(tool, "writeboost", "--cache", cache));
    }

    [Fact]
    public void BothSuperblocksAreDamaged()
    {
        (string cache, string backing) = Used();
        Overwrite(cache, 100, 0xff, 0xfe);
        Overwrite(cache, SuperblockCopyB + 100, 0xff, 0xfe);
        Refused(
            1, "both superblock copies are damaged", () => Serve("writeboost", "--cache", cache, "--backing", backing));
    }

    /// <summary>One damaged copy is no reason to refuse: it is said, and mended.</summary>
    [Theory]
    [InlineData(0, "copy A")]
    [InlineData(SuperblockCopyB, "copy B")]
    public void OneSuperblockIsDamaged(int offset, string name)
    {
        (string cache, string backing) = Used();
        Overwrite(cache, offset + 100, 0xff, 0xfe);
        using (WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing))
        {
            WeirProcess.Until(() => weir.Error.Contains(name + " is damaged", StringComparison.Ordinal), "the warning");
            using (Nbd.NbdClient client = weir.Connect())
                Assert.Equal(Nbd.Wire.Random(8192, 1), client.Read(4096, 8192));
            weir.Stop();
        }
        Overwrite(cache, SuperblockCopyB - offset + 100, 0xff, 0xfe);
        using WeirProcess mended = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        mended.Stop();
    }

    [Fact]
    public void PathsThatCannotBeOpened()
    {
        (string cache, string backing) = (Cache(), Backing());
        string missing = _folder.PathOf("missing");
        Refused(1, "No such file", () => Serve("writeboost", "--cache", missing, "--backing", backing));
        Refused(1, "No such file", () => Serve("writeboost", "--cache", cache, "--backing", missing));
        Refused(1, "No such file", () => WeirProcess.Run("format", "writeboost", "--cache", missing));
        Refused(1, "is a directory", () => Serve("passthrough", "--backing", _folder.Path));
        Refused(1, "neither a file nor a block device", () => Serve("passthrough", "--backing", "/dev/null"));
    }

    [Fact]
    public void InUseByAnotherWeir()
    {
        (string cache, string backing) = (Cache(), Backing());
        string otherCache = _folder.File("cache2", 16 << 20), otherBacking = _folder.File("backing2", 32 << 20);
        using WeirProcess weir = WeirProcess.Serve(_folder, "writeboost", "--cache", cache, "--backing", backing);
        string[] listen = ["--listen", "unix:" + _folder.PathOf("nbd2")];
        Refused(1, "in use by another weir", () =>
            WeirProcess.Run(["serve", "writeboost", "--cache", cache, "--backing", otherBacking, .. listen]));
        Refused(1, "in use by another weir", () =>
            WeirProcess.Run(["serve", "writeboost", "--cache", otherCache, "--backing", backing, .. listen]));
        Refused(
            1, "in use by another weir", () => WeirProcess.Run("format", "writeboost", "--cache", cache, "--force"));
        Refused(1, "in use", () => Serve("writeboost", "--cache", otherCache, "--backing", otherBacking));
        weir.Stop();
    }

    [Theory]
    [InlineData("serve nonsense --backing B", "unknown engine 'nonsense'")]
    [InlineData("serve writeboost --backing B", "needs --cache")]
    [InlineData("serve passthrough --backing B --cache C", "has no cache")]
    [InlineData("serve writeboost --cache C", "--backing")]
    [InlineData("serve writeboost --cache C --backing B --backing B", "two --backing")]
    [InlineData("serve writeboost --cache C --backing B --layout lc9", "unknown layout")]
    [InlineData("serve writeboost --cache C --backing B --segment-size 100K", "power of two")]
    [InlineData("serve writeboost --cache C --backing B --segment-size big", "is not a size")]
    [InlineData("serve writeboost --cache C --backing B --frontend floppy", "this version has: nbd, ublk")]
    [InlineData("serve passthrough --backing B --frontend ublk --listen tcp:1", "--listen is for --frontend nbd")]
    [InlineData("serve passthrough --backing B --frontend ublk --ublk-copy x", "expected auto, direct, user or buffer")]
    [InlineData("serve writeboost --cache C --backing B --recover", "--recover is for --frontend ublk")]
    [InlineData("stop", "either --control or --device")]
    [InlineData("stop --device /dev/sda --force", "expected /dev/ublkbN")]
    [InlineData("serve writeboost --cache C --backing B --queues 0", "expected 1 to 64")]
    [InlineData("serve writeboost --cache C --backing B --request-memory 0", "--request-memory 0: expected 1M to 64G")]
    [InlineData("serve writeboost --cache C --backing B --request-memory 1", "--request-memory 1: expected 1M to 64G")]
    [InlineData("serve writeboost --cache C --backing B --request-memory 100T", "100T: expected 1M to 64G")]
    [InlineData("serve writeboost --cache C --backing B --queues two", "two")]
    [InlineData("serve writeboost --cache C --backing B --listen http:x", "expected unix:PATH or tcp:HOST:PORT")]
    [InlineData("serve writeboost --cache C --backing B --option speed=9", "unknown key 'speed'")]
    [InlineData("serve writeboost --cache C --backing B --option speed", "expected KEY=VALUE")]
    [InlineData("serve writeboost --cache C --backing B --option ram_segments=1", "expected 2..1024")]
    [InlineData("serve passthrough --backing slow:B?seek=x", "is not understood")]
    [InlineData("serve passthrough --backing B --turbo", "--turbo")]
    [InlineData("format passthrough", "has no cache to format")]
    [InlineData("status", "--control")]
    [InlineData("status --control C --json --dm", "several forms")]
    [InlineData("message --control C idle_ms EMPTY", "an empty value")]
    [InlineData("message --control C EMPTY", "an empty key")]
    [InlineData("serve dmcache --cache C --backing B --block-size 0", "0: dmcache has blocks of 32 KiB to 1 GiB, in")]
    [InlineData("format dmcache --cache C --block-size 1025M", "1025M: dmcache has blocks of 32 KiB to 1 GiB,")]
    [InlineData("simulate --block-size 48K B", "48K: dmcache has blocks of 32 KiB to 1 GiB, in steps of 32 KiB")]
    [InlineData("format dmcache --metadata C", "needs --cache PATH")]
    [InlineData("serve dmcache --cache C --backing 0:o=o", "0:o: dmcache has no device numbers; leave '0:' out")]
    [InlineData("serve passthrough --backing 0:o=o", "0:o: passthrough has no cache, and so no device numbers")]
    [InlineData("serve dmcache --cache C --backing B --memory none", "no use for --memory none")]
    [InlineData("serve passthrough --backing B --memory none", "no use for --memory none")]
    [InlineData("list --memory none", "--memory none: no such folder")]
    [InlineData("clean --memory none", "--memory none: no such folder")]
    [InlineData("repair writeboost --cache C --uuid abc", "--uuid abc: expected a UUID such as ")]
    [InlineData("repair writeboost --cache C --drop-after x", "--drop-after x: expected a whole number up to ")]
    [InlineData("simulate --requests abc B", "--requests abc: expected a whole number up to ")]
    [InlineData("format dmcache --cache C --metadata-version two", "--metadata-version two: expected a whole number")]
    [InlineData("serve passthrough --backing B --queues 2.5", "--queues 2.5: expected a whole number up to 2147483647")]
    [InlineData("serve passthrough --backing B --queues 99999999999", "99999999999: expected a whole number up to ")]
    [InlineData("bench passthrough --backing B --seconds abc", "--seconds abc: expected a number")]
    [InlineData("status --control C --json=maybe", "unknown command or argument 'maybe'")]
    [InlineData("fly", "fly")]
    [InlineData("", "command")]
    public void WrongUsage(string line, string words)
    {
        (string cache, string backing) = (Cache(), Backing());
        string[] arguments = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(word => word == "C" ? cache : word == "B" ? backing : word == "EMPTY" ? "" : word).ToArray();
        Refused(2, words, () => WeirProcess.Run(arguments));
    }

    /// <summary>
    /// Nobody listens at the control socket: not a usage error, but an answer within one line all the same.
    /// </summary>
    [Fact]
    public void NobodyIsServed()
    {
        foreach (string command in new[] { "status", "stop" })
            Refused(1, "no weir listens there", () => WeirProcess.Run(command, "--control", _folder.PathOf("control")));
    }

    [Fact]
    public void AddressesThatCannotBeHad()
    {
        string backing = Backing();
        File.WriteAllText(_folder.PathOf("nbd"), "not a socket");
        Refused(1, "not a socket", () => Serve("passthrough", "--backing", backing));
        Refused(1, "cannot listen", () =>
            WeirProcess.Run("serve", "passthrough", "--backing", backing, "--listen", "unix:/nonexistent/socket"));
    }
}
