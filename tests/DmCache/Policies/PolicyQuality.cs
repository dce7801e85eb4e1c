using System.Collections.Generic;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Plays traces to a policy, and to what it is compared with.</summary>
internal static class PolicyQuality
{
    /// <summary>Misses of a trace.</summary>
    public static int Misses(string policy, uint places, IEnumerable<long> trace)
    {
        Player player = new(places, trace, null);
        return PolicyTable.Visit<int, Player>(policy, ref player);
    }

    /// <summary>Misses of a trace when a paper's algorithm has it.</summary>
    public static int Misses(IReference reference, IEnumerable<long> trace)
    {
        int misses = 0;
        foreach (long home in trace)
            if (!reference.Request(home)) misses++;
        return misses;
    }

    /// <summary>The policy hits and misses the very requests that the reference does.</summary>
    public static void AssertSame(string policy, uint places, IReference reference, IEnumerable<long> trace)
    {
        Player player = new(places, trace, reference);
        PolicyTable.Visit<int, Player>(policy, ref player);
    }

    private readonly struct Player(uint places, IEnumerable<long> trace, IReference? reference) : IPolicyVisitor<int>
    {
        public int Visit<TPolicy>()
            where TPolicy : struct, IPolicy<TPolicy>
        {
            using PolicyModel<TPolicy> model = new(places);
            int misses = 0, requests = 0;
            foreach (long home in trace)
            {
                bool hit = model.Request(home, default);
                if (!hit) misses++;
                if (reference != null)
                    Assert.True(hit == reference.Request(home), $"request {requests}: block {home}");
                if (++requests % 10 == 0) model.Policy.Tick();
            }
            model.Check();
            return misses;
        }
    }
}
