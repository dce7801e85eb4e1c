using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>What the documents say can be typed is typed here.</summary>
public sealed partial class DocumentTests
{
    private const int BlockPatienceMs = 300_000, RestPatienceMs = 10_000, NotEnded = -1, LeftBehind = -2;

    private static readonly string[] s_buildActions = ["build", "demo", "test", "bench", "vm"];

    private static IEnumerable<SourceFile> Documents =>
        SourceTree.Files.Where(file => file.Path.EndsWith(".md", StringComparison.Ordinal));

    /// <summary>Every block marked <c>sh</c> runs as it is, in an empty folder, with the binary in the path.</summary>
    [Fact]
    public void ShellBlocksRun()
    {
        string[] blocks =
            Documents.SelectMany(file => ShellBlock().Matches(file.Text)).Select(m => m.Groups[1].Value).ToArray();
        Assert.NotEmpty(blocks);
        foreach (string block in blocks) Assert.Equal(("", 0), Run(block));
    }

    [Fact]
    public void ABlockThatFailsIsNoticed()
    {
        Assert.NotEqual(0, Run("weir status --control nowhere\n").ExitCode);
        Assert.NotEqual(0, Run("weir fly\ntrue\n").ExitCode);
    }

    /// <summary>Its server ends with it, and what it has said is reported; the same of one that forgets its server.
    /// </summary>
    [Fact]
    public void ABlockThatFailsLeavesNothingRunning()
    {
        const string serve = """
            truncate -s 8M disk
            weir serve passthrough --backing disk --listen unix:$PWD/nbd --control $PWD/control > log &
            until weir status --control $PWD/control > /dev/null 2>&1; do sleep 0.05; done
            echo it is served by $!

            """;
        (string error, int exitCode) = Run(serve + "weir fly\n");
        Assert.Equal(2, exitCode);
        Assert.Contains("'fly'", error, StringComparison.Ordinal);
        Assert.False(Runs(error), error);
        (error, exitCode) = Run(serve);
        Assert.Equal(LeftBehind, exitCode);
        Assert.False(Runs(error), error);
    }

    // What was killed may wait for somebody to ask how it ended.
    private static bool Runs(string said)
    {
        string stat = $"/proc/{ServedBy().Match(said).Groups[1].Value}/cmdline";
        return File.Exists(stat) && File.ReadAllText(stat).Contains("serve", StringComparison.Ordinal);
    }

    /// <summary>Commands and options in running text exist.</summary>
    [Fact]
    public void CommandsInTextExist()
    {
        string[] wrong = Documents.SelectMany(file => WrongCommands(file.Text)).ToArray();
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
        Assert.NotEmpty(WrongCommands("`weir fly`"));
        Assert.NotEmpty(WrongCommands("`weir serve --turbo`"));
        Assert.NotEmpty(WrongCommands("`./build.sh deploy`"));
    }

    /// <summary>Links between documents lead somewhere.</summary>
    [Fact]
    public void LinksLeadSomewhere()
    {
        foreach (SourceFile file in Documents)
            foreach (Match link in Link().Matches(file.Text))
            {
                string folder = Path.Combine(SourceTree.Root, Path.GetDirectoryName(file.Path)!);
                Assert.True(File.Exists(Path.Combine(folder, link.Groups[1].Value)), $"{file.Path}: {link.Value}");
            }
    }

    /// <summary>Files and folders that a document names are there.</summary>
    [Fact]
    public void PathsInTextExist()
    {
        string[] wrong = Documents.SelectMany(file => WrongPaths(file.Text)).ToArray();
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
        Assert.NotEmpty(WrongPaths("`Core/Io/Nothing.cs`"));
        Assert.Empty(WrongPaths("`Core/Io/IVolume.cs`, `tests/Tidy`"));
    }

