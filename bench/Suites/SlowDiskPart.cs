using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// Caches before a modelled slow disk, with equal memory and a working set twice as large (P8).
/// </summary>
internal sealed class SlowDiskPart(Setting setting, Report report)
{
    private const string Sync = "randwrite 4k + fsync", Span = "256M", Title = "Over NBD, before a modelled slow disk";
    private const long DiskBytes = 8L << 30, CacheBytes = 4L << 30, MemoryBytes = 128L << 20;

    // Full speed comes last: what it leaves to be written back is in the way of others. What flushes comes before all
    // other random writes, when nothing waits for a flush but what it writes itself.
    private static readonly string[] s_jobs =
    [
        "randread 4k QD1", "randread 4k QD32", "randread 4k QD32 x2", "randread miss 4k QD32",
        "zipf 1.2 read 4k QD32", "read 256k QD8", "read 1M QD4", Sync, "randwrite 4k QD1", "randrw 70/30 4k QD32",
        "randwrite 4k QD32", "randwrite 4k QD32 x2", "write 256k QD8", "write 1M QD4",
    ];

    /// <summary>All of it.</summary>
    public void Run()
    {
        string model = $"slow:{setting.Scratch.NewSparse("disk", DiskBytes)}?seek=8ms&bandwidth=150M";
        Peers all = new(setting, MemoryBytes);
        IReadOnlyList<Peer> peers = all.OnDisk(model, CacheBytes);
        Contest contest = new(setting, peers, s_jobs, Span)
        {
            // Others write back when the fill is flushed.
            Filled = peer =>
            {
                if (peer.Name == Peers.Weir) all.AwaitDrained();
            },
        };
        for (int round = 0; round < setting.Rounds; round++) contest.Run(round);
        contest.Outcomes.Show(report, Title, Note());
        contest.Outcomes.ShowMemory(report, Title + ": memory", "What the limit of 128 MiB meant. A group that is full "
            + "drops page cache; a process is killed when there is nothing left to drop.");
        Judge(contest, [.. peers.Where(static peer => peer.IsRival).Select(static peer => peer.Name)]);
    }

    private static string Note()
    {
        using MemoryGroup? probe = MemoryGroup.TryMake(MemoryBytes);
        return "A disk of 8 ms a seek and 150 MiB/s (`slow:FILE?seek=8ms&bandwidth=150M`) of 8 GiB, exported by `weir "
            + "serve passthrough` to those that cannot model it. A working set of 256 MiB, written once, flushed "
            + "and written back before. " + (probe == null
                ? "No memory limit: this process may not make a control group. "
                : "Each server has 128 MiB of memory, page cache and shared memory included; the disk is outside. ")
            + "Weir has a cache file of 4 GiB, written once before like a device, and goes past the page cache; "
            + "nbdkit's cache filter (cache=writeback, its default) has a temporary file beside it, as large as it "
            + "likes, through the page cache. The jobs are too short to fill either; a full cache is shown further "
            + "down. The caching peer of the targets is that filter: the cow filter keeps all writes in a file that "
            + "goes with it, so that its flush promises nothing.";
    }

    private void Judge(Contest contest, string[] rivals)
    {
        (string Job, double Ratio, double Limit) worst = ("", double.PositiveInfinity, 1);
        foreach (string job in s_jobs)
        {
            double best = rivals.Select(rival => contest.Outcomes.Iops(job, rival))
                .Where(static iops => !double.IsNaN(iops)).DefaultIfEmpty(double.NaN).Max();
            double ratio = contest.Outcomes.Iops(job, Peers.Weir) / best;
            double limit = job == Sync ? 5 : 1;
            report.Judge("P8", $"slow disk, {job} / the best caching peer", ratio, limit);
            // What could not be measured is worse than any figure.
            if (double.IsNaN(ratio) || ratio / limit < worst.Ratio / worst.Limit) worst = (job, ratio, limit);
        }
        report.Judge("P8", $"slow disk, the worst row: {worst.Job}", worst.Ratio, worst.Limit);
    }
}
