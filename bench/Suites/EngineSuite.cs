using System.Collections.Generic;
using System.Threading.Tasks;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// The engine in the process of the native binary (<c>weir bench</c>), beside fio on the same files: what a cache that
/// adds nothing would do.
/// </summary>
internal sealed class EngineSuite(Setting setting, Report report)
{
    // The large one is not full before the time is over.
    private const long CacheBytes = 2L << 30, LargeCacheBytes = 8L << 30, BackingBytes = 4L << 30;
    private const long SyncBytes = 1L << 30;
    private const string FlushedAsTheLog = "--fdatasync=16";
    private const string Throttle = "?seek=0ms&bandwidth=266M";

    /// <summary>All of it.</summary>
    public void Run()
    {
        ThrottledWrites();
        UnthrottledWrites();
        ReadHits();
        Syncs();
        TwoThreads();
        new EngineMatrix(setting, report).Run();
    }

    private double Seconds => setting.Seconds;

    // Write-back is held: what is measured is the log.
    private string[] Job(string cache, string backing, params string[] job) =>
        ["writeboost", "--cache", cache, "--backing", "b=" + backing, "--option", "allow_writeback=0",
            "--seconds", setting.Time, .. job];

    // Every run begins with a blank cache, and a backing device whose blocks nobody has touched.
    private (string Cache, string Backing) Fresh(long cacheBytes = CacheBytes) =>
        (setting.Scratch.NewFile("cache", cacheBytes), setting.Scratch.NewSparse("backing", BackingBytes));

