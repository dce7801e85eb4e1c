using System;
using System.Diagnostics;
using System.IO;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Bench.Suites;

/// <summary>
/// What a larger cache costs at the start and in memory: sparse files with a header in each segment, scanned as after a
/// crash, beside fio on the same headers, 64 reads of 4 KiB at a time.
/// </summary>
internal sealed unsafe class RecoverySuite(Setting setting, Report report)
{
    private const int SegmentBytes = 1 << 20, ScanSegmentBytes = 512 << 10, ScanSegments = 64 << 10;
    private const int Lookups = 1 << 21;

    private static readonly int[] s_gibibytes = [1, 4, 16, 64];

    /// <summary>All of it.</summary>
    public void Run()
    {
        Scan();
        Grow();
    }

    // The headers alone, their entries void: what reading them costs.
    private void Scan()
    {
        string path = setting.Scratch.PathOf("log");
        LogImage.Make(path, ScanSegments, ScanSegmentBytes, EntryKind.Void);
        Samples scan = new(), fio = new(), ratio = new();
        // Only what was written: the file has holes between the headers, and a hole is not read from any disk.
        FioJob job = new("the same headers", "--rw=randread", "--bs=4k", $"--blockalign={ScanSegmentBytes >> 10}k",
            $"--offset={Geometry.SuperblockRegionBytes >> 20}M", "--iodepth=64", "--readonly");
        for (int round = 0; round < setting.Rounds; round++)
        {
            using Recovered recovered = new(path);
            double ours = ScanSegments / recovered.Seconds;
            double theirs = setting.Fio.OnFile(job, path, "32G", setting.Seconds, round).Iops;
            scan.Add(ours);
            fio.Add(theirs);
            ratio.Add(ours / theirs);
        }
        Table table = report.Add("Reading the headers of a log",
            $"A log of 32 GiB with {ScanSegments} headers; fio `{string.Join(' ', job.Arguments)} --direct=1`.",
            "", "headers a second", "±");
        setting.Row(table, "recovery", scan);
        setting.Row(table, "fio", fio);
        report.Judge("P14", "headers a second of a recovery / fio on the same headers", ratio.Median, 0.9);
        File.Delete(path);
    }

    private void Grow()
    {
        Table table = report.Add("What a larger cache costs",
            "Sparse caches with segments of 1 MiB, full of blocks at random, opened as after a crash.",
            "GiB", "recovery s", "blocks", "RAM MiB", "RAM bytes a block", "look-up ns");
        double perBlock = 0;
        foreach (int gibibytes in s_gibibytes)
        {
            string path = setting.Scratch.PathOf("log");
            LogImage.Make(path, gibibytes << 10, SegmentBytes, EntryKind.Data);
            using Recovered recovered = new(path);
            double bytes = recovered.Index.NodeBytes + recovered.Index.HeadBytes;
            perBlock = bytes / recovered.Geometry.SlotCount;
            table.Rows.Add([
                Report.Number(gibibytes), Report.Number(recovered.Seconds), Report.Number(recovered.Entries),
                Report.Number(bytes / (1 << 20)), Report.Number(perBlock), Report.Number(recovered.LookupNs(Lookups))]);
            File.Delete(path);
        }
        report.Judge("P12", "bytes of RAM for each cached block of 4 KiB", perBlock, 16, atLeast: false);
    }

    // A cache whose index has been made anew from its log.
    private sealed class Recovered : IDisposable
    {
        private readonly SegmentTable _table;

        public Recovered(string path)
        {
            using RingContext io = new();
            using Device cache = DeviceOpener.Open(path, readOnly: true);
            BlockingIo blocking = new(io);
            DeviceQueue queue = cache.OpenQueue(io);
            Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out _);
            superblock.Epoch = 0;
            Geometry = Layout.Native.GeometryOf(superblock);
            _table = new SegmentTable(Geometry);
            Index = new BlockIndex(Geometry, _table, keepChecksums: false);
            using RangeMap ranges = new(16);
            Replay replay = new(Geometry, _table, Index, ranges);
            using ILogScan scan = LogScans.New(
                Layout.Native, superblock, Geometry, blocking, queue, cache, replay, readsData: false);
            long startedAt = Stopwatch.GetTimestamp();
            scan.Run();
            Seconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
            Entries = replay.EntryCount;
            long expected = Geometry.SegmentCount + 1L;
            if (scan.NextSequence != expected)
                throw new InvalidOperationException($"the scan ended at record {scan.NextSequence}, not {expected}");
        }

        public Geometry Geometry { get; }

        public BlockIndex Index { get; }

        public double Seconds { get; }

        public long Entries { get; }

        public double LookupNs(int count)
        {
            BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
            ulong random = 7;
            long startedAt = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                random = (random ^ (random >> 29)) * 0xBF58476D1CE4E5B9;
                int found = Index.Lookup((1UL << 40) | (random >> 36), versions);
                for (int v = 0; v < found; v++)
                    if (versions[v].Ram < 0) _table.Unpin((int)(versions[v].Slot >> Geometry.SlotShift), 1);
            }
            return Stopwatch.GetElapsedTime(startedAt).TotalNanoseconds / count;
        }

        public void Dispose()
        {
            Index.Dispose();
            _table.Dispose();
        }
    }
}
