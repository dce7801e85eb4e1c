using System.Collections.Generic;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// The engine <c>dmcache</c> in the process of the native binary (<c>weir bench</c>), beside fio on its cache file;
/// then what it does before a slow disk, and its start.
/// </summary>
internal sealed class DmCacheSuite(Setting setting, Report report)
{
    // All of the backing device fits into the cache.
    private const long CacheBytes = 5L << 28, BackingBytes = 1L << 30, MetadataBytes = 32L << 20;
    private const long SmallCacheBytes = 256L << 20, BlockBytes = 64 << 10;
    private const int Blocks = (int)(BackingBytes / BlockBytes), WarmMost = 20, Turns = 3;

    // fio moves its bytes through 32 pages of 4 KiB, which stay in the processor's caches. This is about the least that
    // weir bench takes for the same depth.
    private static readonly string[] s_hot = ["--memory", "1M"];

    // Dirty blocks stay dirty.
    private static readonly string[] s_held =
        ["--option", "allow_writeback=0", "--option", "idle_ms=60000", "--option", "high_watermark=100"];

    private readonly Samples _hits = new(), _reads = new(), _readRatio = new();
    private readonly Samples _dirty = new(), _writes = new(), _writeRatio = new(), _metadata = new();
    private readonly Samples _coldHits = new(), _coldDirty = new();
    private readonly Samples _first = new(), _firstRatio = new(), _commits = new();

    /// <summary>All of it.</summary>
    public void Run()
    {
        InPlace();
        Promotions();
        new DmCacheSeeksPart(setting, report).Run();
        new DmCacheStartPart(setting, report).Run();
    }

    // One set of devices for all rounds; a round begins with every block cached, and clean.
    private void InPlace()
    {
        string cache = setting.Scratch.NewWritten("cache", CacheBytes);
        string metadata = setting.Scratch.NewFile("metadata", MetadataBytes);
        string[] devices = Devices(cache, metadata, setting.Scratch.NewSparse("backing", BackingBytes));
        for (int round = 0; round < setting.Rounds; round++)
        {
            if (round > 0) Tool.Run(setting.Weir.Binary, ["drain", .. devices]);
            Warm(devices, fills: round == 0);
            Round(devices, cache, round);
        }
        Show();
    }

    private static string[] Devices(string cache, string metadata, string backing) =>
        ["dmcache", "--cache", cache, "--metadata", metadata, "--backing", "b=" + backing];

    private void Warm(string[] devices, bool fills)
    {
        string[] job = [.. devices, .. s_held, "--job", "randread", "--size", "1G", "--stride", "64K", "--once",
            "--seconds", "60"];
        double cached = setting.Weir.Run(fills ? [.. job, "--fill"] : job)["volume_cached_blocks"];
        for (int i = 0; i < WarmMost && cached < Blocks; i++)
            cached = setting.Weir.Run(job)["volume_cached_blocks"];
        if (cached < Blocks)
            throw new System.InvalidOperationException(
                $"{cached} of {Blocks} blocks are cached after {WarmMost} reads");
    }

    private void Round(string[] devices, string cache, int round)
    {
        string[] job = [.. devices, .. s_held, "--size", "1G", "--job"];
        string[] timed = ["--warm-up", "0.2", "--seconds", setting.Time];
        Dictionary<string, double> first =
            setting.Weir.Run([.. job, "randwrite", "--stride", "64K", "--once", "--seconds", "60"]);
        for (int turn = 0; turn < Turns; turn++)
        {
            Dictionary<string, double> dirty = setting.Weir.Run([.. job, "randwrite", .. timed, .. s_hot]);
            _metadata.Add(dirty["delta_metadata_bytes_written"]);
            Compare(dirty["iops"], "randwrite 4k QD32", cache, (round * Turns) + turn, _dirty, _writes, _writeRatio);
            double hits = setting.Weir.Run([.. job, "randread", .. timed, .. s_hot])["iops"];
            Compare(hits, "randread 4k QD32", cache, (round * Turns) + turn, _hits, _reads, _readRatio);
            _coldDirty.Add(setting.Weir.Run([.. job, "randwrite", .. timed])["iops"]);
            _coldHits.Add(setting.Weir.Run([.. job, "randread", .. timed])["iops"]);
        }
        _first.Add(first["iops"]);
        _commits.Add(first["delta_commits"] * 1000 / first["requests"]);
        _firstRatio.Add(first["iops"] / _coldDirty.Last);
    }

