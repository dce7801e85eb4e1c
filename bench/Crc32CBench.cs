using System;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Bench;

/// <summary>Checksums of one block: in cache, and streamed through memory that is far larger than any cache.</summary>
public unsafe class Crc32CBench
{
    private const long ColdBytes = 64 << 20;

    private readonly Slab _from = new(ColdBytes);
    private readonly Slab _to = new(ColdBytes);
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

    /// <summary>Sum and copy at once.</summary>
    [Benchmark]
    public uint CopyAndCompute()
    {
        long at = Next();
        return Crc32C.CopyAndCompute(_to.Start + at, _from.Start + at, Length);
    }

    /// <summary>Copy, then sum.</summary>
    [Benchmark]
    public uint CopyThenCompute()
    {
        long at = Next();
        Buffer.MemoryCopy(_from.Start + at, _to.Start + at, Length, Length);
        return Crc32C.Compute(_to.Start + at, Length);
    }

    private long Next()
    {
        long at = _at;
        _at = at + Length >= SpanBytes ? 0 : at + Length;
        return at;
    }
}
