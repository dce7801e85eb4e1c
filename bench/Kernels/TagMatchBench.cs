using System;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost.Index;

namespace Weir.Bench.Kernels;

/// <summary>The places of a bucket of the index that have a tag: buckets that stay in cache.</summary>
public unsafe class TagMatchBench
{
    private const int Buckets = 256, BucketBytes = 64;

    private BlockWalk _buckets = null!;

    /// <summary>Random tags.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _buckets = new BlockWalk(Buckets * BucketBytes, BucketBytes, isRandom: true);
        if (Kernel() != ScalarLoop()) throw new InvalidOperationException("the places differ");
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose() => _buckets.Dispose();

    /// <summary>Ours: all in one instruction.</summary>
    [Benchmark(OperationsPerInvoke = Buckets)]
    public uint Kernel()
    {
        uint sum = 0;
        for (int i = 0; i < Buckets; i++) sum += BlockIndex.Match(_buckets.Next(), (byte)i);
        return sum;
    }

    /// <summary>One by one.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Buckets)]
    public uint ScalarLoop()
    {
        uint sum = 0;
        for (int i = 0; i < Buckets; i++) sum += BlockIndex.MatchPortable(_buckets.Next(), (byte)i);
        return sum;
    }

    /// <summary>The library's search for one byte, which finds the first place only.</summary>
    [Benchmark(OperationsPerInvoke = Buckets)]
    public int LibraryIndexOf()
    {
        int sum = 0;
        for (int i = 0; i < Buckets; i++)
            sum += new ReadOnlySpan<byte>(_buckets.Next(), BlockIndex.Places).IndexOf((byte)i);
        return sum;
    }
}
