using System;
using System.Numerics;

namespace Weir.Core.Caching;

/// <summary>Neighbouring sectors of a block of up to 32 KiB, a bit each, as bytes.</summary>
internal static unsafe class SectorRuns
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorBytes = 512;

    /// <summary>
    /// The next run of set bits in <paramref name="sectors"/>, as bytes; clears it there. False when none is left.
    /// </summary>
    public static bool Take(ref ulong sectors, out int withinBytes, out int lengthBytes)
    {
        int first = BitOperations.TrailingZeroCount(sectors);
        int count = BitOperations.TrailingZeroCount(~(sectors >> first));
        (withinBytes, lengthBytes) = (first * SectorBytes, count * SectorBytes);
        if (sectors == 0) return false;
        // The carry goes through the run and ends behind it.
        sectors &= sectors + (1UL << first);
        return true;
    }

    /// <summary>Copies the sectors in <paramref name="sectors"/> from one block to another.</summary>
    public static void Copy(byte* target, byte* source, ulong sectors)
    {
        while (Take(ref sectors, out int within, out int length))
            Buffer.MemoryCopy(source + within, target + within, length, length);
    }

    /// <summary>Zeroes the sectors in <paramref name="sectors"/> of a block.</summary>
    public static void Clear(byte* target, ulong sectors)
    {
        while (Take(ref sectors, out int within, out int length)) new Span<byte>(target + within, length).Clear();
    }
}
