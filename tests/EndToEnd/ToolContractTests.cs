using System;
using System.IO;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// What every offline tool does with what it cannot work on: one line, exit 1 (2 for the command line), nothing
/// written.
/// </summary>
public sealed class ToolContractTests : IDisposable
{
    private static readonly string[] s_tools = ["check", "dump", "drain", "repair", "repair --write"];

    private readonly TestFolder _folder = new();
    private readonly string _cache;
    private readonly string _backing;

    public ToolContractTests()
    {
        _cache = _folder.File("cache", 16 << 20);
        _backing = _folder.File("backing", 32 << 20);
    }

    public static TheoryData<string> Tools() => new(s_tools);

    public void Dispose() => _folder.Dispose();

    private void Refuses(string tool, int exitCode, string words, string engine = "writeboost", string? cache = null,
        params string[] more)
    {
        string[] command = tool.Split(' ');
        string[] backing = tool == "drain" ? ["--backing", _backing] : [];
        string before = TestFolder.HashOf(_cache) + TestFolder.HashOf(_backing);
        Outcome outcome = WeirProcess.Run(
            [command[0], engine, "--cache", cache ?? _cache, .. command[1..], .. backing, .. more]);
        Assert.True(outcome.ExitCode == exitCode, $"exit code {outcome.ExitCode}: {outcome.Error}{outcome.Output}");
        Assert.Contains(words, outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(outcome.Output);
        Assert.Equal(before, TestFolder.HashOf(_cache) + TestFolder.HashOf(_backing));
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public void WhatIsNoCache(string tool)
    {
        Refuses(tool, 1, "is blank");
        Refuses(tool, 1, "No such file", cache: _folder.PathOf("missing"));
        Refuses(tool, 1, "is a directory", cache: _folder.Path);
        File.WriteAllText(_cache, new string('x', 16 << 20));
        Refuses(tool, 1, "holds unknown content");
        Assert.Equal(0, WeirProcess.Tool("mkfs.ext4", "-q", "-F", _cache).ExitCode);
        Refuses(tool, 1, "holds an ext4 file system");
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public void WrongUsage(string tool)
    {
        Refuses(tool, 2, "unknown engine 'nonsense'", engine: "nonsense");
        Refuses(tool, 2, "unknown layout 'wb9'", more: ["--layout", "wb9"]);
        Refuses(tool, 2, "--turbo", more: ["--turbo"]);
    }

    [Theory]
    [MemberData(nameof(Tools))]
    public void ACacheInUse(string tool)
    {
        using WeirProcess weir =
            WeirProcess.Serve(_folder, "writeboost", "--cache", _cache, "--backing", _folder.File("other", 32 << 20));
        Refuses(tool, 1, "in use by another weir");
        weir.Stop();
    }

    [Fact]
    public void OptionsOfTheirOwn()
    {
        Assert.Equal(0, WeirProcess.Run("format", "writeboost", "--cache", _cache).ExitCode);
        Refuses("dump", 2, "expected 0 to 14", more: ["--segment", "15"]);
        Refuses("dump", 2, "expected a number from 0 on", more: ["--segment", "-1"]);
        Refuses("dump", 2, "many", more: ["--segment", "many"]);
        Refuses("repair", 2, "some", more: ["--uuid", "some"]);
        Refuses("repair", 2, "expected 0 to 0", more: ["--drop-after", "3"]);
        Refuses("drain", 2, "unknown key 'warp'", more: ["--option", "warp=9"]);
    }
}
