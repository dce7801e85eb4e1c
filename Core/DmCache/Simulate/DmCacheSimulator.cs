using System.Collections.Generic;
using Weir.Core.DmCache.Policies;
using Weir.Core.Traces;

namespace Weir.Core.DmCache.Simulate;

/// <summary>Simulates the policies of <c>dmcache</c>.</summary>
public static class DmCacheSimulator
{
    /// <summary>For policies that draw lots: a simulation gives the same result each time.</summary>
    private const ulong Seed = 2;

    /// <summary>Brings nothing in: what it would show is known.</summary>
    private const string Nothing = "noop";

    /// <summary>Names of all that bring blocks in, the default first.</summary>
    public static IReadOnlyList<string> Policies
    {
        get
        {
            List<string> names = [PolicyTable.DefaultName];
            foreach (PolicyInfo info in PolicyTable.All)
                if (!info.IsCleaner && info.Name is not (Nothing or PolicyTable.DefaultName)) names.Add(info.Name);
            return names;
        }
    }

    /// <summary>What a name or alias stands for; null: no policy has it.</summary>
    public static string? Resolve(string name) => PolicyTable.Find(name)?.Name;

    /// <summary>A whole trace, from an empty cache on. Any thread.</summary>
    public static SimulationCounts Run(
        string policy, CompactTrace trace, uint places, SimulationProgress progress)
    {
        Visitor visitor = new(trace, places, progress);
        return PolicyTable.Visit<SimulationCounts, Visitor>(policy, ref visitor);
    }

    private readonly struct Visitor(CompactTrace trace, uint places, SimulationProgress progress)
        : IPolicyVisitor<SimulationCounts>
    {
        public SimulationCounts Visit<TPolicy>()
            where TPolicy : struct, IPolicy<TPolicy> => PolicyRun<TPolicy>.Of(trace, places, Seed, progress);
    }
}
