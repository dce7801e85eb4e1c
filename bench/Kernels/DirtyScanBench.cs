using System;
using System.Collections;
using System.Numerics;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>
/// The dirty blocks of a full cache of 1 GiB. Ours are flags in the nodes of the index, looked at 32 at a time; those
/// that are dirty are read under their bucket's latch, with the block they are about. Beside it the same slot by slot,
/// and what a map of bits without blocks would cost.
/// </summary>
public class DirtyScanBench
{
    private const int Segments = 1024, Slots = Segments * 256;

    private readonly Geometry _geometry = new(1 << 20, Segments);
    private readonly ulong[] _words = new ulong[Slots / 64];
    private readonly BitArray _bits = new(Slots);
    private SegmentTable _table = null!;
    private BlockIndex _index = null!;

    /// <summary>How many of them are dirty.</summary>
    [Params(1, 50)]
    public int DirtyPercent { get; set; }

    /// <summary>Every slot has a block; the others are clean.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _table = new SegmentTable(_geometry);
        _index = new BlockIndex(_geometry, _table, keepChecksums: false);
        Prng random = new(1);
        for (uint slot = 0; slot < Slots; slot++)
        {
            _index.Insert((1UL << 40) | slot, slot, SectorMask.Full, 0);
            if (!random.Chance(DirtyPercent))
            {
                _index.MarkClean(slot);
                continue;
            }
            _words[slot / 64] |= 1UL << (int)slot;
            _bits[(int)slot] = true;
        }
        if (Kernel() != ScalarWords() || Kernel() != ScalarSlots() || Kernel() != LibraryBitArray())
            throw new InvalidOperationException("the dirty blocks differ");
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _index.Dispose();
        _table.Dispose();
    }

    /// <summary>Ours.</summary>
    [Benchmark(OperationsPerInvoke = Slots)]
    public ulong Kernel()
    {
        ulong sum = 0;
        for (long slot = 0; _index.TryNextDirty(ref slot, out ulong key, out _);) sum += (uint)key;
        return sum;
    }

    /// <summary>Slot by slot.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Slots)]
    public ulong ScalarSlots()
    {
        ulong sum = 0;
        for (uint slot = 0; slot < Slots; slot++)
            if (_index.TryGetDirty(slot, out ulong key, out _)) sum += (uint)key;
        return sum;
    }

    /// <summary>The flags alone, by a glance at 32 each.</summary>
    [Benchmark(OperationsPerInvoke = Slots)]
    public int KernelGlance()
    {
        int sum = 0;
        for (long first = 0; first < Slots; first += BlockIndex.GlanceSlots)
            sum += BitOperations.PopCount(_index.Glance(first));
        return sum;
    }

    /// <summary>The same one by one.</summary>
    [Benchmark(OperationsPerInvoke = Slots)]
    public int ScalarGlance()
    {
        int sum = 0;
        for (long first = 0; first < Slots; first += BlockIndex.GlanceSlots)
            sum += BitOperations.PopCount(_index.GlancePortable(first));
        return sum;
    }

    /// <summary>A map of bits, word by word.</summary>
    [Benchmark(OperationsPerInvoke = Slots)]
    public ulong ScalarWords()
    {
        ulong sum = 0;
        for (int word = 0; word < _words.Length; word++)
            for (ulong left = _words[word]; left != 0; left &= left - 1)
                sum += (ulong)((word * 64) + BitOperations.TrailingZeroCount(left));
        return sum;
    }

    /// <summary>The library's map of bits.</summary>
    [Benchmark(OperationsPerInvoke = Slots)]
    public ulong LibraryBitArray()
    {
        ulong sum = 0;
        for (int slot = 0; slot < Slots; slot++)
            if (_bits[slot]) sum += (ulong)slot;
        return sum;
    }
}