    /// <summary>Every test that a document names is there; so has every weak spot.</summary>
    [Fact]
    public void TestsInTextExist()
    {
        int named = 0;
        foreach (SourceFile file in Documents)
            foreach (Match test in TestName().Matches(file.Text))
            {
                Type? type = typeof(DocumentTests).Assembly.GetTypes()
                    .FirstOrDefault(t => t.Name == test.Groups[1].Value);
                bool exists = type?.GetMethod(test.Groups[2].Value)?.IsDefined(typeof(FactAttribute), true) == true;
                Assert.True(exists, $"{file.Path}: no test {test.Value}");
                named++;
            }
        string spots = SourceTree.Files.Single(file => file.Path == "docs/weak-spots.md").Text;
        for (int i = 1; i <= 16; i++) Assert.Matches($@"(?m)^\| W{i} \|.*`\w+Tests\.\w+`", spots);
        for (int i = 1; i <= 32; i++) Assert.Matches($@"(?m)^\| D{i} \|.*`\w+Tests\.\w+`", spots);
        Assert.True(named >= 16);
    }

    /// <summary>The continuous integration runs what README tells people to run.</summary>
    [Fact]
    public void TheTestCommandIsTheOneInReadme()
    {
        string ci = File.ReadAllText(Path.Combine(SourceTree.Root, ".ci", "run"));
        Assert.Contains("exec ./build.sh test\n", ci, StringComparison.Ordinal);
        string readme = SourceTree.Files.Single(file => file.Path == "README.md").Text;
        Assert.Contains("`./build.sh test`", readme, StringComparison.Ordinal);
    }

    private static IEnumerable<string> WrongPaths(string text) =>
        from Match path in TreePath().Matches(text)
        let full = Path.Combine(SourceTree.Root, path.Groups[1].Value)
        where !File.Exists(full) && !Directory.Exists(full)
        select path.Value;

    private static IEnumerable<string> WrongCommands(string text)
    {
        foreach (Match build in BuildCommand().Matches(text))
            if (!s_buildActions.Contains(build.Groups[1].Value)) yield return build.Value;
        foreach (Match weir in WeirCommand().Matches(text))
        {
            Outcome help = WeirProcess.Run(weir.Groups[1].Value, "--help");
            if (!help.Output.Contains($"weir {weir.Groups[1].Value} ", StringComparison.Ordinal))
                yield return weir.Value;
            foreach (Match option in Option().Matches(weir.Groups[2].Value))
                if (!help.Output.Contains(option.Value, StringComparison.Ordinal)) yield return weir.Value;
        }
    }

    // In a session of its own: what it leaves behind is ended, by its id, and keeps nobody waiting.
    private static (string Error, int ExitCode) Run(string script)
    {
        using TestFolder folder = new();
        ProcessStartInfo start = new("setsid", ["bash", "-euo", "pipefail", "-c", script])
        {
            WorkingDirectory = folder.Path, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        start.Environment["PATH"] =
            Path.GetDirectoryName(WeirProcess.Binary) + ":" + Environment.GetEnvironmentVariable("PATH");
        using Process process = Process.Start(start)!;
        Task<string>[] said = [process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync()];
        bool hasEnded = process.WaitForExit(BlockPatienceMs);
        int exitCode = hasEnded ? process.ExitCode : NotEnded;
        if (exitCode == 0 && !Task.WhenAll(said).Wait(RestPatienceMs)) exitCode = LeftBehind;
        if (exitCode != 0) WeirProcess.Tool("bash", "-c", $"kill -KILL -- -{process.Id}");
        string output = string.Concat(said.Select(text => text.Result));
        return exitCode == 0 ? ("", 0) : ($"{script}said:\n{output}", exitCode);
    }

    [GeneratedRegex(@"^```sh\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex(@"^it is served by (\d+)$", RegexOptions.Multiline)]
    private static partial Regex ServedBy();

    [GeneratedRegex(@"`((?:Native|Core|Frontends|bench|tests|docs)/[\w./-]+)`")]
    private static partial Regex TreePath();

    [GeneratedRegex(@"\./build\.sh ([a-z]+)")]
    private static partial Regex BuildCommand();

    [GeneratedRegex(@"`([A-Za-z]+Tests)\.([A-Za-z]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"(?:`|^)weir ([a-z]+)([^`\n]*)", RegexOptions.Multiline)]
    private static partial Regex WeirCommand();

    [GeneratedRegex(@"(?<= )--[a-z][a-z-]*")]
    private static partial Regex Option();

    [GeneratedRegex(@"\]\(([^)#:]+)\)")]
    private static partial Regex Link();
}
