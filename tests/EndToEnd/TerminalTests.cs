using System;
using System.IO;
using System.Linq;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// On a terminal, made by script(1): nothing is set up there, and escape codes are for screens that are drawn again.
/// </summary>
public sealed class TerminalTests : IDisposable
{
    private const char Escape = '\u001b';

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Control => _folder.PathOf("control");

    private WeirProcess Serve() => WeirProcess.Serve(_folder, Arguments("writeboost"));

    private string[] Arguments(string engine)
    {
        if (!File.Exists(_folder.PathOf("cache"))) _folder.File("cache", 16 << 20);
        if (!File.Exists(_folder.PathOf("disk"))) _folder.File("disk", 16 << 20);
        return [engine, "--cache", _folder.PathOf("cache"), "--backing", "disk=" + _folder.PathOf("disk")];
    }

    // Both streams and what they show.
    private static Outcome OnTerminal(string term, params string[] arguments)
    {
        string words = string.Join(' ', arguments.Prepend(WeirProcess.Binary).Select(word => $"'{word}'"));
        return WeirProcess.Tool("sh", "-c", $"TERM={term} script -qefc \"$0\" /dev/null < /dev/null", words);
    }

    [Theory]
    [InlineData("xterm")]
    [InlineData("xterm-256color")]
    [InlineData("linux")]
    [InlineData("dumb")]
    public void NoCommandSetsATerminalUp(string term)
    {
        using (WeirProcess weir = Serve())
        {
            using (NbdClient client = weir.Connect()) client.Write(0, new byte[1 << 20]);
            Plain(term, 0, "drain: done", "message", "--control", Control, "drain");
            Plain(term, 0, "writeboost", "status", "--control", Control);
            Plain(term, 2, "unknown key", "message", "--control", Control, "nonsense");
            weir.Stop();
        }
        Plain(term, 0, "Usage", "--help");
        Plain(term, 0, "Usage", "serve", "--help");
        Plain(term, 0, ".", "--version");
        Plain(term, 2, "unknown command", "nonsense");
        Plain(term, 0, "sound", ["check", .. Arguments("writeboost")[..3]]);
        Plain(term, 0, "superblock", ["dump", .. Arguments("writeboost")[..3]]);
        Plain(term, 0, "drained", ["drain", .. Arguments("writeboost")]);
        Plain(term, 0, "", "list");
    }

    private static void Plain(string term, int exitCode, string words, params string[] arguments)
    {
        Outcome outcome = OnTerminal(term, arguments);
        Assert.True(outcome.ExitCode == exitCode, $"{arguments[0]}: exit code {outcome.ExitCode}: {outcome.Output}");
        Assert.Contains(words, outcome.Output, StringComparison.Ordinal);
        int at = outcome.Output.IndexOf(Escape, StringComparison.Ordinal);
        string about = at < 0 ? "" : outcome.Output[at..Math.Min(at + 10, outcome.Output.Length)].Replace(Escape, '^');
        Assert.True(at < 0, $"{string.Join(' ', arguments)}: an escape code: {about}");
    }

    /// <summary>The one command that clears a screen, where there is one that can be cleared.</summary>
    [Theory]
    [InlineData("xterm", true)]
    [InlineData("dumb", false)]
    [InlineData("", false)]
    public void OnlyAScreenIsCleared(string term, bool clears)
    {
        using WeirProcess weir = Serve();
        string shown = _folder.PathOf("shown");
        string watch = $"TERM={term} script -qfc \"'{WeirProcess.Binary}' status --watch --control '{Control}'\" "
            + $"'{shown}' < /dev/null > /dev/null";
        using System.Diagnostics.Process shell = System.Diagnostics.Process.Start("sh", ["-c", watch]);
        WeirProcess.Until(() => Times(shown, "engine") >= 2, "two rounds of the status");
        weir.Stop();
        Assert.True(shell.WaitForExit(60_000), "the watch does not end");
        Assert.Equal(clears, Times(shown, Escape + "[H" + Escape + "[2J") >= 2);
        string rest = File.ReadAllText(shown).Replace(Escape + "[H" + Escape + "[2J", "", StringComparison.Ordinal);
        Assert.DoesNotContain(Escape, rest);
    }

    private static int Times(string path, string words) =>
        File.Exists(path) ? File.ReadAllText(path).Split(words).Length - 1 : 0;

    /// <summary>The runtime's console sets a terminal up as soon as it is used for anything.</summary>
    [Fact]
    public void TheProgramDoesWithoutTheRuntimesConsole()
    {
        foreach (string folder in new[] { "Native", "Core", "Frontends" })
            foreach (string path in SourceFiles(Path.Combine(SourceTree.Root, folder)))
                Assert.DoesNotContain(" Console.", File.ReadAllText(path).Replace('(', ' '), StringComparison.Ordinal);
    }

    private static string[] SourceFiles(string folder) =>
        Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories);
}
