using System;
using System.Numerics;

namespace Weir.Core.Writeboost;

/// <summary>The eight sectors of a block as bits.</summary>
public static unsafe class SectorMask
{
    /// <summary>All eight.</summary>
    public const byte Full = 0xFF;

    /// <summary>The sectors of <paramref name="lengthBytes"/> bytes from <paramref name="withinBytes"/> on.</summary>
    public static byte Of(int withinBytes, int lengthBytes) =>
        (byte)(((1 << (lengthBytes / Geometry.SectorBytes)) - 1) << (withinBytes / Geometry.SectorBytes));

    /// <summary>
    /// The next run of set bits in <paramref name="sectors"/>, as bytes; clears it there. False when none is left.
    /// </summary>
    public static bool TakeRun(ref byte sectors, out int withinBytes, out int lengthBytes)
    {
        int first = BitOperations.TrailingZeroCount((uint)sectors);
        int count = BitOperations.TrailingZeroCount(~((uint)sectors >> first));
        (withinBytes, lengthBytes) = (first * Geometry.SectorBytes, count * Geometry.SectorBytes);
        if (sectors == 0) return false;
        sectors &= (byte)~Of(withinBytes, lengthBytes);
        return true;
    }

    /// <summary>Copies the sectors in <paramref name="sectors"/> from one block to another.</summary>
    public static void Copy(byte* target, byte* source, byte sectors)
    {
        while (TakeRun(ref sectors, out int within, out int length))
            Buffer.MemoryCopy(source + within, target + within, length, length);
    }

    /// <summary>Zeroes the sectors in <paramref name="sectors"/> of a block.</summary>
    public static void Clear(byte* target, byte sectors)
    {
        while (TakeRun(ref sectors, out int within, out int length)) new Span<byte>(target + within, length).Clear();
    }
}
