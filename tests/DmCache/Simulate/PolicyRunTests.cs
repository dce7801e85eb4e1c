using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.DmCache.Simulate;
using Weir.Core.Traces;
using Weir.Tests.Traces;
using Xunit;

namespace Weir.Tests.DmCache.Simulate;

/// <summary>A simulation counts what a cache would have done.</summary>
public sealed class PolicyRunTests
{
    private static SimulationCounts Run(string policy, CompactTrace trace, int places) =>
        DmCacheSimulator.Run(policy, trace, (uint)places, new SimulationProgress());

    [Fact]
    public void LruMissesWhatAListMisses()
    {
        Prng random = new(5);
        for (int round = 0; round < 40; round++)
        {
            int places = random.Between(1, 60);
            int[] blocks = TraceModel.Random(ref random, 3000, random.Between(1, 200));
            SimulationCounts counts = Run("lru", TraceModel.Of(blocks), places);
            int misses = TraceModel.LruMisses(blocks, places);
            int cached = Math.Min(places, blocks.Distinct().Count());
            Assert.Equal((misses, misses, misses), (counts.Misses, counts.RequestMisses, counts.Promotions));
            Assert.Equal(misses - cached, counts.Evictions);
            Assert.Equal(blocks.Length, counts.Accesses);
        }
    }

    /// <summary>All policies, on all workloads: none beats the optimum, and a run is always the same.</summary>
    [Fact]
    public void NothingBeatsTheOptimum()
    {
        foreach (Workload workload in Synthetic.All)
        {
            CompactTrace trace = Of(workload, 30_000);
            uint[] places = [trace.PlacesOf(1), trace.PlacesOf(20)];
            SimulationMatrix one = All(trace, places, 1), two = All(trace, places, 3);
            for (int size = 0; size < places.Length; size++)
                for (int policy = 0; policy < one.Policies.Count; policy++)
                {
                    SimulationCounts counts = one.Of(policy, size);
                    string what = $"{workload.Name}, {one.Policies[policy]}, {places[size]} places: {counts.Misses}";
                    Assert.True(counts.Misses >= one.OptimumOf(size).Misses, what);
                    Assert.True(counts.Misses >= trace.Blocks, what);
                    Assert.True(counts.Promotions - counts.Evictions <= places[size], what);
                    Assert.True(counts.Misses == two.Of(policy, size).Misses, what);
                }
        }
    }

    /// <summary>A request of several blocks misses once.</summary>
    [Fact]
    public void RequestsAreCountedAsTheyCame()
    {
        CompactTraceBuilder builder = new(64 << 10, hasObjects: false);
        foreach (long length in new[] { 4096L, 256 << 10, 256 << 10, 4096 })
            builder.Add(new TraceRecord { LengthBytes = length });
        SimulationCounts counts = Run("lru", builder.Finish(), 8);
        Assert.Equal((4, 2), (counts.Requests, counts.RequestMisses));
        Assert.Equal((10, 4), (counts.Accesses, counts.Misses));
    }

    /// <summary>What goes wrong in one simulation ends all of them, and is told.</summary>
    [Fact]
    public void AFailureEndsAll()
    {
        CompactTrace trace = TraceModel.Of(1, 2, 3);
        UserErrorException error = Assert.Throws<UserErrorException>(() => SimulationMatrix.Run(
            trace, ["lru", "x"], [1, 2], static (policy, trace, places, progress) => policy == "x"
                ? throw new UserErrorException("broken") : DmCacheSimulator.Run(policy, trace, places, progress),
            2, static (_, _) => { }));
        Assert.Equal("broken", error.Message);
    }

    [Fact]
    public void WorkloadsAreTheSameEachTime()
    {
        foreach (Workload workload in Synthetic.All)
        {
            List<TraceRecord> one = [.. workload.Make(5000, 7)];
            Assert.Equal(one, workload.Make(5000, 7));
            Assert.NotEqual(one, workload.Make(5000, 8));
            Assert.Equal(5000, one.Count);
        }
    }

    private static SimulationMatrix All(CompactTrace trace, uint[] places, int threads) => SimulationMatrix.Run(
        trace, DmCacheSimulator.Policies, places, DmCacheSimulator.Run, threads, static (_, _) => { });

    private static CompactTrace Of(Workload workload, long requests)
    {
        CompactTraceBuilder builder = new(Synthetic.BlockBytes, hasObjects: false);
        foreach (TraceRecord record in workload.Make(requests, 1)) builder.Add(record);
        return builder.Finish();
    }
}
