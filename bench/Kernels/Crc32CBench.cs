using System;
using System.IO.Hashing;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;

namespace Weir.Bench.Kernels;

/// <summary>
/// Checksums of one block, beside the library's, and XXH3, which is what it has that is fastest.
/// </summary>
public unsafe class Crc32CBench
{
    private readonly uint[] _table = new uint[256];
    private BlockWalk _blocks = null!;

    /// <summary>Bytes per sum.</summary>
    [Params(512, 4096)]
    public int Length { get; set; }

    /// <summary>Memory that the sums walk through.</summary>
    [Params(BlockWalk.HotBytes, BlockWalk.ColdBytes)]
    public long SpanBytes { get; set; }

    /// <summary>The twins agree.</summary>
    [GlobalSetup]
    public void Fill()
    {
        for (uint i = 0; i < _table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) * 0x82F63B78);
            _table[i] = value;
        }
        _blocks = new BlockWalk(SpanBytes, Length, isRandom: true);
        byte* block = _blocks.Next();
        uint sum = Crc32C.Append(~0u, block, Length);
        if (sum != TableOf(block) || sum != Crc32C.AppendPortable(~0u, block, Length))
            throw new InvalidOperationException("the checksums differ");
    }

    /// <summary>Frees the memory.</summary>
    [GlobalCleanup]
    public void Dispose() => _blocks.Dispose();

    /// <summary>Ours: whole blocks are half folded, where that is wide; the rest is three streams.</summary>
    [Benchmark]
    public uint Kernel() => Crc32C.Append(~0u, _blocks.Next(), Length);

    /// <summary>Three streams only, as where folding is not wide.</summary>
    [Benchmark]
    public uint KernelStreams() => Crc32C.AppendStreams(~0u, _blocks.Next(), Length);

    /// <summary>The plain chain of the processor's instruction.</summary>
    [Benchmark(Baseline = true)]
    public uint ScalarChain() => Crc32C.AppendPortable(~0u, _blocks.Next(), Length);

    /// <summary>Byte by byte, without the instruction.</summary>
    [Benchmark]
    public uint ScalarTable() => TableOf(_blocks.Next());

    /// <summary>The library's, by carry-less multiplication.</summary>
    [Benchmark]
    public uint LibraryCrc32C() =>
        Crc32.HashToUInt32(Crc32ParameterSet.Crc32C, new ReadOnlySpan<byte>(_blocks.Next(), Length));

    /// <summary>The library's fastest.</summary>
    [Benchmark]
    public ulong LibraryXxHash3() => XxHash3.HashToUInt64(new ReadOnlySpan<byte>(_blocks.Next(), Length));

    private uint TableOf(byte* data)
    {
        uint register = ~0u;
        for (int i = 0; i < Length; i++) register = (register >> 8) ^ _table[(byte)register ^ data[i]];
        return register;
    }
}
