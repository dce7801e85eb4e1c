using System.IO;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Core.Writeboost.Format;

namespace Weir.Bench.Suites;

/// <summary>
/// How fast the headers of a log are read: its scan after a crash, beside fio on the same headers, 64 reads of 4 KiB at
/// a time.
/// </summary>
internal sealed class RecoverySuite(Setting setting, Report report)
{
    private const int SegmentBytes = 512 << 10, Segments = 64 << 10;

    // Only what was written: the file has holes between the headers, and a hole is not read from any disk.
    private static readonly FioJob s_headers = new("the same headers", "--rw=randread", "--bs=4k",
        $"--blockalign={SegmentBytes >> 10}k", $"--offset={Geometry.SuperblockRegionBytes >> 20}M", "--iodepth=64",
        "--readonly");

    /// <summary>All of it.</summary>
    public void Run()
    {
        string path = setting.Scratch.PathOf("log");
        // Void entries: what reading and checking them costs.
        LogImage.Make(path, Segments, SegmentBytes, EntryKind.Void);
        Samples scan = new(), fio = new(), ratio = new(), indexed = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            double ours = HeadersPerSecond(path);
            double theirs = setting.Fio.OnFile(s_headers, path, "32G", setting.Seconds, round).Iops;
            scan.Add(ours);
            fio.Add(theirs);
            ratio.Add(ours / theirs);
        }
        LogImage.Make(path, Segments, SegmentBytes, EntryKind.Data);
        for (int round = 0; round < setting.Rounds; round++) indexed.Add(HeadersPerSecond(path));
        File.Delete(path);
        Table table = report.Add("Reading the headers of a log",
            $"A log of 32 GiB, {Segments} headers written every {SegmentBytes >> 10} KiB and nothing between them, "
            + $"read past the page cache; fio `{string.Join(' ', s_headers.Arguments)} --direct=1` reads headers only.",
            "", "headers a second", "±");
        setting.Row(table, "recovery, empty records", scan);
        setting.Row(table, "fio", fio);
        setting.Row(table, $"recovery, {LogImage.Entries(Segments, SegmentBytes) / Segments} blocks each", indexed);
        report.Judge("P14", "headers a second of a recovery / fio on the same headers", ratio.Median, 0.9);
    }

    private static double HeadersPerSecond(string path)
    {
        using RecoveredIndex recovered = new(path);
        return Segments / recovered.Seconds;
    }
}
