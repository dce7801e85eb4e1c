using System;
using System.IO;
using System.Linq;
using Weir.Frontends.Status;
using Xunit;

namespace Weir.Tests.Base;

/// <summary>How far a tool has come, on terminals of every width and where there is none.</summary>
public sealed class ProgressLineTests
{
    private double _nowS;

    [Theory]
    [InlineData(200)]
    [InlineData(80)]
    [InlineData(40)]
    [InlineData(20)]
    [InlineData(8)]
    [InlineData(1)]
    public void ALineFitsItsTerminal(int columns)
    {
        string[] lines = Draw(() => columns);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, Math.Max(1, columns - 1)));
        Assert.Contains(lines, line => line.Contains(columns < 8 ? "" : "%"));
        if (columns >= 20) Assert.Contains("% ", lines[^2]);
        if (columns >= 80) Assert.Contains("] 90.0%  90 of 100 blocks, 1/s, 10 s left", lines[^2]);
    }

    [Fact]
    public void ATerminalThatBecomesNarrowGetsNarrowLines()
    {
        string[] lines = Draw(() => _nowS < 50 ? 100 : 24);
        Assert.Contains(lines, static line => line.Length > 60);
        Assert.InRange(lines[^2].TrimEnd().Length, 5, 23);
        Assert.InRange(lines[^2].Length, 5, 23);
    }

    [Fact]
    public void WithoutATerminalThereIsALineNowAndThen()
    {
        string text = Drawn(null);
        Assert.DoesNotContain('\r', text);
        Assert.DoesNotContain('\u001b', text);
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.InRange(lines.Length, 40, 101);
        Assert.Contains("weir: 50.0%  50 of 100 blocks, 1/s, 50 s left", lines);
    }

    /// <summary>The rate is the present one: what was fast once says nothing about the rest.</summary>
    [Fact]
    public void TheTimeLeftFollowsThePace()
    {
        using StringWriter text = new();
        ProgressLine line = new(text, null, () => _nowS);
        for (long done = 0; done < 9000; done += 900, _nowS++) line.Report("blocks", done, 10_000);
        for (long done = 9000; done < 9100; done += 2, _nowS += 2) line.Report("blocks", done, 10_000);
        Assert.EndsWith("1/s, 15:02 left\n", text.ToString());
    }

    [Fact]
    public void WhatIsQuickShowsNothing()
    {
        using StringWriter text = new();
        ProgressLine line = new(text, () => 80, () => _nowS);
        for (int i = 0; i <= 100; i++, _nowS += 0.001) line.Report("blocks", i, 100);
        line.Finish();
        Assert.Equal("", text.ToString());
    }

    /// <summary>A server that has shown how its start went on waits for no reader of its log afterwards.</summary>
    [Fact]
    public void WhatIsSaidAfterItsEndNeedNotWaitForIt()
    {
        ProgressLine line = ProgressLine.OnStandardError();
        Assert.NotNull(Weir.Frontends.Output.BeforeLine);
        line.Finish();
        Assert.Null(Weir.Frontends.Output.BeforeLine);
    }

    private string[] Draw(Func<int> columns)
    {
        string text = Drawn(columns);
        Assert.DoesNotContain('\u001b', text);
        return text.Split('\r', '\n').Skip(1).ToArray();
    }

    private string Drawn(Func<int>? columns)
    {
        using StringWriter text = new() { NewLine = "\n" };
        ProgressLine line = new(text, columns, () => _nowS);
        for (int i = 0; i <= 90; i++, _nowS++) line.Report("blocks", i, 100);
        line.Finish();
        return text.ToString();
    }

    [Fact]
    public void NothingToDoIsDone()
    {
        using StringWriter text = new() { NewLine = "\n" };
        ProgressLine line = new(text, () => 80, () => _nowS);
        for (int i = 0; i < 3; i++, _nowS++) line.Report("blocks", 0, 0);
        line.Finish();
        Assert.Contains("100.0%  0 of 0 blocks, 0/s, 0 s left", text.ToString(), StringComparison.Ordinal);
    }
}
