using System;
using System.Linq;
using Weir.Frontends.Bench;
using Xunit;

namespace Weir.Tests.Bench;

/// <summary>Percentiles beside those of the sorted values themselves.</summary>
public sealed class LatencyHistogramTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void PercentilesAreAtMostSixPercentTooHigh(int seed)
    {
        Random random = new(seed);
        LatencyHistogram histogram = new(), half = new();
        long[] values = new long[20_000];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (long)Math.Pow(10, random.NextDouble() * 9);
            (i % 2 == 0 ? histogram : half).Add(values[i]);
        }
        histogram.Add(half);
        Assert.Equal(values.Length, histogram.Count);
        long[] sorted = [.. values.Order()];
        foreach (double share in new[] { 0.001, 0.5, 0.9, 0.99, 0.999, 1 })
        {
            long exact = sorted[(int)Math.Ceiling(share * sorted.Length) - 1];
            Assert.InRange(histogram.Percentile(share), exact, exact + (exact / 16) + 1);
        }
    }

    [Fact]
    public void NothingCountedIsZero()
    {
        LatencyHistogram histogram = new();
        histogram.Add(5);
        histogram.Clear();
        Assert.Equal(0, histogram.Percentile(0.99));
    }
}
