using System.Collections.Generic;
using System.Globalization;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// Against servers that do nothing (P5) or only have memory (P6): what a server's own path costs. Write-back is held.
/// </summary>
internal sealed class TransportPart(Setting setting, Report report)
{
    private const string Write = "randwrite 4k QD32", Read = "randread 4k QD32";
    // More than a client writes in the time.
    private const long FileBytes = 1L << 30, CacheBytes = 2L << 30, SmallCacheBytes = 64L << 20;

    private readonly Peers _peers = new(setting);

    /// <summary>All of it.</summary>
    public void Run()
    {
        Samples share = new();
        Contest writes = new(setting, _peers.AgainstNull(FileBytes, CacheBytes), [Write], NbdSuite.Span);
        Contest reads = new(setting, _peers.AgainstMemory(FileBytes, SmallCacheBytes), [Read], "768K")
        {
            Done = peer =>
            {
                if (peer.Name == Peers.Weir) share.Add(ShareInMemory(_peers.Status()));
            },
        };
        for (int round = 0; round < setting.Rounds; round++)
        {
            writes.Run(round);
            reads.Run(round);
        }
        Judge(writes.Outcomes, reads.Outcomes, share.Median);
    }

    private void Judge(Outcomes writes, Outcomes reads, double share)
    {
        writes.Show(report, "Random writes beside a server that does nothing", "Write-back is held "
            + "(`--option allow_writeback=0`), the log has room.");
        report.Judge("P5", "NBD random writes, depth 32 / nbdkit null",
            writes.Iops(Write, Peers.Weir) / writes.Iops(Write, Peers.Null), 1.10);
        report.Judge("P5", "server processor time of a write / nbdkit null",
            writes.CpuUs(Write, Peers.Weir) / writes.CpuUs(Write, Peers.Null), 0.5, atLeast: false);
        reads.Show(report, "Reads from memory", "768 KiB were written before: less than the segment of the log that is "
            + "being filled, which is in memory; those before it are read from the cache device once they are there. "
            + $"Weir answered {share.ToString("P0", CultureInfo.InvariantCulture)} of the blocks from memory, by its "
            + "status.");
        report.Judge("P6", "NBD read hits in RAM, depth 32 / nbdkit memory",
            reads.Iops(Read, Peers.Weir) / reads.Iops(Read, Peers.Memory), 1.10);
    }

    private static double ShareInMemory(Dictionary<string, double> status) =>
        status["blocks_read_ram"] / (status["blocks_read_ram"] + status["blocks_read_cache"]
            + status["blocks_read_backing"]);
}
