using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// Beside the kernel's own caches, in one virtual machine under emulation: user space pays much more there than on a
/// real processor, so these ratios are a lower bound for us.
/// </summary>
internal sealed class KernelSuite(Setting setting, Report report)
{
    private const string Weir = "weir", Ancestor = "dm-writeboost", Blocks = "weir-dmcache", Kernels = "dm-cache";
    private const long CacheBytes = 512L << 20;

    /// <summary>All of it.</summary>
    public void Run()
    {
        Dictionary<(string Subject, string Job), Samples> iops = [], p99 = [], hits = [];
        List<string> subjects = [], jobs = [];
        for (int round = 0; round < setting.Rounds; round++)
        {
            foreach (string[] row in Boot(round))
            {
                if (row is ["hits", string who, string requests, string percent])
                {
                    Add(hits, (who, "requests"), requests);
                    Add(hits, (who, "percent"), percent);
                    continue;
                }
                (string subject, string job) = (row[1], row[2]);
                if (!subjects.Contains(subject)) subjects.Add(subject);
                if (!jobs.Contains(job)) jobs.Add(job);
                Add(iops, (subject, job), row[3]);
                Add(p99, (subject, job), row[4]);
            }
            Console.WriteLine($"bench: kernel caches, round {round + 1}");
        }
        Show(iops, p99, subjects, jobs);
        Judge(iops, subjects, jobs);
        JudgeHits(hits);
    }

    private static void Add(Dictionary<(string Subject, string Job), Samples> to, (string, string) key, string value)
    {
        if (!to.TryGetValue(key, out Samples? samples)) to[key] = samples = new Samples();
        samples.Add(double.Parse(value, CultureInfo.InvariantCulture));
    }

    private List<string[]> Boot(int round)
    {
        string cache = setting.Scratch.NewWritten("vm-cache", CacheBytes);
        string script = Path.GetFullPath("bench/Vm/caches.sh");
        string seconds = setting.Seconds.ToString(CultureInfo.InvariantCulture);
        ProcessStartInfo start = new(Path.GetFullPath("tests/Vm/run.sh"),
            ["k6", $"export WEIR={setting.Weir.Binary}; bash {script} {seconds} {round * 100}"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["WEIR_VM_MEMORY"] = "6G";
        start.Environment["WEIR_VM_SECONDS"] = "1800";
        start.Environment["WEIR_VM_DISKS"] = cache;
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"caches.sh: {process.ExitCode}: {output}");
        IEnumerable<string[]> lines = output.Split('\n').Select(static line => line.Split(' '));
        return [.. lines.Where(static words => words is ["row" or "hits", ..])];
    }

    private void Show(
        Dictionary<(string Subject, string Job), Samples> iops, Dictionary<(string Subject, string Job), Samples> p99,
        List<string> subjects, List<string> jobs)
    {
        const string title = "Beside the kernel's caches";
        Table table = report.Add(title, "`bench/Vm/caches.sh`, Linux 6.12 in QEMU, emulated: a cache of 512 MiB with a "
            + "volatile write cache, before a device of about 8 ms; all but dm-writecache keep what they "
            + "read. IOPS, half the spread, p99 in ms.",
            ["", .. subjects]);
        foreach (string job in jobs)
            table.Rows.Add([job, .. subjects.Select(subject => string.Create(CultureInfo.InvariantCulture,
                $"{Report.Number(iops[(subject, job)].Median)} ± {Setting.Deviation(iops[(subject, job)])}, "
                + $"{p99[(subject, job)].Median / 1000:f1}"))]);
        report.Add(new Chart(title, "requests a second, each job against its best", jobs,
            [.. subjects.Select(s => new Series(s, [.. jobs.Select(job => iops[(s, job)].Median)]))]));
    }

    private void Judge(
        Dictionary<(string Subject, string Job), Samples> iops, List<string> subjects, List<string> jobs)
    {
        foreach (string job in jobs)
        {
            double ours = iops[(Weir, job)].Median;
            report.Judge("P15", $"{job}: weir / {Ancestor}", ours / iops[(Ancestor, job)].Median, 1);
            report.Judge("D9", $"{job}: weir dmcache / {Kernels} smq",
                iops[(Blocks, job)].Median / iops[(Kernels, job)].Median, 1);
            double best = subjects.Where(static subject => subject is not (Weir or Blocks))
                .Max(s => iops[(s, job)].Median);
            // Emulation punishes user space most where there is nothing but its work: shown, not asked for.
            bool isAsked = !job.StartsWith("randwrite-4k", StringComparison.Ordinal);
            report.Judge("P15", $"{job}: weir / the best of all", ours / best, isAsked ? 1 : 0);
        }
    }

    private void JudgeHits(Dictionary<(string Subject, string Job), Samples> hits)
    {
        Table table = report.Add("dmcache beside the kernel's dm-cache: until nine of ten blocks are hits",
            "The same reads of 4 KiB by Zipf's law (1.2) on blank caches with blocks of 64 KiB, by the counters of "
            + "each: blocks asked for until 90 % of the last 2,000 were hits, and that share; if it was never reached, "
            + "all that were asked for.", "", "blocks", "percent");
        foreach (string subject in (string[])[Blocks, Kernels])
            table.Rows.Add([subject, Report.Number(hits[(subject, "requests")].Median),
                Report.Number(hits[(subject, "percent")].Median)]);
        report.Judge("D5", "blocks until 90 % hits, zipf 1.2: weir dmcache / dm-cache smq",
            hits[(Blocks, "requests")].Median / hits[(Kernels, "requests")].Median, 0.5, atLeast: false);
    }
}
