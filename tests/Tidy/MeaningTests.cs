using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Weir.Core.Writeboost.Queue;
using Weir.Frontends.Status;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>Every figure that any part of the program can report has one line of meaning, and no other has.</summary>
public sealed partial class MeaningTests
{
    [Fact]
    public void EveryFigureHasALineAndEveryLineAFigure()
    {
        HashSet<string> figures = [.. QueueCounters.PieceNames];
        foreach (string path in Sources()) figures.UnionWith(FiguresOf(File.ReadAllText(path)));
        Assert.True(figures.Count > 100, "the figures were not found");
        Assert.Equal(figures.Order(StringComparer.Ordinal), Meanings.Figures.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void LinesAreShortAndSaySomething()
    {
        foreach (string figure in Meanings.Figures)
        {
            string line = Meanings.Of(figure)!;
            Assert.InRange(line.Length, 4, 100);
            Assert.DoesNotContain('\n', line);
            Assert.False(line.EndsWith('.'), figure);
            if (figure.EndsWith("_bytes", StringComparison.Ordinal))
                Assert.Contains("bytes", line, StringComparison.Ordinal);
        }
    }

    /// <summary>The scan finds names in each of the forms that the sources have.</summary>
    [Fact]
    public void TheScanFindsFigures()
    {
        const string Source = """
            (RequestKind.Read, "read"), (RequestKind.WriteZeroes, "write_zeroes"),
            status.Number("a", 1); status.Text("b", "c");
            status.Counter($"requests_{name}", 1); if (kind != RequestKind.Flush) status.Gauge($"{name}_bytes", 1);
            status.List("d", 1, (item, i) =>
            {
                item.Number("e", 1);
            });
            status.Group("f", Report);
            """;
        Assert.Equal(
            ["a", "b", "d", "d.e", "f", "read_bytes", "requests_read", "requests_write_zeroes", "write_zeroes_bytes"],
            FiguresOf(Source).Order(StringComparer.Ordinal));
    }

    // Whatever reports: tools have items of their own, and the options have their own meanings.
    private static IEnumerable<string> Sources() =>
        from folder in new[] { "Core", "Frontends" }
        from path in Directory.GetFiles(Path.Combine(SourceTree.Root, folder), "*.cs", SearchOption.AllDirectories)
        where !path.Contains("/Tools/", StringComparison.Ordinal)
            && !path.Contains("/Bench/", StringComparison.Ordinal)
            && !path.Contains("/obj/", StringComparison.Ordinal)
            && !path.Contains("/Status/", StringComparison.Ordinal)
        select path;

    private static IEnumerable<string> FiguresOf(string source)
    {
        List<string> kinds = [.. Kind().Matches(source).Select(static match => match.Groups[1].Value)];
        string list = "";
        foreach (Match match in Figure().Matches(source))
        {
            string name = match.Groups["name"].Value;
            if (match.Groups["what"].Value == "List") list = name;
            if (!name.Contains('{', StringComparison.Ordinal))
                yield return match.Groups["to"].Value == "item" ? $"{list}.{name}" : name;
            foreach (string kind in name.Contains('{', StringComparison.Ordinal) ? kinds : [])
                // A flush has no bytes.
                if (kind != "flush" || !name.EndsWith("_bytes", StringComparison.Ordinal))
                    yield return name.Replace("{name}", kind, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex("""\b(?<to>status|item)\.(?<what>Number|Counter|Gauge|Histogram|Text|List|Group)\("""
        + """\s*\$?"(?<name>[a-z0-9_{}]+)""" + "\"")]
    private static partial Regex Figure();

    [GeneratedRegex("""\(RequestKind\.\w+, "(\w+)"\)""")]
    private static partial Regex Kind();
}
