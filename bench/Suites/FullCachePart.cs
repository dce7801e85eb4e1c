using System;
using System.Globalization;
using System.IO;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>What clients feel while a full cache writes back (P10).</summary>
internal sealed class FullCachePart(Setting setting, Report report)
{
    private const string Span = "256M";
    private const long DiskBytes = 1L << 30, CacheBytes = 32L << 20;
    // Several batches of write-back, so that what happens between two of them is seen.
    private const int Depth = 32, FillSeconds = 5, SaturatedSeconds = 8, Seconds = 4, Rounds = 2;
    // Of the rate at which a saturated cache drains.
    private const double Share = 0.5;

    private readonly Peers _peers = new(setting);
    private readonly Samples _disk = new(), _full = new(), _fullP99 = new(), _slowest = new(), _halfP99 = new();
    private readonly Samples _idleP99 = new(), _calm = new(), _wait = new(), _ofDisk = new(), _free = new();

    /// <summary>All of it.</summary>
    public void Run()
    {
        string model = $"slow:{setting.Scratch.NewFile("disk", DiskBytes)}?seek=8ms&bandwidth=150M";
        for (int round = 0; round < Math.Min(Rounds, setting.Rounds); round++)
        {
            double disk = OnTheDisk(model, round);
            double half = Saturated(model, round, disk) * Share;
            Idle(model, round, half);
            _calm.Add(_halfP99.Last / _idleP99.Last);
            Console.WriteLine($"bench: round {round + 1}: a full cache");
        }
        Show();
        report.Judge("P10", "full cache, half the drain rate: p99 / p99 with room", _calm.Median, 3, atLeast: false);
        report.Judge("P10", "full cache, saturated: p99 / (depth / IOPS)", _wait.Median, 3, atLeast: false);
        report.Judge("P10", "full cache, saturated: IOPS / the disk's own for these writes", _ofDisk.Median, 0.9);
        report.Judge("P10", "full cache, saturated: completions in the slowest second", _slowest.Min, 1);
    }

    private static FioJob Job(string name, params string[] more) =>
        new(name, ["--rw=randwrite", "--bs=4k", $"--iodepth={Depth}", .. more]);

    private FioResult Fio(FioJob job, NbdServer server, int round) =>
        setting.Fio.OnNbd(job, server.Uri, Span, Seconds, round + 1);

    private double OnTheDisk(string model, int round)
    {
        using NbdServer server = _peers.Uncached(model).Start();
        _disk.Add(Fio(Job("passthrough"), server, round).Iops);
        return _disk.Last;
    }

    private double Saturated(string model, int round, double disk)
    {
        using NbdServer server = _peers.Cached(model, CacheBytes).Start();
        string log = setting.Fio.LogPath("completions");
        FioJob job = Job("saturated", $"--ramp_time={FillSeconds}", "--write_iops_log=" + log);
        FioResult full = setting.Fio.OnNbd(job, server.Uri, Span, SaturatedSeconds, round + 1);
        Note(full, disk);
        _slowest.Add(InTheSlowestSecond(log + "_iops.1.log"));
        _halfP99.Add(Fio(Rated("half", full.Iops * Share), server, round).P99Us);
        _free.Add(_peers.Status()["segments_free"]);
        return full.Iops;
    }

    private void Note(FioResult full, double disk)
    {
        _full.Add(full.Iops);
        _fullP99.Add(full.P99Us);
        _wait.Add(full.P99Us / (Depth / full.Iops * 1e6));
        _ofDisk.Add(full.Iops / disk);
    }

    private void Idle(string model, int round, double rate)
    {
        using NbdServer server = _peers.Cached(model, CacheBytes).Start();
        _idleP99.Add(Fio(Rated("idle", rate), server, round).P99Us);
    }

    private static FioJob Rated(string name, double iops) =>
        Job(name, "--ramp_time=1", string.Create(CultureInfo.InvariantCulture, $"--rate_iops={Math.Round(iops)}"));

    // A line for each completion, which begins with its milliseconds.
    private double InTheSlowestSecond(string log)
    {
        int[] seconds = new int[SaturatedSeconds];
        foreach (string line in File.ReadLines(log))
        {
            int second = int.Parse(line.AsSpan(0, line.IndexOf(',')), CultureInfo.InvariantCulture) / 1000;
            if (second < seconds.Length) seconds[second]++;
        }
        return seconds.Min();
    }

    private void Show()
    {
        Table table = report.Add("A full cache that writes back", About(), "", "value", "±");
        setting.Row(table, "the disk alone, IOPS", _disk);
        setting.Row(table, "saturated, IOPS", _full);
        setting.Row(table, "saturated, completions in the slowest second", _slowest);
        setting.Row(table, "saturated, p99 us", _fullP99);
        setting.Row(table, "full, half that rate, p99 us", _halfP99);
        setting.Row(table, "full, half that rate: free segments of 31 at the end", _free);
        setting.Row(table, "with room, half that rate, p99 us", _idleP99);
    }

    private static string About() => string.Create(CultureInfo.InvariantCulture,
        $"Random writes of 4 KiB over 256 MiB at depth {Depth}, a cache of 32 MiB before the modelled disk. The disk ")
        + "alone is passthrough with these very writes, in their order; write-back sorts them, which is faster. "
        + $"Saturated: {SaturatedSeconds} s of the same through the cache, after {FillSeconds} s that fill it. Then on "
        + $"that server half of what it took (`--rate_iops`) for {Seconds} s, and the same on a fresh one, where "
        + "nothing is written back.";
}
