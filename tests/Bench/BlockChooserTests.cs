using System;
using System.Linq;
using Weir.Frontends.Bench;
using Xunit;

namespace Weir.Tests.Bench;

public sealed class BlockChooserTests
{
    private const int Blocks = 1000, Draws = 400_000;

    /// <summary>As often as the law says, for the most wanted and for all the rest together.</summary>
    [Theory]
    [InlineData(0.8)]
    [InlineData(1.0)]
    [InlineData(1.2)]
    public void ZipfFollowsTheLaw(double theta)
    {
        long[] counts = Count(BenchPattern.Zipf, theta);
        double[] law = [.. Enumerable.Range(1, Blocks).Select(rank => Math.Pow(rank, -theta))];
        double sum = law.Sum();
        long[] sorted = [.. counts.OrderDescending()];
        for (int rank = 0; rank < 10; rank++)
            Assert.InRange(sorted[rank] / (double)Draws, law[rank] / sum * 0.95, law[rank] / sum * 1.05);
        double half = law.Take(Blocks / 2).Sum() / sum;
        Assert.InRange(sorted.Take(Blocks / 2).Sum() / (double)Draws, half * 0.98, Math.Min(1, half * 1.02));
    }

    [Fact]
    public void RandomBlocksAreAllAsLikely() =>
        Assert.All(Count(BenchPattern.Random, 0), static count => Assert.InRange(count, 280, 520));

    [Fact]
    public void SequentialBlocksComeInOrder()
    {
        BlockChooser chooser = new(Job(BenchPattern.Sequential, 0), 1);
        for (int i = 0; i < 2 * Blocks; i++) Assert.Equal(i % Blocks, chooser.Next());
    }

    [Fact]
    public void OnceIsEveryBlockOnceInAnotherOrder()
    {
        BlockChooser chooser = new(Job(BenchPattern.Once, 0), 1);
        long[] order = [.. Enumerable.Range(0, Blocks).Select(_ => chooser.Next())];
        Assert.Equal(Enumerable.Range(0, Blocks).Select(static i => (long)i), order.Order());
        Assert.InRange(order.Where(static (block, i) => block == i).Count(), 0, 10);
        Assert.InRange(order.Zip(order.Skip(1)).Count(static pair => pair.Second == pair.First + 1), 0, 10);
    }

    private static long[] Count(BenchPattern pattern, double theta)
    {
        BlockChooser chooser = new(Job(pattern, theta), 5);
        long[] counts = new long[Blocks];
        for (int i = 0; i < Draws; i++) counts[chooser.Next()]++;
        return counts;
    }

    private static BenchJob Job(BenchPattern pattern, double theta) => new()
    {
        Pattern = pattern, Theta = theta, ReadPercent = 0, BlockBytes = 4096, Depth = 1, SpanBytes = Blocks * 4096L,
    };
}
