using System;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>A stream four times as large as the cache, through it and past it (P9).</summary>
internal sealed class StreamPart(Setting setting, Report report)
{
    private const string Span = "256M";
    private const long DiskBytes = 1L << 30, CacheBytes = 64L << 20;

    private static readonly FioJob s_write =
        new("stream write", "--rw=write", "--bs=1M", "--iodepth=4", "--end_fsync=1");
    private static readonly FioJob s_read = new("stream read", "--rw=read", "--bs=1M", "--iodepth=4");

    private readonly Peers _peers = new(setting);

    private sealed record Figures(Samples Written, Samples ReadAtOnce, Samples ReadAtRest)
    {
        public Figures() : this(new(), new(), new()) { }
    }

    /// <summary>All of it.</summary>
    public void Run()
    {
        string model = $"slow:{setting.Scratch.NewFile("disk", DiskBytes)}?seek=8ms&bandwidth=150M";
        Figures through = new(), past = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            Measure(_peers.Cached(model, CacheBytes), through);
            Measure(_peers.Uncached(model), past);
            Console.WriteLine($"bench: round {round + 1}: streams");
        }
        Show(through, past);
        report.Judge("P9", "a sequential write of four times the cache / passthrough",
            through.Written.Median / past.Written.Median, 0.97);
        report.Judge("P9", "a sequential read of it, at rest / passthrough",
            through.ReadAtRest.Median / past.ReadAtRest.Median, 0.97);
        report.Judge("P9", "a sequential read of it, right after the write / passthrough",
            through.ReadAtOnce.Median / past.ReadAtOnce.Median, 0.97);
    }

    private void Measure(Peer peer, Figures figures)
    {
        using NbdServer server = peer.Start();
        figures.Written.Add(Megabytes(s_write, server));
        figures.ReadAtOnce.Add(Megabytes(s_read, server));
        _peers.AwaitDrained();
        figures.ReadAtRest.Add(Megabytes(s_read, server));
    }

    private double Megabytes(FioJob job, NbdServer server) =>
        setting.Fio.OnNbd(job, server.Uri, Span, 0, 0).BytesPerSecond / 1e6;

    private void Show(Figures through, Figures past)
    {
        Table table = report.Add("A stream of four times the cache",
            "256 MiB through a cache of 64 MiB before the modelled disk, and past it: `fio "
            + string.Join(' ', s_write.Arguments) + "` from the first request until the final flush is answered, then `"
            + string.Join(' ', s_read.Arguments) + "` at once, and again when everything is written back.",
            "", "MB/s", "±");
        setting.Row(table, "write, through the cache", through.Written);
        setting.Row(table, "write, passthrough", past.Written);
        setting.Row(table, "read right after it, through the cache", through.ReadAtOnce);
        setting.Row(table, "read right after it, passthrough", past.ReadAtOnce);
        setting.Row(table, "read at rest, through the cache", through.ReadAtRest);
        setting.Row(table, "read at rest, passthrough", past.ReadAtRest);
    }
}
