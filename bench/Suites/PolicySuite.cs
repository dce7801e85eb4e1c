using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Core.DmCache.Simulate;
using Weir.Core.Traces;

namespace Weir.Bench.Suites;

/// <summary>
/// Every policy of dmcache on every workload: how many more accesses miss than under the best one, and how fast a
/// simulation is. Recorded traces count too: ours, and those in the folder that WEIR_TRACES names.
/// </summary>
internal sealed class PolicySuite(Report report)
{
    private const long Requests = 1_000_000;
    private const ulong Seed = 14;
    private const string OwnFolder = "bench/Traces", FolderVariable = "WEIR_TRACES";

    private const double SpeedPercent = 10;

    private static readonly double[] s_percents = [1, 5, 10, 20];

    private readonly IReadOnlyList<string> _policies = DmCacheSimulator.Policies;
    private readonly List<(string Name, CompactTrace Trace, SimulationMatrix Matrix)> _runs = [];

    /// <summary>All of it.</summary>
    public void Run()
    {
        foreach ((string name, Func<CompactTrace> load) in Traces())
        {
            CompactTrace trace = load();
            uint[] places = Array.ConvertAll(s_percents, trace.PlacesOf);
            _runs.Add((name, trace, SimulationMatrix.Run(
                trace, _policies, places, DmCacheSimulator.Run, Environment.ProcessorCount, static (_, _) => { })));
            Console.WriteLine($"bench: policies on {name}");
        }
        ShowMisses();
        ShowRatios();
        ShowSpeed();
    }

    private static IEnumerable<(string Name, Func<CompactTrace> Load)> Traces()
    {
        foreach (Workload workload in Synthetic.All) yield return (workload.Name, () => Of(workload));
        string?[] folders = [OwnFolder, Environment.GetEnvironmentVariable(FolderVariable)];
        foreach (string folder in folders.OfType<string>().Where(static folder => folder.Length > 0))
            foreach (string path in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
                yield return (Path.GetFileName(path).Split('.')[0], () => Recorded(path));
    }

    private static CompactTrace Recorded(string path) =>
        new TraceSource([path], null, Synthetic.BlockBytes, long.MaxValue).Load(static (_, _) => { });

    private static CompactTrace Of(Workload workload)
    {
        CompactTraceBuilder builder = new(Synthetic.BlockBytes, hasObjects: false);
        foreach (TraceRecord record in workload.Make(Requests, Seed)) builder.Add(record);
        return builder.Finish();
    }

    // Misses in percent at each size, and the optimum.
    private void ShowMisses()
    {
        Table table = report.Add("Policies of dmcache: misses in percent of the accesses",
            $"Caches of {string.Join(", ", s_percents)} % of the blocks of each trace, {Requests} requests of blocks "
            + "of 64 KiB, the same ones each time; optimum: Belady's, who knows the future. Recorded traces: those of "
            + $"`{OwnFolder}`, and of the folder that {FolderVariable} names.",
            ["", .. _policies, "optimum"]);
        foreach ((string name, _, SimulationMatrix matrix) in _runs)
            for (int size = 0; size < s_percents.Length; size++)
                table.Rows.Add([$"{name}, {s_percents[size]} %",
                    .. _policies.Select((_, policy) => Percent(matrix.Of(policy, size).MissRatio)),
                    Percent(matrix.OptimumOf(size).MissRatio)]);
    }

    private void ShowRatios()
    {
        Table table = report.Add("Policies of dmcache: misses / the best policy of the trace",
            "Mean of the four sizes, each measured against the policy that misses least there; the last row is the "
            + "mean over all traces. The default is " + _policies[0] + ".", ["", .. _policies]);
        foreach ((string name, _, SimulationMatrix matrix) in _runs)
            table.Rows.Add([name, .. _policies.Select((_, policy) => Report.Number(Ratio(matrix, policy)))]);
        double[] means = [.. _policies.Select((_, policy) => _runs.Average(run => Ratio(run.Matrix, policy)))];
        table.Rows.Add(["mean", .. means.Select(Report.Number)]);
        double[] misses = [.. _policies.Select((_, policy) => _runs.Average(run => MeanMisses(run.Matrix, policy)))];
        table.Rows.Add(["mean misses, %", .. misses.Select(Percent)]);
        report.Judge("D6", $"misses of the default policy ({_policies[0]}) / the best policy of each trace, mean",
            means[0], 1.02, atLeast: false);
        int best = Array.IndexOf(misses, misses.Min());
        report.Judge("D6, one for all", $"mean misses of the default / of the best for all traces ({_policies[best]})",
            misses[0] / misses[best], 1.02, atLeast: false);
        Console.WriteLine("bench: misses / the best policy of each trace, mean: " + string.Join(", ",
            _policies.Select((name, policy) => $"{name} {Report.Number(means[policy])}")));
    }

    // By the processor's time, one at a time: others on the machine do not count.
    private void ShowSpeed()
    {
        Table table = report.Add("Policies of dmcache: simulated requests, and memory",
            $"Millions a second of one processor's time, caches of {SpeedPercent} % of the blocks; median and slowest "
            + "of all traces. Bytes that the policy keeps for each place, in the largest cache of all.",
            "", "median", "slowest", "B for a place");
        double slowest = double.MaxValue;
        foreach (string policy in _policies)
        {
            Samples speeds = new();
            (double bytes, uint most) = (0, 0);
            foreach ((_, CompactTrace trace, _) in _runs)
            {
                uint places = trace.PlacesOf(SpeedPercent);
                TimeSpan before = Environment.CpuUsage.TotalTime;
                SimulationCounts counts = DmCacheSimulator.Run(policy, trace, places, new SimulationProgress());
                speeds.Add(trace.Accesses / (Environment.CpuUsage.TotalTime - before).TotalSeconds / 1e6);
                if (places > most) (bytes, most) = ((double)counts.MemoryBytes / places, places);
            }
            table.Rows.Add([
                policy, Report.Number(speeds.Median), Report.Number(speeds.Min), Report.Number(bytes)]);
            slowest = Math.Min(slowest, speeds.Median);
        }
        report.Judge("D8", "simulator: million requests a second of a processor, slowest policy", slowest, 5);
    }

    private static double Ratio(SimulationMatrix matrix, int policy)
    {
        double sum = 0;
        for (int size = 0; size < s_percents.Length; size++)
        {
            double fewest = double.MaxValue;
            for (int other = 0; other < matrix.Policies.Count; other++)
                fewest = Math.Min(fewest, matrix.Of(other, size).MissRatio);
            sum += matrix.Of(policy, size).MissRatio / fewest;
        }
        return sum / s_percents.Length;
    }

    private static double MeanMisses(SimulationMatrix matrix, int policy)
    {
        double sum = 0;
        for (int size = 0; size < s_percents.Length; size++) sum += matrix.Of(policy, size).MissRatio;
        return sum / s_percents.Length;
    }

    private static string Percent(double share) => Report.Number(100 * share);
}
