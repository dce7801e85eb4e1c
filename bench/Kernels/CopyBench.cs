using System;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost.Format;

namespace Weir.Bench.Kernels;

/// <summary>A block of 4 KiB copied, alone and with the checksum that goes into the log with it.</summary>
public unsafe class CopyBench
{
    private BlockWalk _from = null!, _to = null!;

    /// <summary>Memory that the copies walk through, twice.</summary>
    [Params(BlockWalk.HotBytes, BlockWalk.ColdBytes)]
    public long SpanBytes { get; set; }

    /// <summary>Touches all pages.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _from = new BlockWalk(SpanBytes, Geometry.BlockBytes, isRandom: true);
        _to = new BlockWalk(SpanBytes, Geometry.BlockBytes, isRandom: false);
    }

    /// <summary>Frees the memory.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _from.Dispose();
        _to.Dispose();
    }

    /// <summary>The library's, which is what the product uses where no sum is wanted.</summary>
    [Benchmark(Baseline = true)]
    public void LibraryMemoryCopy() =>
        Buffer.MemoryCopy(_from.Next(), _to.Next(), Geometry.BlockBytes, Geometry.BlockBytes);

    /// <summary>The library's for spans.</summary>
    [Benchmark]
    public void LibrarySpanCopy() => new ReadOnlySpan<byte>(_from.Next(), Geometry.BlockBytes)
        .CopyTo(new Span<byte>(_to.Next(), Geometry.BlockBytes));

    /// <summary>Word by word.</summary>
    [Benchmark]
    public void ScalarWords()
    {
        ulong* from = (ulong*)_from.Next(), to = (ulong*)_to.Next();
        for (int i = 0; i < Geometry.BlockBytes / sizeof(ulong); i++) to[i] = from[i];
    }

    /// <summary>Ours: copied round the caches, then summed.</summary>
    [Benchmark]
    public uint KernelCopyAndSum() => BlockSum.CopyAndCompute(_to.Next(), _from.Next());

    /// <summary>The sum alone.</summary>
    [Benchmark]
    public uint KernelSum() => BlockSum.Compute(_from.Next());

    /// <summary>The sum alone, as where folding is not wide.</summary>
    [Benchmark]
    public uint ScalarSumLanes() => BlockSum.ComputeLanes(_from.Next());

    /// <summary>In two passes.</summary>
    [Benchmark]
    public uint LibraryCopyThenSum()
    {
        byte* to = _to.Next();
        Buffer.MemoryCopy(_from.Next(), to, Geometry.BlockBytes, Geometry.BlockBytes);
        return BlockSum.Compute(to);
    }
}
