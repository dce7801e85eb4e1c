using System.Collections;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost.Format;

namespace Weir.Bench.Kernels;

/// <summary>The runs of dirty sectors in a block, for all 256 patterns; each transfer of a part begins so.</summary>
public class SectorRunsBench
{
    private const int Patterns = 256, Sectors = 8;

    private readonly BitArray[] _arrays = new BitArray[Patterns];

    /// <summary>The library's form of the patterns.</summary>
    [GlobalSetup]
    public void Fill()
    {
        for (int i = 0; i < Patterns; i++) _arrays[i] = new BitArray([(byte)i]);
        if (Kernel() != ScalarBits() || Kernel() != LibraryBitArray())
            throw new System.InvalidOperationException("the runs differ");
    }

    /// <summary>Ours: trailing zeroes and ones are counted.</summary>
    [Benchmark(OperationsPerInvoke = Patterns)]
    public int Kernel()
    {
        int sum = 0;
        for (int i = 0; i < Patterns; i++)
        {
            byte left = (byte)i;
            while (SectorMask.TakeRun(ref left, out int within, out int length)) sum += within ^ length;
        }
        return sum;
    }

    /// <summary>Bit by bit.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Patterns)]
    public int ScalarBits()
    {
        int sum = 0;
        for (int i = 0; i < Patterns; i++)
            for (int first = 0; first < Sectors; first++)
            {
                int end = first;
                while (end < Sectors && ((i >> end) & 1) != 0) end++;
                if (end == first) continue;
                sum += (first * Geometry.SectorBytes) ^ ((end - first) * Geometry.SectorBytes);
                first = end;
            }
        return sum;
    }

    /// <summary>The library's bits.</summary>
    [Benchmark(OperationsPerInvoke = Patterns)]
    public int LibraryBitArray()
    {
        int sum = 0;
        foreach (BitArray bits in _arrays)
            for (int first = 0; first < Sectors; first++)
            {
                int end = first;
                while (end < Sectors && bits[end]) end++;
                if (end == first) continue;
                sum += (first * Geometry.SectorBytes) ^ ((end - first) * Geometry.SectorBytes);
                first = end;
            }
        return sum;
    }
}
