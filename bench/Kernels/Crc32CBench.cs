using System;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Native;

namespace Weir.Bench.Kernels;

/// <summary>Checksums of one block: in cache, and streamed through memory that is far larger than any cache.</summary>
public unsafe class Crc32CBench
{
    private const long ColdBytes = 64 << 20, Spare = 4096;

    private readonly Slab _from = new(ColdBytes + Spare);
    private readonly Slab _to = new(ColdBytes + Spare);
    private long _at;

    /// <summary>Bytes per sum.</summary>
    [Params(512, 4096)]
    public int Length { get; set; }

    /// <summary>Memory that the sums walk through.</summary>
    [Params(16 << 10, ColdBytes)]
    public long SpanBytes { get; set; }

    /// <summary>Touches all pages.</summary>
    [GlobalSetup]
    public void Fill()
    {
        new Random(1).NextBytes(new Span<byte>(_from.Start, (int)ColdBytes));
        new Span<byte>(_to.Start, (int)ColdBytes).Clear();
    }

    /// <summary>The plain chain of instructions.</summary>
    [Benchmark(Baseline = true)]
    public uint Portable() => Crc32C.AppendPortable(~0u, _from.Start + Next(), Length);

    /// <summary>Three streams.</summary>
    [Benchmark]
    public uint Kernel() => Crc32C.Append(~0u, _from.Start + Next(), Length);

    /// <summary>The four lanes of a logged block; always 4 KiB.</summary>
    [Benchmark]
    public uint BlockLanes() => BlockSum.Compute(_from.Start + Next());

    /// <summary>The same, copying.</summary>
    [Benchmark]
    public uint BlockCopy()
    {
        long at = Next();
        return BlockSum.CopyAndCompute(_to.Start + at, _from.Start + at);
    }

    private long Next()
    {
        long at = _at;
        _at = at + Length >= SpanBytes ? 0 : at + Length;
        return at;
    }
}
