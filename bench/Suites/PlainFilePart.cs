using System;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>Servers before a plain file: what the transport and the server itself cost (P6, P7).</summary>
internal sealed class PlainFilePart(Setting setting, Report report)
{
    private const string Read = "randread 4k QD32", Sync = "randwrite 4k + fsync";
    private const long FileBytes = 1L << 30, CacheBytes = 2L << 30, RawBytes = 512L << 20;

    private static readonly string[] s_jobs =
    [
        Sync, "randread 4k QD1", Read, "randread 4k QD32 x2", "randread miss 4k QD32", "zipf 1.2 read 4k QD32",
        "read 256k QD8", "read 1M QD4", "randwrite 4k QD1", "randwrite 4k QD32",
        "randwrite 4k QD32 x2", "randrw 70/30 4k QD32", "write 256k QD8", "write 1M QD4",
    ];

    /// <summary>All of it.</summary>
    public void Run()
    {
        Contest contest = new(setting, new Peers(setting).OnFile(FileBytes, CacheBytes), s_jobs, NbdSuite.Span);
        Samples reads = new(), syncs = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            string file = setting.Scratch.NewWritten("raw", RawBytes);
            FioJob loop = new("loop", "--rw=randwrite", "--bs=4k", "--fdatasync=1");
            reads.Add(Alone(FioJob.Find(Read), file, round));
            syncs.Add(Alone(loop, file, round));
            contest.Run(round);
        }
        Show(contest.Outcomes, reads, syncs);
        Judge(contest.Outcomes, reads.Median, syncs.Median);
    }

    private double Alone(FioJob job, string file, int round) =>
        setting.Fio.OnFile(job, file, NbdSuite.Span, NbdSuite.SecondsOf(setting), round).Iops;

    private void Show(Outcomes outcomes, Samples reads, Samples syncs)
    {
        outcomes.Show(report, "Over NBD, before a plain file",
            "fio `--ioengine=nbd` on a Unix socket; each server on fresh files, its span of 256 MiB written once and "
            + "flushed before. Weir's cache file of 2 GiB has been written once before, like a device; what misses "
            + "read was written to the file before the server started.");
        Table table = report.Add("The file alone", "fio `--ioengine=io_uring --direct=1` on a file of 512 MiB beside "
            + "them that has been written once: random reads of 4 KiB at depth 32, and 4 KiB with `--fdatasync=1`.",
            "", "a second", "±");
        setting.Row(table, "random reads, depth 32", reads);
        setting.Row(table, "pwrite and fdatasync, again and again", syncs);
    }

    private void Judge(Outcomes outcomes, double reads, double syncs)
    {
        report.Judge("P6", "NBD read hits, depth 32 / the smaller of nbdkit memory and fio on a file",
            outcomes.Iops(Read, Peers.Weir) / Math.Min(outcomes.Iops(Read, Peers.Memory), reads), 0.95);
        report.Judge("P7", "NBD write and flush, depth 1 / a pwrite and fdatasync loop on a file",
            outcomes.Iops(Sync, Peers.Weir) / syncs, 0.75);
    }
}
