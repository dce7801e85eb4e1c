using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Policies do what their papers say: compared with plain forms of them, request for request.</summary>
public sealed class PolicyQualityTests
{
    private const int Requests = 16_000, Homes = 600;
    private const uint Places = 100;

    public static TheoryData<string> Exact() =>
        ["fifo", "lru", "mru", "lfu", "mfu", "twoqueue", "sieve", "arc", "lirs"];

    [Theory]
    [MemberData(nameof(Exact))]
    public void DecidesAsThePaperSays(string policy)
    {
        foreach (uint places in new uint[] { 1, 2, 7, 100, 300 })
            for (int seed = 0; seed < 2; seed++)
                PolicyQuality.AssertSame(policy, places, ReferenceOf(policy, (int)places),
                    PolicyTraces.Mixed(seed, Homes, Requests));
    }

    /// <summary>Its ghosts are not exactly those of the paper: they are forgotten by bucket.</summary>
    [Fact]
    public void S3FifoIsCloseToThePaper()
    {
        foreach (uint places in new uint[] { 50, 100, 300 })
        {
            IEnumerable<long> trace = [.. PolicyTraces.Mixed(1, Homes, Requests)];
            AssertClose("s3fifo", places, new S3FifoReference((int)places), trace, 0.98, 1.02);
        }
    }

    /// <summary>Its frequencies are estimates, and its window moves.</summary>
    [Fact]
    public void WTinyLfuIsCloseToThePaper()
    {
        foreach (uint places in new uint[] { 50, 100, 300 })
        {
            IEnumerable<long> trace = [.. PolicyTraces.Mixed(1, Homes, Requests)];
            AssertClose("wtinylfu", places, new TinyLfuReference((int)places), trace, 0.9, 1.06);
            trace = [.. PolicyTraces.Zipf(1, 4 * Homes, Requests, exponent: 0.8)];
            AssertClose("wtinylfu", places, new TinyLfuReference((int)places), trace, 0.96, 1.04);
        }
    }

    /// <summary>Where the plain one is far behind lru, it comes close; elsewhere nothing is lost.</summary>
    [Fact]
    public void S3FifoWithQueuesThatAdapt()
    {
        IEnumerable<long> window = [.. PolicyTraces.Window(1, 400, 60_000)];
        int adaptive = PolicyQuality.Misses("s3fifod", 500, window);
        Assert.InRange(adaptive, 0, PolicyQuality.Misses("s3fifo", 500, window) * 0.75);
        Assert.InRange(adaptive, 0, PolicyQuality.Misses("lru", 500, window) * 1.2);
        IEnumerable<long> zipf = [.. PolicyTraces.Zipf(1, 4 * Homes, 60_000)];
        Assert.InRange(PolicyQuality.Misses("s3fifod", 200, zipf), 0, PolicyQuality.Misses("s3fifo", 200, zipf) * 1.02);
    }

    [Fact]
    public void ALoopOverMoreThanFits()
    {
        int Missed(string policy) => PolicyQuality.Misses(policy, Places, PolicyTraces.Loop(150, 15_000));
        Assert.Equal(15_000, Missed("lru"));
        Assert.Equal(15_000, Missed("fifo"));
        // All but one place keep what they have; 99 of 150 blocks are found, once they are in.
        Assert.InRange(Missed("mru"), 5_000, 5_300);
        Assert.InRange(Missed("lirs"), 5_000, 5_300);
    }

    [Fact]
    public void AScanLeavesTheHotBlocksIn()
    {
        foreach (string policy in new[] { "s3fifod", "s3fifo", "sieve", "arc", "lirs", "wtinylfu" })
        {
            List<long> trace = [];
            for (int round = 0; round < 6; round++)
                for (long hot = 0; hot < 80; hot++) trace.Add(hot);
            for (long cold = 0; cold < 1000; cold++) trace.Add(10_000 + cold);
            int before = PolicyQuality.Misses(policy, Places, trace);
            for (long hot = 0; hot < 80; hot++) trace.Add(hot);
            Assert.InRange(PolicyQuality.Misses(policy, Places, trace) - before, 0, 8);
        }
    }

    /// <summary>Blocks that were asked for three times stay, whatever comes by once.</summary>
    [Fact]
    public void WTinyLfuKeepsWhatIsAskedForMoreOften()
    {
        List<long> trace = [];
        for (int round = 0; round < 3; round++)
            for (long often = 0; often < 99; often++) trace.Add(often);
        for (long once = 0; once < 200; once++) trace.Add(10_000 + once);
        int before = PolicyQuality.Misses("wtinylfu", Places, trace);
        // The newest first: what is missing makes another one leave, the oldest.
        for (long often = 98; often >= 0; often--) trace.Add(often);
        Assert.InRange(PolicyQuality.Misses("wtinylfu", Places, trace) - before, 0, 8);
    }

    /// <summary>What the default policy keeps of a place, all in all.</summary>
    [Theory]
    [InlineData("fifo", 8.1)]
    [InlineData("lru", 8.1)]
    [InlineData("sieve", 10.5)]
    [InlineData("s3fifo", 15.1)]
    [InlineData("s3fifod", 15.2)]
    [InlineData("wtinylfu", 17.1)]
    [InlineData("arc", 37)]
    [InlineData("lirs", 49)]
    [InlineData("twoqueue", 23)]
    [InlineData("multiqueue", 42)]
    [InlineData("lfu", 9.1)]
    [InlineData("mq", 41)]
    [InlineData("smq", 15)]
    [InlineData("cleaner", 4.2)]
    [InlineData("random", 0.2)]
    public void MemoryOfAPlaceIsBounded(string policy, double bytes) =>
        Assert.InRange(PolicyMemory.BytesOfAPlace(policy, 1 << 20), 0.1, bytes);

    private static void AssertClose(
        string policy, uint places, IReference reference, IEnumerable<long> trace, double from, double to)
    {
        int misses = PolicyQuality.Misses(policy, places, trace), expected = PolicyQuality.Misses(reference, trace);
        Assert.InRange(misses, expected * from, expected * to);
    }

    private static IReference ReferenceOf(string policy, int places) => policy switch
    {
        "fifo" => new ListReference(places, hitMakesNew: false, newestGoes: false),
        "lru" => new ListReference(places, hitMakesNew: true, newestGoes: false),
        "mru" => new ListReference(places, hitMakesNew: true, newestGoes: true),
        "lfu" => new CountReference(places, mostGoes: false),
        "mfu" => new CountReference(places, mostGoes: true),
        "twoqueue" => new TwoQueueReference(places),
        "sieve" => new SieveReference(places),
        "arc" => new ArcReference(places),
        "lirs" => new LirsReference(places),
        _ => throw new ArgumentException("no reference for " + policy, nameof(policy)),
    };
}

/// <summary>What a policy takes.</summary>
internal readonly struct PolicyMemory(uint places) : IPolicyVisitor<long>
{
    /// <summary>Bytes of memory for each place.</summary>
    public static double BytesOfAPlace(string policy, uint places)
    {
        PolicyMemory visitor = new(places);
        return (double)PolicyTable.Visit<long, PolicyMemory>(policy, ref visitor) / places;
    }

    public long Visit<TPolicy>()
        where TPolicy : struct, IPolicy<TPolicy>
    {
        using TPolicy policy = TPolicy.Create(new PolicyShape(places, places * 16L, 128, 1));
        return policy.MemoryBytes;
    }
}
