using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>The engine alone, job by job: on memory and on files, with one thread and with two.</summary>
internal sealed class EngineMatrix(Setting setting, Report report)
{
    private const long CacheBytes = 4L << 30, BackingBytes = 1L << 30;
    private const string Title = "The engine in process", Size = "512M";
    private const double Seconds = 0.4;
    private const int MostRounds = 2;

    private static readonly (string Name, string[] Arguments)[] s_jobs =
    [
        ("randwrite", ["--job", "randwrite"]),
        ("read hit", ["--job", "randread", "--fill"]),
        ("70/30 mix", ["--job", "randrw", "--fill"]),
        ("zipf 1.2 read", ["--job", "randread", "--fill", "--zipf", "1.2"]),
    ];

    /// <summary>All of it.</summary>
    public void Run()
    {
        Dictionary<(string, string), Samples> iops = [];
        string[] subjects = ["memory, 1 thread", "memory, 2 threads", "files, 1 thread", "files, 2 threads"];
        for (int round = 0; round < Math.Min(setting.Rounds, MostRounds); round++)
            foreach ((string job, string[] arguments) in s_jobs)
                for (int i = 0; i < subjects.Length; i++)
                    Add(iops, (subjects[i], job), One(arguments, isMemory: i < 2, queues: 1 + (i % 2)));
        Table table = report.Add(Title, "`weir bench writeboost --size 512M`, 4 KiB, depth 32 for each thread; "
            + "requests a second, half the spread.", ["", .. subjects]);
        foreach ((string job, _) in s_jobs)
        {
            List<string> row = [job];
            foreach (string subject in subjects)
                row.Add($"{Report.Number(iops[(subject, job)].Median)} ± {Setting.Deviation(iops[(subject, job)])}");
            table.Rows.Add([.. row]);
        }
        report.Add(new Chart(Title, "requests a second, each job against its best",
            [.. s_jobs.Select(static job => job.Name)],
            [.. subjects.Select(subject =>
                new Series(subject, [.. s_jobs.Select(job => iops[(subject, job.Name)].Median)]))]));
    }

    private static void Add(Dictionary<(string, string), Samples> to, (string, string) key, double value)
    {
        if (!to.TryGetValue(key, out Samples? samples)) to[key] = samples = new Samples();
        samples.Add(value);
    }

    private double One(string[] arguments, bool isMemory, int queues)
    {
        string cache = isMemory ? "ram:4G" : setting.Scratch.NewFile("cache", CacheBytes);
        string backing = isMemory ? "ram:1G" : setting.Scratch.NewSparse("backing", BackingBytes);
        return setting.Weir.Run([
            "writeboost", "--cache", cache, "--backing", "b=" + backing, "--option", "allow_writeback=0",
            "--size", Size, "--queues", queues.ToString(CultureInfo.InvariantCulture),
            "--warm-up", "0.1", "--seconds", Seconds.ToString(CultureInfo.InvariantCulture), .. arguments])["iops"];
    }
}
