using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Io;
using Weir.Frontends.Status;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Each figure says what it is, and what it says is true.</summary>
public sealed class FigureKindTests
{
    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void CountersOnlyGrow(string engine)
    {
        using ServedVolume served = new(engine, 8 << 20);
        using NbdHost host = new(served.Volume);
        using NbdClient client = host.Serve();
        Kinds before = new();
        Report(before, served.Volume, host);
        for (int i = 0; i < 64; i++)
        {
            client.Write(i * 65536, new byte[4096]);
            _ = client.Read(i * 65536, 8192);
        }
        Kinds after = new();
        Report(after, served.Volume, host);
        Assert.Equal(before.Counters.Keys, after.Counters.Keys);
        Assert.All(before.Counters, pair => Assert.True(after.Counters[pair.Key] >= pair.Value, pair.Key));
        Assert.Contains(before.Counters, pair => after.Counters[pair.Key] > pair.Value);
        Assert.Contains("size_bytes", after.Gauges.Keys);
        Assert.Empty(after.Counters.Keys.Intersect(after.Gauges.Keys));
    }

    /// <summary>What a figure is changes nothing of what JSON and text show.</summary>
    [Fact]
    public void FormsForPeopleAndProgramsShowNumbers()
    {
        Assert.Equal(Shown(static (status, value) => status.Number("a_bytes", value)),
            Shown(static (status, value) => status.Counter("a_bytes", value)));
        Assert.Equal(Shown(static (status, value) => status.Number("a_bytes", value)),
            Shown(static (status, value) => status.Gauge("a_bytes", value)));
        Assert.Equal(Shown(static (_, _) => { }), Shown(static (status, value) =>
            status.Histogram("a_us", new StatusHistogram([10, 100], [value, 2, 1], 300))));
    }

    private static string Shown(Action<IStatusWriter, long> report)
    {
        using JsonStatus json = new();
        TextStatus text = new();
        foreach (IStatusWriter status in new IStatusWriter[] { json, text })
        {
            status.Text("first", "one");
            report(status, 4096);
        }
        return json.Finish() + text.Finish();
    }

    private static void Report(Kinds kinds, IVolume volume, NbdHost host)
    {
        volume.Report(kinds);
        host.Server.Report(kinds);
    }

    private sealed class Kinds : IStatusWriter
    {
        public SortedDictionary<string, long> Counters { get; } = [];

        public SortedDictionary<string, long> Gauges { get; } = [];

        public void Number(string name, long value)
        {
        }

        public void Text(string name, string value)
        {
        }

        public void Counter(string name, long value) => Counters.Add(name, value);

        public void Gauge(string name, long value) => Gauges.Add(name, value);
    }
}
