using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using Weir.Frontends;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Base;

/// <summary>Lines go out in order, wait for nobody, and what is dropped is counted where it was.</summary>
public sealed unsafe class LineWriterTests : IDisposable
{
    private readonly int _end, _start;

    public LineWriterTests()
    {
        Assert.Equal(0, Sockets.Pair(out _start, out _end));
    }

    public void Dispose()
    {
        _ = Libc.Close(_start);
        _ = Libc.Close(_end);
    }

    // Everything up to a last line that ends with these words.
    private List<string> ReadUntil(string last)
    {
        StringBuilder all = new();
        byte[] chunk = new byte[65536];
        while (!all.ToString().EndsWith(last + "\n", StringComparison.Ordinal))
        {
            long got;
            fixed (byte* at = chunk) got = Libc.Read(_end, at, chunk.Length);
            Assert.True(got > 0);
            all.Append(Encoding.UTF8.GetString(chunk, 0, (int)got));
        }
        return [.. all.ToString().TrimEnd('\n').Split('\n')];
    }

    [Fact]
    public void LinesOfOneThreadKeepTheirOrder()
    {
        LineWriter writer = new(_start, "it");
        for (int i = 0; i < 100; i++) writer.Add($"line {i}");
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"line {i}"), ReadUntil("line 99"));
        Assert.True(writer.Flush(60_000));
        Assert.Equal(0, writer.Dropped);
    }

    [Fact]
    public void WhoeverLogsDoesNotWaitForAReader()
    {
        const int count = 20_000;
        LineWriter writer = new(_start, "it");
        string rest = new('x', 200);
        for (int i = 0; i < count; i++) writer.Add($"{i} {rest}");
        Assert.True(writer.Dropped > count / 2);
        Assert.False(writer.Flush(1));
        // The reader comes back: what waited, and how much is missing behind it.
        Thread late = new(() =>
        {
            while (!writer.Flush(60_000)) { }
            writer.Add("the last");
        });
        late.Start();
        List<string> lines = ReadUntil("the last");
        late.Join();
        long missing = 0, next = 0;
        foreach (string line in lines.SkipLast(1))
        {
            Match gap = Regex.Match(line, "^weir: ([0-9]+) log lines were dropped: it was not read$");
            if (gap.Success)
            {
                missing += long.Parse(gap.Groups[1].Value, CultureInfo.InvariantCulture);
                next += long.Parse(gap.Groups[1].Value, CultureInfo.InvariantCulture);
                continue;
            }
            Assert.Equal(next++, long.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture));
        }
        Assert.Equal(count, next);
        Assert.Equal(writer.Dropped, missing);
    }

    [Fact]
    public void WithoutAnyReaderAllIsDropped()
    {
        LineWriter writer = new(_start, "it");
        _ = Sockets.Shutdown(_start);
        for (int i = 0; i < 10; i++) writer.Add("line");
        Assert.True(writer.Flush(60_000));
        Assert.Equal(10, writer.Dropped);
    }
}
