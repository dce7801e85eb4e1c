using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>What each peer did in each job.</summary>
internal sealed class Outcomes
{
    private readonly Setting _setting;
    private readonly IReadOnlyList<Peer> _peers;
    private readonly Dictionary<(string Job, string Peer), Cell> _cells = [];

    /// <summary>Empty.</summary>
    public Outcomes(Setting setting, IReadOnlyList<string> jobs, IReadOnlyList<Peer> peers)
    {
        (_setting, Jobs, _peers) = (setting, jobs, peers);
        foreach (string job in jobs)
            foreach (Peer peer in peers) _cells[(job, peer.Name)] = new Cell();
    }

    /// <summary>Rows.</summary>
    public IReadOnlyList<string> Jobs { get; }

    /// <summary>One round of one of them.</summary>
    public void Add(string job, string peer, FioResult result, double cpuSeconds)
    {
        Cell cell = _cells[(job, peer)];
        cell.Iops.Add(result.Iops);
        cell.P50Us.Add(result.P50Us);
        cell.P99Us.Add(result.P99Us);
        cell.P999Us.Add(result.P999Us);
        cell.CpuUs.Add(cpuSeconds * 1e6 / result.Requests);
        cell.Megabytes.Add(result.BytesPerSecond / 1e6);
    }

    /// <summary>Median of requests a second.</summary>
    public double Iops(string job, string peer) => _cells[(job, peer)].Iops.Median;

    /// <summary>Median of the server's microseconds of processor time for each request.</summary>
    public double CpuUs(string job, string peer) => _cells[(job, peer)].CpuUs.Median;

    /// <summary>A table for each job, and one chart over all.</summary>
    public void Show(Report report, string title, string note)
    {
        report.Add(new Chart(title, "requests a second, each job against its best", Jobs,
            [.. _peers.Select(peer => new Series(peer.Name, [.. Jobs.Select(job => Iops(job, peer.Name))]))]));
        foreach (string job in Jobs)
        {
            string command = "`fio " + string.Join(' ', FioJob.Find(job).Arguments) + "`";
            Table table = report.Add($"{title}: {job}", $"{note} {command}", "", "IOPS", "±", "MB/s", "p50 us",
                "p99 us", "p99.9 us", "server CPU s per million");
            foreach (Peer peer in _peers) table.Rows.Add(RowOf(peer.Name, _cells[(job, peer.Name)]));
        }
    }

    private static string[] RowOf(string name, Cell cell) =>
    [
        name, Report.Number(cell.Iops.Median), Setting.Deviation(cell.Iops), Report.Number(cell.Megabytes.Median),
        Report.Number(cell.P50Us.Median), Report.Number(cell.P99Us.Median), Report.Number(cell.P999Us.Median),
        Report.Number(cell.CpuUs.Median),
    ];

    private sealed class Cell
    {
        public Samples Iops { get; } = new();

        public Samples Megabytes { get; } = new();

        public Samples P50Us { get; } = new();

        public Samples P99Us { get; } = new();

        public Samples P999Us { get; } = new();

        public Samples CpuUs { get; } = new();
    }
}