    private void Compare(
        double ours, string job, string cache, int seed, Samples samples, Samples theirs, Samples ratio)
    {
        double alone = Alone(job, cache, seed);
        samples.Add(ours);
        theirs.Add(alone);
        ratio.Add(ours / alone);
    }

    // After that the cache holds fio's bytes, which nobody looks at.
    private double Alone(string job, string cache, int seed) =>
        setting.Fio.OnFile(FioJob.Find(job), cache, "1G", setting.Seconds, seed).Iops;

    private void Show()
    {
        Table table = report.Add("dmcache: requests of cached blocks",
            "`weir bench dmcache --size 1G`, blocks of 64 KiB, all of them cached, requests of 4 KiB at random, depth "
            + "32, beside fio `--bs=4k --iodepth=32 --direct=1` on the cache file. Both move their bytes through "
            + "memory that the processor's caches hold (weir: `--memory 1M`); in 64 MiB they are as cold as a "
            + "client's, and fio has nothing to compare with that. First writes, through 64 MiB: "
            + $"`--stride 64K --once`, one to each of {Blocks} clean blocks.", "", "IOPS", "±");
        setting.Row(table, "read hits", _hits);
        setting.Row(table, "fio, reads", _reads);
        setting.Row(table, "read hits, through 64 MiB", _coldHits);
        setting.Row(table, "writes of dirty blocks", _dirty);
        setting.Row(table, "fio, writes", _writes);
        setting.Row(table, "writes of dirty blocks, through 64 MiB", _coldDirty);
        setting.Row(table, "first writes of clean blocks", _first);
        report.Judge("D1", "dmcache, read hits / fio on the cache file", _readRatio.Median, 0.95);
        report.Judge("D2", "dmcache, writes of dirty blocks / fio on the cache file", _writeRatio.Median, 0.95);
        report.Judge("D2", "metadata bytes written meanwhile", _metadata.Median, 0, atLeast: false);
        report.Judge("D3", "commits for 1,000 first writes of clean blocks", _commits.Median, 20, atLeast: false);
        report.Judge("D3", "first writes of clean blocks / writes of dirty ones", _firstRatio.Median, 0.5);
    }

    private void Promotions()
    {
        Samples filling = new(), full = new(), promoted = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            string[] devices = Devices(
                setting.Scratch.NewWritten("cache", SmallCacheBytes),
                setting.Scratch.NewFile("metadata", MetadataBytes), setting.Scratch.NewSparse("backing", BackingBytes));
            string[] timed = ["--size", "1G", "--warm-up", "0", "--seconds", setting.Time];
            filling.Add(PerPromotion(setting.Weir.Run([.. devices, .. timed, "--job", "randread"])));
            Dictionary<string, double> mixed = setting.Weir.Run([.. devices, .. timed, "--job", "randrw"]);
            full.Add(PerPromotion(mixed));
            promoted.Add(mixed["delta_promotions"]);
        }
        Table table = report.Add("dmcache: commits for each promotion",
            "`weir bench dmcache --size 1G`, a cache of 256 MiB in blocks of 64 KiB, 4 KiB at random, depth 32: reads "
            + "(`--job randread`) from a blank cache on, then reads and writes (`--job randrw`, 70 % reads) on "
            + "the cache that is there. In the seed's own run of reads it was 0.92.", "", "value", "±");
        setting.Row(table, "reads, from a blank cache on", filling);
        setting.Row(table, "reads and writes", full);
        setting.Row(table, "blocks promoted meanwhile", promoted);
        report.Judge("D4", "commits for each promotion, reads", filling.Median, 0.05, atLeast: false);
        report.Judge("D4", "commits for each promotion, reads and writes", full.Median, 0.05, atLeast: false);
    }

    private static double PerPromotion(Dictionary<string, double> figures) =>
        figures["delta_commits"] / figures["delta_promotions"];
}
