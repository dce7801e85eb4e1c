using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>What each peer did in each job; a peer may have been spared a job.</summary>
/// <param name="jobs">Rows of charts, one table for each.</param>
/// <param name="peers">All of them.</param>
internal sealed class Outcomes(IReadOnlyList<string> jobs, IReadOnlyList<Peer> peers)
{
    private const double LeastCpuSeconds = 0.05;

    private readonly Dictionary<(string Job, string Peer), Cell> _cells = [];
    private readonly Dictionary<string, Memory> _memories = [];
    private readonly List<(string Peer, string What)> _failures = [];

    /// <summary>One round of one of them.</summary>
    public void Add(string job, string peer, FioResult result, double cpuSeconds)
    {
        if (!_cells.TryGetValue((job, peer), out Cell? cell)) _cells[(job, peer)] = cell = new Cell();
        cell.Iops.Add(result.Iops);
        cell.P50Us.Add(result.P50Us);
        cell.P99Us.Add(result.P99Us);
        cell.P999Us.Add(result.P999Us);
        // The kernel counts in ticks of 10 ms: a few of them say nothing.
        if (cpuSeconds >= LeastCpuSeconds) cell.CpuUs.Add(cpuSeconds * 1e6 / result.Requests);
        cell.Megabytes.Add(result.BytesPerSecond / 1e6);
    }

    /// <summary>What the limit of memory meant to a server that is about to end.</summary>
    public void Add(string peer, MemoryGroup group)
    {
        _memories.TryGetValue(peer, out Memory before);
        _memories[peer] = new Memory(Math.Max(before.PeakBytes, group.PeakBytes),
            Math.Max(before.TimesFull, group.TimesFull), before.Killed + group.Killed);
    }

    /// <summary>A server, or a client of it, ended in a way it should not have.</summary>
    public void Fail(string peer, string what) => _failures.Add((peer, what));

    /// <summary>Median of requests a second; NaN when it did not do that job.</summary>
    public double Iops(string job, string peer) => Find(job, peer)?.Iops.Median ?? double.NaN;

    /// <summary>Median of the server's microseconds of processor time for each request.</summary>
    public double CpuUs(string job, string peer) => Find(job, peer)?.CpuUs.Median ?? double.NaN;

    /// <summary>Median of the 99th percentile of latency.</summary>
    public double P99Us(string job, string peer) => Find(job, peer)?.P99Us.Median ?? double.NaN;

    /// <summary>A table for each job, and one chart over all; what failed comes first.</summary>
    public void Show(Report report, string title, string note)
    {
        report.Add(new Chart(title, "requests a second, each job against its best", jobs,
            [.. peers.Select(peer => new Series(peer.Name, [.. jobs.Select(job => Iops(job, peer.Name))]))]));
        ShowFailures(report, title);
        foreach (string job in jobs)
        {
            string command = "`fio " + string.Join(' ', FioJob.Find(job).Arguments) + "`";
            string latencies = FioJob.Find(job).Flushes ? "; latencies are those of the flush alone" : "";
            // What holds for all is said once.
            string common = job == jobs[0] ? note + " " : "";
            Table table = report.Add($"{title}: {job}", $"{common}{command}{latencies}.", "", "IOPS", "±", "MB/s",
                "p50 us", "p99 us", "p99.9 us", "server CPU s per million");
            foreach (Peer peer in peers)
                if (Find(job, peer.Name) is { } cell) table.Rows.Add(RowOf(peer.Name, cell));
        }
    }

    /// <summary>A table of what the limit of memory meant to each.</summary>
    public void ShowMemory(Report report, string title, string note)
    {
        Table table = report.Add(title, note, "", "most in use, MB", "times full, the worst run", "killed");
        foreach ((string peer, Memory memory) in _memories)
        {
            table.Rows.Add([peer, Report.Number(memory.PeakBytes / 1e6), Report.Number(memory.TimesFull),
                Report.Number(memory.Killed)]);
        }
    }

    private void ShowFailures(Report report, string title)
    {
        if (_failures.Count == 0) return;
        Table table = report.Add($"{title}: failed", "Jobs that have no row below, and why.", "", "what happened");
        foreach ((string peer, string what) in _failures) table.Rows.Add([peer, what]);
    }

    private Cell? Find(string job, string peer) => _cells.GetValueOrDefault((job, peer));

    private static string[] RowOf(string name, Cell cell) =>
    [
        name, Report.Number(cell.Iops.Median), Setting.Deviation(cell.Iops),
        Report.Number(cell.Megabytes.Median), Report.Number(cell.P50Us.Median), Report.Number(cell.P99Us.Median),
        Report.Number(cell.P999Us.Median), Report.Number(cell.CpuUs.Median),
    ];

    private readonly record struct Memory(double PeakBytes, double TimesFull, double Killed);

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
