using Weir.Core.Caching;

namespace Weir.Core.Writeboost.Format;

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
        ulong left = sectors;
        bool any = SectorRuns.Take(ref left, out withinBytes, out lengthBytes);
        sectors = (byte)left;
        return any;
    }

    /// <summary>Copies the sectors in <paramref name="sectors"/> from one block to another.</summary>
    public static void Copy(byte* target, byte* source, byte sectors) => SectorRuns.Copy(target, source, sectors);

    /// <summary>Zeroes the sectors in <paramref name="sectors"/> of a block.</summary>
    public static void Clear(byte* target, byte sectors) => SectorRuns.Clear(target, sectors);
}
