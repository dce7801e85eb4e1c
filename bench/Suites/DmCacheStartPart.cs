using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Core.Devices;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Volume;

namespace Weir.Bench.Suites;

/// <summary>
/// What a full cache costs at a start after a crash, and in memory: sparse files, and metadata in which every place
/// holds a block.
/// </summary>
internal sealed class DmCacheStartPart(Setting setting, Report report)
{
    private const long BlockBytes = 64 << 10, BackingBytes = 2L << 40;
    private const double Linear = 1.2, MostSeconds = 2, MostBytes = 32;
    private const int DirtyEvery = 64;

    private static readonly int[] s_gibibytes = [64, 128, 256];

    // Of one size: seconds of the engine's start and of the process's; bytes as accounted, and as resident.
    private sealed record Cost(int GiB, Samples Start, double Served, double Accounted, double Resident)
    {
        public double Blocks => GiB * (double)(1 << 30) / BlockBytes;
    }

    /// <summary>All of it.</summary>
    public void Run()
    {
        List<Cost> costs = [.. s_gibibytes.Select(Measure)];
        Table table = report.Add("dmcache: what a larger cache costs",
            "Sparse caches of blocks of 64 KiB, every place full, the default policy. Start: of the engine, in this "
            + "process, after one that has ended without a stop, until it has taken the cache over; one block in "
            + $"{DirtyEvery} is marked dirty. Served: `weir serve dmcache --read-only` on restored metadata, all of it "
            + "in doubt, until clients can connect. Accounted: what `weir status` says; resident: the whole process.",
            "GiB", "start s", "±", "served s", "blocks", "accounted B a block", "resident MiB");
        foreach (Cost cost in costs)
            table.Rows.Add([cost.GiB.ToString(), Report.Number(cost.Start.Median), Setting.Deviation(cost.Start),
                Report.Number(cost.Served), Report.Number(cost.Blocks), Report.Number(cost.Accounted),
                Report.Number(cost.Resident / (1 << 20))]);
        (Cost small, Cost large) = (costs[0], costs[^1]);
        report.Judge("D7", "dmcache, bytes of RAM for each cached block of 64 KiB", costs.Max(static c => c.Accounted),
            MostBytes, atLeast: false);
        report.Judge("D7", $"bytes by which the process grows for each block, {small.GiB} to {large.GiB} GiB",
            (large.Resident - small.Resident) / (large.Blocks - small.Blocks), MostBytes, atLeast: false);
        report.Judge("D10", $"start of a cache of {large.GiB} GiB after a crash, s", large.Start.Median, MostSeconds,
            atLeast: false);
        report.Judge("D10", $"seconds for each block, {large.GiB} / {small.GiB} GiB",
            large.Start.Median / large.Blocks / (small.Start.Median / small.Blocks), Linear, atLeast: false);
    }

    private Cost Measure(int gibibytes)
    {
        string cache = setting.Scratch.NewSparse("cache", (long)gibibytes << 30);
        string backing = setting.Scratch.NewSparse("backing", BackingBytes);
        string metadata = setting.Scratch.NewFile("metadata", (4L << 20) + ((long)gibibytes << 20));
        Restore(metadata, (int)(((long)gibibytes << 30) / BlockBytes));
        (double served, double accounted, double resident) = Serve(cache, metadata, backing);
        // The first start finds what somebody else has made, and makes it its own.
        Samples start = new();
        Start(cache, metadata, backing);
        for (int round = 0; round < setting.Rounds; round++) start.Add(Start(cache, metadata, backing));
        File.Delete(metadata);
        Console.WriteLine($"bench: dmcache, start of {gibibytes} GiB");
        return new Cost(gibibytes, start, served, accounted, resident);
    }

    private void Restore(string metadata, int places)
    {
        string dump = setting.Scratch.PathOf("dump.xml");
        using (StreamWriter file = new(dump))
        {
            file.Write("<superblock uuid=\"\" block_size=\"128\" nr_cache_blocks=\"" + places
                + "\" policy=\"s3fifod\" hint_width=\"4\">\n<mappings>\n");
            for (int i = 0; i < places; i++)
                file.Write($"<mapping cache_block=\"{i}\" origin_block=\"{HomeOf(i)}\" dirty=\""
                    + (i % DirtyEvery == 0 ? "true\"/>\n" : "false\"/>\n"));
            file.Write("</mappings>\n<hints>\n");
            for (int i = 0; i < places; i++) file.Write($"<hint cache_block=\"{i}\" data=\"AAAAAA==\"/>\n");
            file.Write("</hints>\n</superblock>\n");
        }
        Tool.Run(setting.Weir.Binary, ["restore", "dmcache", "--input", dump, "--metadata", metadata, "--force"]);
        File.Delete(dump);
    }

    // At random, each once: an odd factor and a power of two share nothing.
    private static long HomeOf(long place) => place * 0x9E3779B1 % (BackingBytes / BlockBytes);

    // Read only: else it would reserve the space of the whole file.
    private (double Seconds, double Accounted, double Resident) Serve(string cache, string metadata, string backing)
    {
        using ServedCache served = new(setting.Weir.Binary, setting.Scratch, "dmcache", "--cache", cache, "--metadata",
            metadata, "--backing", "b=" + backing, "--read-only");
        (double bytes, double resident) = (served.Status()["ram_bytes_per_block"], served.Memory("VmRSS"));
        served.Stop();
        return (served.StartSeconds, bytes, resident);
    }

    // Ends as a crash does: nobody is told.
    private static double Start(string cache, string metadata, string backing)
    {
        using RingContext io = new();
        DmCacheOptions options = new() { AllowWriteback = false };
        long startedAt = Stopwatch.GetTimestamp();
        using DmCacheVolume volume = DmCacheVolume.Open(io, DeviceOpener.Open(cache), DeviceOpener.Open(metadata),
            DeviceOpener.Open(backing), options);
        return Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }
}
