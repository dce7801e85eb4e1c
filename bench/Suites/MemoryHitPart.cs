using System.Collections.Generic;
using System.Globalization;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// Reads of what Weir has in memory (P6): the segment of the log that is being filled. Segments before it are read from
/// the cache device once they are there.
/// </summary>
internal sealed class MemoryHitPart(Setting setting, Report report)
{
    private const string Read = "randread 4k QD32";
    private const long FileBytes = 1L << 30, CacheBytes = 64L << 20;

    /// <summary>All of it.</summary>
    public void Run()
    {
        Peers peers = new(setting);
        Samples share = new();
        Contest contest = new(setting, peers.OfMemory(FileBytes, CacheBytes), [[Read]], "768K")
        {
            Done = peer =>
            {
                if (peer.Name == Peers.Weir) share.Add(ShareInMemory(peers.Status()));
            },
        };
        for (int round = 0; round < setting.Rounds; round++) contest.Run(round);
        contest.Outcomes.Show(report, "Reads from memory", "768 KiB were written before, less than a segment of the "
            + "log. Weir answered "
            + $"{share.Median.ToString("P0", CultureInfo.InvariantCulture)} of the blocks from memory, by its status.");
        report.Judge("P6", "NBD read hits in RAM, depth 32 / nbdkit memory",
            contest.Outcomes.Iops(Read, Peers.Weir) / contest.Outcomes.Iops(Read, Peers.Memory), 1.10);
    }

    private static double ShareInMemory(Dictionary<string, double> status) =>
        status["blocks_read_ram"] / (status["blocks_read_ram"] + status["blocks_read_cache"]
            + status["blocks_read_backing"]);
}
