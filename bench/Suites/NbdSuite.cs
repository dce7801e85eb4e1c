using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>fio over NBD on a Unix socket: Weir and its neighbours, in turns, on files of one folder.</summary>
internal sealed class NbdSuite(Setting setting, Report report)
{
    private const long FileBytes = 1L << 30;
    private const string Span = "256M";
    private const string DiskSpan = "128M";
    private const long DiskBytes = 1L << 30, DiskCacheBytes = 512L << 20;

    private static readonly string[] s_fileJobs =
    [
        "randwrite 4k QD1", "randwrite 4k QD32", "randwrite 4k + fsync", "randread 4k QD1", "randread 4k QD32",
        "randrw 70/30 4k QD32", "write 256k QD8", "read 256k QD8", "randwrite 4k QD32 x2",
    ];

    private static readonly string[] s_diskJobs =
    [
        "randwrite 4k QD32", "randwrite 4k + fsync", "randread 4k QD32", "randrw 70/30 4k QD32",
        "zipf 1.2 read 4k QD32", "write 256k QD8", "read 256k QD8",
    ];

    private readonly Peers _peers = new(setting);

    /// <summary>All of it.</summary>
    public void Run()
    {
        OnFiles();
        OnTheDisk();
    }

    private void OnFiles()
    {
        IReadOnlyList<Peer> peers = _peers.OnFile(FileBytes);
        Outcomes outcomes = new(setting, s_fileJobs, peers);
        Samples rawReads = new(), rawSyncs = new();
        for (int round = 0; round < setting.Rounds; round++)
        {
            foreach (Peer peer in peers) Measure(peer, outcomes, Span, round);
            string file = setting.Scratch.NewFile("raw", FileBytes);
            setting.Fio.OnFile(new FioJob("fill", "--rw=write", "--bs=1M", "--iodepth=8"), file, Span, 0, round);
            rawReads.Add(setting.Fio.OnFile(FioJob.Find("randread 4k QD32"), file, Span, setting.Seconds, round).Iops);
            rawSyncs.Add(setting.Fio.OnFile(
                new FioJob("loop", "--rw=randwrite", "--bs=4k", "--fdatasync=1"), file, Span, setting.Seconds, round)
                .Iops);
        }
        outcomes.Show(report, "Over NBD, before a plain file",
            "fio `--ioengine=nbd` on a Unix socket; each server on fresh files, its whole span written once before.");
        JudgeFiles(outcomes, rawReads, rawSyncs);
    }

    private void JudgeFiles(Outcomes outcomes, Samples rawReads, Samples rawSyncs)
    {
        const string write = "randwrite 4k QD32", read = "randread 4k QD32", sync = "randwrite 4k + fsync";
        double Of(string job, string peer) => outcomes.Iops(job, peer);
        report.Judge("P5", "NBD random writes / nbdkit null", Of(write, Peers.Weir) / Of(write, "nbdkit null"), 1.10);
        report.Judge("P5", "server processor time of a write / nbdkit null",
            outcomes.CpuUs(write, Peers.Weir) / outcomes.CpuUs(write, "nbdkit null"), 0.5, atLeast: false);
        report.Judge("P6", "NBD read hits / the smaller of nbdkit memory and fio on the file",
            Of(read, Peers.Weir) / Math.Min(Of(read, "nbdkit memory"), rawReads.Median), 0.95);
        report.Judge("P7", "NBD write and flush / a pwrite and fdatasync loop on a file",
            Of(sync, Peers.Weir) / rawSyncs.Median, 0.75);
    }

    private void OnTheDisk()
    {
        string model = $"slow:{setting.Scratch.NewFile("disk", DiskBytes)}?seek=8ms&bandwidth=150M";
        IReadOnlyList<Peer> peers = _peers.OnDisk(model, _peers.DiskSocket, DiskCacheBytes);
        Outcomes outcomes = new(setting, s_diskJobs, peers);
        for (int round = 0; round < setting.Rounds; round++)
        {
            foreach (Peer peer in peers)
            {
                bool hasModel = peer.Name.StartsWith("weir", StringComparison.Ordinal);
                using NbdServer? disk = hasModel ? null : _peers.ExportDisk(model);
                Measure(peer, outcomes, DiskSpan, round);
            }
        }
        outcomes.Show(report, "Over NBD, before a modelled slow disk",
            "A disk of 8 ms a seek and 150 MiB/s (`slow:FILE?seek=8ms&bandwidth=150M`), exported by `weir serve "
            + "passthrough` to those that cannot model it. Each server's whole span is written once before.");
        List<Peer> rivals = [.. peers.Where(static peer => peer.IsRival)];
        foreach (string job in s_diskJobs)
            report.Judge("P8", $"slow disk, {job} / the best caching peer",
                outcomes.Iops(job, Peers.Weir) / rivals.Max(rival => outcomes.Iops(job, rival.Name)),
                job == "randwrite 4k + fsync" ? 5 : 1);
    }

    private void Measure(Peer peer, Outcomes outcomes, string span, int round)
    {
        using NbdServer server = peer.Start();
        setting.Fio.OnNbd(new FioJob("fill", "--rw=write", "--bs=1M", "--iodepth=4"), server.Uri, span, 0, round);
        foreach (string name in outcomes.Jobs)
        {
            double cpu = server.CpuSeconds;
            FioResult result = setting.Fio.OnNbd(FioJob.Find(name), server.Uri, span, setting.Seconds, round + 1);
            outcomes.Add(name, peer.Name, result, server.CpuSeconds - cpu);
        }
        Console.WriteLine($"bench: round {round + 1}: {peer.Name}");
    }
}
