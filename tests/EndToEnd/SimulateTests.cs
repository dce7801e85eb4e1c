using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Xml.Linq;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary><c>weir simulate</c> on the native binary.</summary>
public sealed class SimulateTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _trace;

    public SimulateTests()
    {
        _trace = _folder.PathOf("<a&b>.csv");
        Prng random = new(1);
        File.WriteAllLines(_trace, Enumerable.Range(0, 20_000).Select(i =>
            $"{i * 100},{(i % 4 == 0 ? "W" : "R")},{random.Below(random.Below(2000) + 1) * 65536L},4096"));
    }

    public void Dispose() => _folder.Dispose();

    private static Outcome Simulate(params string[] arguments) => WeirProcess.Run(["simulate", .. arguments]);

    private static string Good(Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome.Output;
    }

    [Fact]
    public void ATableSaysWhichPolicyAndHowMuch()
    {
        string[] lines = Good(Simulate(_trace, "--policy", "lru,fifo,lru", "--sizes", "1%,8M")).Split('\n');
        Assert.StartsWith("20000 requests in 2 s, 25 % writes, 78.1 MiB; 20000 accesses of ", lines[0]);
        Assert.Equal(["policy", "1%", "8M"], Words(lines[3]));
        Assert.Equal(["lru", "fifo", "optimum"], lines[5..8].Select(static line => Words(line)[0]));
        Assert.Contains('*', lines[5]);
        Assert.DoesNotContain('*', lines[7]);
        Assert.Matches("^lru with 8 MiB would serve this: it hits [0-9.]+ % of the accesses; the optimum", lines[9]);
    }

    /// <summary>The figures for programs are those for people.</summary>
    [Fact]
    public void JsonHasTheSameFigures()
    {
        string[] table = Good(Simulate(_trace, "--policy", "all")).Split('\n');
        JsonElement json = JsonDocument.Parse(Good(Simulate(_trace, "--json"))).RootElement;
        Assert.Equal(20_000, json.GetProperty("trace").GetProperty("requests").GetInt64());
        string[] shown = [.. table.Skip(5).TakeWhile(static line => line.Length > 0)
            .SelectMany(static line => Words(line).Skip(1)).Select(static cell => cell.TrimEnd('*'))];
        string[] told = [.. json.GetProperty("results").EnumerateArray()
            .Concat(json.GetProperty("optimum").EnumerateArray())
            .Select(static one => (one.GetProperty("miss_ratio").GetDouble() * 100).ToString("0.00"))];
        Assert.Equal(told, shown);
        Assert.True(shown.Length >= 12);
    }

    /// <summary>It can be parsed, shows every policy and the optimum, and names of files are no markup.</summary>
    [Fact]
    public void TheChartIsWellFormed()
    {
        string path = _folder.PathOf("chart.svg");
        Good(Simulate(_trace, "--svg", path, "--sizes", "2%,1%,2%"));
        XElement svg = XDocument.Load(path).Root!;
        string[] texts =
            [.. svg.Descendants().Where(static one => one.Name.LocalName == "text").Select(static one => one.Value)];
        Assert.Contains("<a&b>.csv: 20000 requests", texts);
        Assert.Contains("optimum (Belady)", texts);
        JsonElement json = JsonDocument.Parse(Good(Simulate(_trace, "--json"))).RootElement;
        string best = json.GetProperty("best_policy").GetString()!;
        foreach (JsonElement one in json.GetProperty("results").EnumerateArray())
            Assert.Contains(texts, text => text.Split(' ')[0] == one.GetProperty("policy").GetString());
        Assert.Contains(texts, static text => text.EndsWith(" (fewest misses)", StringComparison.Ordinal));
        Assert.NotEmpty(best);
        string all = File.ReadAllText(path);
        Assert.Contains("prefers-color-scheme: dark", all);
        Assert.DoesNotContain("href", all);
        Assert.DoesNotContain("NaN", all);
    }

    /// <summary>Only a chart is written over, and only by a whole one.</summary>
    [Fact]
    public void AChartWritesOverNothingElse()
    {
        string chart = _folder.PathOf("chart.svg"), other = _folder.PathOf("other");
        File.WriteAllText(other, "precious");
        Assert.Contains("holds something else", Bad(_trace, "--svg", other), StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(other));
        string trace = File.ReadAllText(_trace);
        Assert.Contains("holds something else", Bad(_trace, "--svg", _trace), StringComparison.Ordinal);
        Assert.Equal(trace, File.ReadAllText(_trace));
        Bad("none", "--svg", chart);
        Assert.False(File.Exists(chart));
        Good(Simulate(_trace, "--svg", chart));
        string drawn = File.ReadAllText(chart);
        Bad("none", "--svg", chart);
        Assert.Equal(drawn, File.ReadAllText(chart));
        File.AppendAllText(chart, new string(' ', 5000));
        Good(Simulate(_trace, "--svg", chart));
        Assert.Equal(drawn, File.ReadAllText(chart));
    }

    private string Bad(params string[] arguments)
    {
        Outcome outcome = Simulate(arguments);
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        return outcome.Error;
    }

    /// <summary>Parts are one trace; the kind can be named; a part of it can be taken.</summary>
    [Fact]
    public void PartsAreOneTrace()
    {
        string[] lines = File.ReadAllLines(_trace);
        string first = _folder.PathOf("1"), second = _folder.PathOf("2");
        File.WriteAllLines(first, lines[..9000]);
        File.WriteAllLines(second, lines[9000..]);
        Assert.Equal(Good(Simulate(_trace)), Good(Simulate(first, second, "--format", "csv")));
        Assert.Equal(Good(Simulate(first)), Good(Simulate(first, second, "--requests", "9000")));
    }

    [Theory]
    [InlineData(2, "--policy x", "--policy x: expected all, or of s3fifo")]
    [InlineData(2, "--engine x", "--engine x: expected dmcache")]
    [InlineData(2, "--sizes 0%", "--sizes 0%: expected more than nothing")]
    [InlineData(2, "--sizes 101%", "--sizes 101%: expected more than nothing")]
    [InlineData(2, "--sizes 1%,", "--sizes: '' is not a size")]
    [InlineData(2, "--sizes 1000000G", "expected at most 1073741824")]
    [InlineData(2, "--block-size 5K", "dmcache has blocks of 32 KiB to 1 GiB, in steps of 32 KiB")]
    [InlineData(2, "--format x", "--format x: expected fio, blkparse, csv, msr, oracle")]
    [InlineData(2, "--requests 0", "--requests 0: expected 1 or more")]
    [InlineData(1, "--format msr", "line 1: '4096'; expected Read or Write")]
    [InlineData(1, "--svg no/such/folder/x", "--svg no/such/folder/x: cannot be written")]
    public void WhatCannotBeIsSaid(int exitCode, string options, string message)
    {
        Outcome outcome = Simulate([_trace, .. options.Split(' ')]);
        Assert.Equal((exitCode, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
        Assert.EndsWith("\n", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedLineIsNamed()
    {
        File.AppendAllText(_trace, "2000000,R,here,4096\n");
        Outcome outcome = Simulate(_trace);
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.EndsWith($"weir: {_trace}: line 20001: 'here'; expected an offset, 0 to 1152921504606846976\n",
            outcome.Error);
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