    private void ThrottledWrites()
    {
        Samples client = new(), device = new(), ratio = new(), perByte = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            (string cache, string backing) = Fresh();
            Dictionary<string, double> through = setting.Weir.Run(
                Job($"slow:{cache}{Throttle}", backing, "--job", "randwrite", "--size", "1G"));
            string plain = setting.Scratch.NewFile("plain", CacheBytes);
            Dictionary<string, double> alone = setting.Weir.Run("passthrough", "--backing", $"slow:{plain}{Throttle}",
                "--job", "write", "--block", "1M", "--depth", "8", "--size", "2G", "--seconds", setting.Time);
            client.Add(through["bytes_per_second"] / 1e6);
            device.Add(alone["bytes_per_second"] / 1e6);
            ratio.Add(through["bytes_per_second"] / alone["bytes_per_second"]);
            perByte.Add(through["volume_log_bytes_written"] / through["volume_write_bytes"]);
        }
        Table table = report.Add("Random writes on a cache device of 266 MiB/s",
            $"`weir bench writeboost --cache slow:CACHE{Throttle} --job randwrite`, 4 KiB, depth 32, write-back held, "
            + $"beside `weir bench passthrough --backing slow:FILE{Throttle} --job write --block 1M --depth 8`.",
            "", "MB/s", "±");
        setting.Row(table, "writeboost, random 4 KiB", client);
        setting.Row(table, "the device alone, sequential 1 MiB", device);
        report.Judge("P1", "random 4 KiB writes / sequential rate of the throttled device", ratio.Median, 0.99);
        report.Judge("P13", "log bytes for each byte written, at full speed", perByte.Median, 1.01, atLeast: false);
    }

    private void UnthrottledWrites()
    {
        Samples client = new(), device = new(), flushing = new(), ratio = new(), flushingRatio = new();
        Samples user = new(), system = new(), copy = new(), cpu = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            (string cache, string backing) = Fresh(LargeCacheBytes);
            Dictionary<string, double> through = setting.Weir.Run(Job(cache, backing, "--job", "randwrite",
                "--size", "1G", "--memory", "256M"));
            double alone = SequentialWrites(round), flushed = SequentialWrites(round, FlushedAsTheLog);
            client.Add(through["bytes_per_second"] / 1e6);
            device.Add(alone / 1e6);
            flushing.Add(flushed / 1e6);
            ratio.Add(through["bytes_per_second"] / alone);
            flushingRatio.Add(through["bytes_per_second"] / flushed);
            user.Add(through["user_ns_per_request"]);
            system.Add(through["system_ns_per_request"]);
            double least = LeastWork.Nanoseconds();
            copy.Add(least);
            cpu.Add(through["user_ns_per_request"] / least);
        }
        Table table = report.Add("Random writes on a file as fast as it is",
            "`weir bench writeboost --job randwrite --memory 256M`, depth 32, beside fio `--rw=write --bs=1M "
            + "--iodepth=8 --direct=1` on a file beside it, and the same with `" + FlushedAsTheLog + "`: the log "
            + "flushes when "
            + "half of its 32 segments in memory wait for that. Processor time of the whole process, its frontend's "
            + "part included.",
            "", "value", "±");
        setting.Row(table, "writeboost, random 4 KiB, MB/s", client);
        setting.Row(table, "fio, sequential 1 MiB, MB/s", device);
        setting.Row(table, "fio, the same with a flush after every 16, MB/s", flushing);
        setting.Row(table, "user ns for each write", user);
        setting.Row(table, "kernel ns for each write", system);
        setting.Row(table, "4 KiB copied and checked, cold, ns", copy);
        report.Judge("P2", "random 4 KiB writes / fio sequential on the same file system", ratio.Median, 0.80);
        report.Judge("P2", "the same / fio that flushes as often as the log", flushingRatio.Median, 0.80);
        report.Judge("P3", "user time of a 4 KiB write / a copy and a CRC32C of it", cpu.Median, 2.0, atLeast: false);
        report.Judge("P3", "user time of a 4 KiB write, us", user.Median / 1000, 1.2, atLeast: false);
    }

    private double SequentialWrites(int round, params string[] more) => setting.Fio.OnFile(
        new FioJob("write 1M QD8", ["--rw=write", "--bs=1M", "--iodepth=8", .. more]),
        setting.Scratch.NewFile("plain", LargeCacheBytes), "100%", Seconds, round).BytesPerSecond;

    private void ReadHits()
    {
        Samples hits = new(), device = new(), ratio = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            (string cache, string backing) = Fresh();
            double through = setting.Weir.Run(
                Job(cache, backing, "--job", "randread", "--size", "1G", "--fill"))["iops"];
            double alone = setting.Fio.OnFile(FioJob.Find("randread 4k QD32"), cache, "1G", Seconds, round).Iops;
            hits.Add(through);
            device.Add(alone);
            ratio.Add(through / alone);
        }
        Table table = report.Add("Read hits from the cache device",
            "`weir bench writeboost --job randread --size 1G --fill`, depth 32, beside fio `--rw=randread --bs=4k "
            + "--iodepth=32 --direct=1` on the same cache file.", "", "IOPS", "±");
        setting.Row(table, "writeboost", hits);
        setting.Row(table, "fio on the cache file", device);
        report.Judge("P4", "read hits / fio on the cache file", ratio.Median, 0.95);
    }

    private void Syncs()
    {
        Samples one = new(), many = new(), raw = new(), ratio = new(), perByte = new();
        FioJob loop = new("pwrite and fdatasync", "--rw=randwrite", "--bs=4k", "--iodepth=1", "--fdatasync=1");
        for (int round = 0; round < setting.Rounds; round++)
        {
            // Written once: the file system has nothing left to note down when it is written again.
            string cache = setting.Scratch.NewWritten("cache", SyncBytes);
            string backing = setting.Scratch.NewSparse("backing", BackingBytes);
            Dictionary<string, double> single = setting.Weir.Run(
                Job(cache, backing, "--job", "randwrite", "--sync", "--depth", "1"));
            Dictionary<string, double> group = setting.Weir.Run(
                Job(cache, backing, "--job", "randwrite", "--sync", "--depth", "32"));
            string plain = setting.Scratch.NewWritten("plain", SyncBytes);
            double alone = setting.Fio.OnFile(loop, plain, "64M", Seconds, round).Iops;
            one.Add(single["iops"]);
            many.Add(group["iops"]);
            raw.Add(alone);
            ratio.Add(group["iops"] / alone);
            perByte.Add(single["volume_log_bytes_written"] / single["volume_write_bytes"]);
        }
        Table table = report.Add("A write and a flush, again and again",
            "`weir bench writeboost --job randwrite --sync --depth 1` and `--depth 32`, beside fio `--rw=randwrite "
            + "--bs=4k --iodepth=1 --fdatasync=1 --direct=1`.", "", "a second", "±");
        setting.Row(table, "writeboost, one writer", one);
        setting.Row(table, "writeboost, 32 writers", many);
        setting.Row(table, "fio, one writer on a file", raw);
        report.Judge("P7", "32 writers with a flush each / a pwrite and fdatasync loop", ratio.Median, 10);
        report.Judge("P13", "log bytes for each byte written, 4 KiB and a flush", perByte.Median, 2.13, atLeast: false);
    }

    private static string[] ShortJob(string cache, string queues) =>
        ["writeboost", "--cache", cache, "--backing", "b=ram:1G", "--option", "allow_writeback=0", "--job", "randwrite",
            "--size", "1G", "--queues", queues, "--warm-up", "0.4", "--seconds", "0.7"];

    private void TwoThreads()
    {
        // The log must not be full before the time is over: twice the room for twice the writes.
        string[] one = ShortJob("ram:5G", "1"), both = ShortJob("ram:10G", "2");
        Samples shared = new(), apart = new(), ratio = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            double together = setting.Weir.Run(both)["iops"];
            Task<double> other = Task.Run(() => setting.OtherWeir.Run(one)["iops"]);
            double alone = setting.Weir.Run(one)["iops"] + other.Result;
            shared.Add(together);
            apart.Add(alone);
            ratio.Add(together / alone);
        }
        Table table = report.Add("Two threads on one engine",
            "`weir bench writeboost --cache ram:10G --backing ram:1G --job randwrite --queues 2`, beside two such "
            + "processes with `--queues 1` and `--cache ram:5G`.", "", "IOPS", "±");
        setting.Row(table, "one engine, two queues", shared);
        setting.Row(table, "two engines", apart);
        report.Judge("P11", "two queues on one engine / two engines", ratio.Median, 0.9);
    }
}
