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
/// simulation is. Recorded traces count too: those in the folder that WEIR_TRACES names.
/// </summary>
internal sealed class PolicySuite(Report report)
{
    private const long Requests = 1_000_000;
    private const ulong Seed = 14;
    private const string FolderVariable = "WEIR_TRACES";

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
        if (Environment.GetEnvironmentVariable(FolderVariable) is not { Length: > 0 } folder) yield break;
        foreach (string path in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
            yield return (Path.GetFileName(path), () =>
                new TraceSource([path], null, Synthetic.BlockBytes, long.MaxValue).Load(static (_, _) => { }));
    }

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
            + "of 64 KiB, the same ones each time; optimum: Belady's, who knows the future. Recorded traces are those "
            + "in the folder that " + FolderVariable + " named.",
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
        int best = Array.IndexOf(means, means.Min());
        report.Judge("D6, policy", $"the same / that of the policy with the best mean ({_policies[best]})",
            means[0] / means[best], 1, atLeast: false);
        Console.WriteLine("bench: misses / the best policy of each trace, mean: " + string.Join(", ",
            _policies.Select((name, policy) => $"{name} {Report.Number(means[policy])}")));
    }

    private void ShowSpeed()
    {
        Table table = report.Add("Policies of dmcache: simulated requests",
            "Of one processor, in millions a second; median and slowest of all traces and sizes.",
            "", "median", "slowest");
        double slowest = double.MaxValue;
        for (int policy = 0; policy < _policies.Count; policy++)
        {
            Samples speeds = new();
            foreach ((_, CompactTrace trace, SimulationMatrix matrix) in _runs)
                for (int size = 0; size < s_percents.Length; size++)
                    speeds.Add(trace.Accesses / matrix.Of(policy, size).Seconds / 1e6);
            table.Rows.Add([_policies[policy], Report.Number(speeds.Median), Report.Number(speeds.Min)]);
            slowest = Math.Min(slowest, speeds.Median);
        }
        report.Judge("D8", "simulator: million requests a second, slowest policy", slowest, 5);
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
