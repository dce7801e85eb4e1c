using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;

namespace Weir.Bench.Suites;

/// <summary>
/// What a larger cache costs at the start, in memory and for each look-up: sparse files with a full header in each
/// segment, recovered here, and served by the native binary. Then the memory that does not grow.
/// </summary>
internal sealed class GrowthSuite(Setting setting, Report report)
{
    private const int SegmentBytes = 1 << 20, Lookups = 1 << 21, BlocksPerSegment = 255;
    private const double MiB = 1 << 20;

    private static readonly int[] s_gibibytes = [1, 4, 16, 64, 256];

    private readonly List<Cost> _costs = [];
    private double _unverified;

    // Of one size. Bytes as the process accounts for them, and as the kernel does for the process.
    private sealed record Cost(
        int GiB, double Recovery, double Start, double Blocks, double Bytes, double Resident, double LookupNs)
    {
        public double BytesPerBlock => Bytes / Blocks;
    }

    /// <summary>All of it.</summary>
    public void Run()
    {
        try
        {
            foreach (int gibibytes in s_gibibytes) _costs.Add(Measure(gibibytes));
            Judge();
        }
        finally
        {
            Show();
        }
        FixedMemory();
    }

    private Cost Measure(int gibibytes)
    {
        string path = setting.Scratch.PathOf("log");
        int segments = gibibytes << 10;
        LogImage.Make(path, segments, SegmentBytes, EntryKind.Data);
        string backing = setting.Scratch.NewSparse("backing", LogImage.BackingBytes);
        double recovery, lookupNs;
        using (RecoveredIndex recovered = new(path))
            (recovery, lookupNs) = (recovered.Seconds, recovered.LookupNs(Lookups));
        LogImage.Settle(path);
        if (_costs.Count == 0) _unverified = BytesUnverified(path, backing) / segments / BlocksPerSegment;
        using ServedCache served = Serve(path, backing);
        Dictionary<string, double> status = served.Status();
        Cost cost = new(gibibytes, recovery, served.StartSeconds, (double)segments * BlocksPerSegment,
            Bytes(status), served.Memory("VmRSS"), lookupNs);
        served.Stop();
        File.Delete(path);
        Console.WriteLine($"bench: growth, {gibibytes} GiB");
        return cost;
    }

    private double BytesUnverified(string path, string backing)
    {
        using ServedCache served = Serve(path, backing, "--option", "verify_reads=0");
        double bytes = Bytes(served.Status());
        served.Stop();
        return bytes;
    }

    private static double Bytes(Dictionary<string, double> status) =>
        status["index_bytes"] + status["checksum_bytes"] + status["changes_bytes"];

    // Read only: else it would reserve the space of the whole file, which no disk has for the largest.
    private ServedCache Serve(string path, string backing, params string[] more) => new(setting.Weir.Binary,
        setting.Scratch, "writeboost", ["--cache", path, "--backing", "b=" + backing, "--read-only", .. more]);

    private void Show()
    {
        const string title = "What a larger cache costs";
        Table table = report.Add(title,
            "Sparse caches with segments of 1 MiB, full of blocks at random. Recovery: the scan after a crash, in this "
            + "process. Start: `weir serve writeboost --cache FILE --backing b=FILE --read-only` after a clean stop, "
            + "from the start of the process until clients can connect: it reads all that a start reads, and writes "
            + "nothing. RAM: what `weir status` says of index, segment table and striped versions. Resident: the whole "
            + "process. Look-up: of a block that is there, at random, by one thread.",
            "GiB", "recovery s", "start s", "blocks", "RAM MiB", "RAM bytes a block", "resident MiB", "look-up ns");
        foreach (Cost cost in _costs)
            table.Rows.Add([cost.GiB.ToString(), .. new[] { cost.Recovery, cost.Start, cost.Blocks, cost.Bytes / MiB,
                cost.BytesPerBlock, cost.Resident / MiB, cost.LookupNs }.Select(Report.Number)]);
        Draw("start, by size of the cache", "seconds", ("recovery", c => c.Recovery), ("start", c => c.Start));
        Draw("RAM, by size of the cache", "bytes for each block of 4 KiB", ("accounted", c => c.BytesPerBlock));
        Draw("index look-up, by size of the cache", "ns", ("look-up", c => c.LookupNs));
    }

    private void Draw(string what, string unit, params (string Name, Func<Cost, double> Value)[] series) =>
        report.Add(new Chart("Growth: " + what, unit, [.. _costs.Select(c => $"{c.GiB} GiB")],
            [.. series.Select(s => new Series(s.Name, [.. _costs.Select(s.Value)]))], SharesScale: true));

    private void Judge()
    {
        Cost small = _costs[0], large = _costs[^1];
        report.Judge("P12", $"bytes of RAM for each cached block of 4 KiB, {small.GiB} GiB, reads not verified",
            _unverified, BlockIndex.MaxBytesPerBlock, atLeast: false);
        report.Judge("P12", "the same with the checksums that verify reads, the default, the worst of all sizes",
            _costs.Max(static cost => cost.BytesPerBlock), BlockIndex.MaxBytesPerVerifiedBlock, atLeast: false);
        report.Judge("P12", $"bytes by which the process grows for each block, {small.GiB} to {large.GiB} GiB",
            (large.Resident - small.Resident) / (large.Blocks - small.Blocks), BlockIndex.MaxBytesPerVerifiedBlock,
            atLeast: false);
    }

    private void FixedMemory()
    {
        const long cacheBytes = 512L << 20, backingBytes = 2L << 30;
        string cache = setting.Scratch.NewFile("cache", cacheBytes);
        string backing = setting.Scratch.NewSparse("backing", backingBytes);
        using ServedCache served = new(setting.Weir.Binary, setting.Scratch, "writeboost", "--cache", cache,
            "--backing", "b=" + backing, "--option", "force_migrate=1");
        setting.Fio.OnNbd(FioJob.Find("randwrite 4k QD32"), served.Uri, "1G", Math.Max(2, setting.Seconds), seed: 1);
        Dictionary<string, double> status = served.Status();
        double growing = status["index_bytes"] + status["changes_bytes"], ranges = status["ranges_memory_bytes"];
        double rest = served.Memory("RssAnon") - growing - ranges;
        Table table = report.Add("Memory that does not grow with the cache",
            "`weir serve writeboost` at its defaults with one queue, after fio `--rw=randwrite --bs=4k --iodepth=32` "
            + "through one connection, with write-back at full speed: what the kernel counts as resident.",
            "", "MiB");
        Row("RAM segments, in shared memory", status["ram_segments_bytes"]);
        Row("RAM segments' entries and stamps", served.Memory("RssShmem") - status["ram_segments_bytes"]);
        Row("ranges of zeroes and discards", ranges);
        Row("write-back's batch, the connection's and the queue's buffers, the runtime", rest);
        Row("the program and its libraries, from their files", served.Memory("RssFile"));
        Row("beside it: index, segment table and striped versions of 512 MiB", growing);
        Row("the whole process", served.Memory("VmRSS"));
        served.Stop();

        void Row(string name, double bytes) => table.Rows.Add([name, Report.Number(bytes / MiB)]);
    }
}
