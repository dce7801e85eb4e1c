using System;
using System.Diagnostics;
using Weir.Core.Base;
using Weir.Core.Writeboost.Settings;

namespace Weir.Bench.Measuring;

/// <summary>
/// What a 4 KiB write cannot do without: its bytes moved once, into memory as large and as cold as the RAM segments,
/// and one checksum over them.
/// </summary>
internal static unsafe class LeastWork
{
    // As far apart as weir bench's are: a processor that has seen the neighbour has not guessed this one.
    private const int BlockBytes = 4096, StrideBytes = 2 * BlockBytes, Blocks = (256 << 20) / StrideBytes, Passes = 5;

    /// <summary>Nanoseconds for each block: of the best of some passes; the first ones also compile the code.</summary>
    public static double Nanoseconds()
    {
        int targets = new WriteboostOptions().RamSegments * (1 << 20) / BlockBytes;
        using AlignedMemory from = new((long)StrideBytes * Blocks), to = new((long)BlockBytes * targets);
        // Pages that nobody has written are one and the same, and never cold.
        new Span<byte>(from.Pointer, StrideBytes * Blocks).Fill(1);
        new Span<byte>(to.Pointer, BlockBytes * targets).Fill(1);
        double best = double.MaxValue;
        for (int pass = 0; pass < Passes; pass++) best = Math.Min(best, Pass(from.Pointer, to.Pointer, targets));
        return best;
    }

    private static double Pass(byte* from, byte* to, int targets)
    {
        uint sum = 0;
        long startedAt = Stopwatch.GetTimestamp();
        for (int i = 0; i < Blocks; i++)
        {
            byte* target = to + ((long)(i % targets) * BlockBytes);
            Buffer.MemoryCopy(from + ((long)i * StrideBytes), target, BlockBytes, BlockBytes);
            sum ^= Crc32C.Compute(target, BlockBytes);
        }
        GC.KeepAlive(sum);
        return Stopwatch.GetElapsedTime(startedAt).TotalNanoseconds / Blocks;
    }
}
