using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Traces;
using Xunit;

namespace Weir.Tests.Traces;

public sealed class BeladyTests
{
    /// <summary>No choice at all does better, and one does as well.</summary>
    [Fact]
    public void NoCacheHasFewerMisses()
    {
        Prng random = new(1966);
        for (int round = 0; round < 400; round++)
        {
            int places = random.Between(1, 4);
            int[] blocks = TraceModel.Random(ref random, random.Between(1, 24), random.Between(1, 8));
            SimulationCounts counts = new Belady(TraceModel.Of(blocks)).Run((uint)places, new SimulationProgress());
            Assert.Equal(TraceModel.FewestMisses(blocks, places), counts.Misses);
            Assert.Equal(blocks.Length, counts.Accesses);
            Assert.Equal(counts.Misses, counts.RequestMisses);
        }
    }

    /// <summary>A loop of one block more than fits: all but one of the places hit, whatever the length.</summary>
    [Fact]
    public void ALoopKeepsAllButOne()
    {
        List<int> blocks = [];
        for (int i = 0; i < 5000; i++) blocks.Add(i % 100);
        SimulationCounts counts = new Belady(TraceModel.Of([.. blocks])).Run(99, new SimulationProgress());
        Assert.Equal(100 + 49, counts.Misses);
    }

    [Fact]
    public void AnEmptyTraceHasNone() =>
        Assert.Equal(0, new Belady(TraceModel.Of()).Run(3, new SimulationProgress()).Misses);

    /// <summary>Positions beyond one word and one level, against a sorted set.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(300_000)]
    public void PositionsKnowTheirLargest(int count)
    {
        Prng random = new((ulong)count);
        PositionSet set = new(count);
        SortedSet<long> model = [];
        for (int i = 0; i < 5000; i++)
        {
            long position = random.Below(count);
            Assert.Equal(model.Contains(position), set.Contains(position));
            if (model.Add(position)) set.Add(position);
            else if (random.Chance(70))
            {
                model.Remove(position);
                set.Remove(position);
            }
            if (model.Count > 0) Assert.Equal(model.Max, set.Largest());
            Assert.Equal(model.Count, set.Count);
        }
    }
}
