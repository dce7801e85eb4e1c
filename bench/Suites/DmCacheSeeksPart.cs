using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// The seed's own test, <c>maxiops</c>: 10,000 writes of 4 KiB at random places of 1 GiB, through caches of four sizes,
/// with the whole device discarded before and without (seed 002, L16109-16176).
/// </summary>
internal sealed class DmCacheSeeksPart(Setting setting, Report report)
{
    private const long BackingBytes = 1L << 30, MetadataBytes = 32L << 20;
    private const string Span = "1G";

    private static readonly FioJob s_seeks =
        new("maxiops", "--rw=randwrite", "--bs=4k", "--iodepth=32", "--number_ios=10000");

    private static readonly FioJob s_discard = new("discard", "--rw=trim", "--bs=16M", "--iodepth=4");

    // What the seed says of its runs with discard.
    private static readonly (int MiB, double SeedSeconds)[] s_sizes = [(128, 32), (256, 23), (512, 13.5), (1024, 3.4)];

    private readonly string _model = $"slow:{setting.Scratch.PathOf("disk")}?seek=2ms&bandwidth=150M";

    private sealed record Cost(double Seconds, double AgainSeconds, double HitPercent, double AgainHitPercent);

    /// <summary>All of it, once: a minute or two of a modelled disk.</summary>
    public void Run()
    {
        Table table = report.Add("dmcache: the seed's test maxiops",
            $"fio `{string.Join(' ', s_seeks.Arguments)}` over NBD on 1 GiB before a modelled disk "
            + "(`seek=2ms&bandwidth=150M`), blocks of 256 KiB; then the same writes again. Hits: writes that met a "
            + "cached block, in percent. Seed: its own seconds on its own disk, with discard; without it cached "
            + "nothing.",
            "cache", "discarded: s", "again", "hits", "again", "not discarded: s", "again", "hits", "again", "seed: s",
            "seed, times the largest cache", "discarded, times the largest cache");
        Cost[] discarded = [.. s_sizes.Select(size => Measure(size.MiB, discards: true))];
        Cost[] plain = [.. s_sizes.Select(size => Measure(size.MiB, discards: false))];
        for (int i = 0; i < s_sizes.Length; i++)
            table.Rows.Add([$"{s_sizes[i].MiB} MiB", .. Cells(discarded[i]), .. Cells(plain[i]),
                Report.Number(s_sizes[i].SeedSeconds), Report.Number(s_sizes[i].SeedSeconds / s_sizes[^1].SeedSeconds),
                Report.Number(discarded[i].Seconds / discarded[^1].Seconds)]);
        table.Rows.Add(["no cache", Report.Number(Uncached()), .. Enumerable.Repeat("", table.Columns.Count - 2)]);
        Judge(discarded, plain);
    }

    private static IEnumerable<string> Cells(Cost cost) => new[]
        { cost.Seconds, cost.AgainSeconds, cost.HitPercent, cost.AgainHitPercent }.Select(Report.Number);

    private void Judge(Cost[] discarded, Cost[] plain)
    {
        double least = double.MaxValue;
        for (int i = 1; i < discarded.Length; i++)
            least = System.Math.Min(least, discarded[i - 1].Seconds / discarded[i].Seconds);
        report.Judge("maxiops", "discarded before: time / that of the next larger cache, the least", least, 1);
        report.Judge("maxiops", "not discarded: percent of hits in the smallest cache", plain[0].HitPercent, 1);
        report.Judge("maxiops", "not discarded, again: percent of hits in the largest", plain[^1].AgainHitPercent, 90);
    }

    private Cost Measure(int mebibytes, bool discards)
    {
        setting.Scratch.NewWritten("disk", BackingBytes);
        string cache = setting.Scratch.NewWritten("cache", (long)mebibytes << 20);
        using ServedCache served = new(setting.Weir.Binary, setting.Scratch, "dmcache", "--cache", cache, "--metadata",
            setting.Scratch.NewFile("metadata", MetadataBytes), "--backing", "b=" + _model, "--block-size", "256K");
        if (discards) setting.Fio.OnNbd(s_discard, served.Uri, Span, 0, 0);
        (double seconds, double hits) = Seek(served);
        (double again, double againHits) = Seek(served);
        System.Console.WriteLine($"bench: maxiops, {mebibytes} MiB{(discards ? ", discarded" : "")}");
        return new Cost(seconds, again, hits, againHits);
    }

    private (double Seconds, double HitPercent) Seek(ServedCache served)
    {
        Dictionary<string, double> before = served.Status();
        FioResult result = setting.Fio.OnNbd(s_seeks, served.Uri, Span, 0, seed: 1);
        Dictionary<string, double> after = served.Status();
        double hits = after["write_hits"] - before["write_hits"];
        double misses = after["write_misses"] - before["write_misses"];
        return (result.Requests / result.Iops, 100 * hits / (hits + misses));
    }

    private double Uncached()
    {
        setting.Scratch.NewWritten("disk", BackingBytes);
        using ServedCache served = new(setting.Weir.Binary, setting.Scratch, "passthrough", "--backing", "b=" + _model);
        FioResult result = setting.Fio.OnNbd(s_seeks, served.Uri, Span, 0, seed: 1);
        return result.Requests / result.Iops;
    }
}
