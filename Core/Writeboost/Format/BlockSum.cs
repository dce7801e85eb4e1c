using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// The checksum of a logged block in layout <c>native</c>: CRC32C, word by word, in four lanes. Word i goes to lane
/// i mod 4; each lane's register begins with ones; the sum is the CRC32C of the four registers.
/// </summary>
/// <remarks>
/// Not the plain CRC32C of the block: that is the same number for every block that ends with its own CRC32C, as our
/// headers do, and whatever a client stores that does (a cache inside a cache). A torn record could then show such a
/// block of an earlier record in the place of a new one, and pass. Lanes also need no merging and read in order.
/// </remarks>
public static unsafe class BlockSum
{
    private const int Lanes = 4;
    private const int StrideBytes = Lanes * sizeof(ulong);

    /// <summary>The sum of the 4 KiB at <paramref name="block"/>.</summary>
    public static uint Compute(byte* block)
    {
        uint a = ~0u, b = ~0u, c = ~0u, d = ~0u;
        for (int i = 0; i < Geometry.BlockBytes; i += StrideBytes)
        {
            a = BitOperations.Crc32C(a, Word(block + i));
            b = BitOperations.Crc32C(b, Word(block + i + 8));
            c = BitOperations.Crc32C(c, Word(block + i + 16));
            d = BitOperations.Crc32C(d, Word(block + i + 24));
        }
        return Merge(a, b, c, d);
    }

    /// <summary>Copies 4 KiB that do not overlap, reading them once, and returns their sum.</summary>
    public static uint CopyAndCompute(byte* to, byte* from)
    {
        uint a = ~0u, b = ~0u, c = ~0u, d = ~0u;
        for (int i = 0; i < Geometry.BlockBytes; i += StrideBytes)
        {
            a = BitOperations.Crc32C(a, Take(to + i, from + i));
            b = BitOperations.Crc32C(b, Take(to + i + 8, from + i + 8));
            c = BitOperations.Crc32C(c, Take(to + i + 16, from + i + 16));
            d = BitOperations.Crc32C(d, Take(to + i + 24, from + i + 24));
        }
        return Merge(a, b, c, d);
    }

    private static uint Merge(uint a, uint b, uint c, uint d) =>
        ~BitOperations.Crc32C(BitOperations.Crc32C(~0u, a | ((ulong)b << 32)), c | ((ulong)d << 32));

    private static ulong Word(byte* from) => Unsafe.ReadUnaligned<ulong>(from);

    private static ulong Take(byte* to, byte* from)
    {
        ulong word = Unsafe.ReadUnaligned<ulong>(from);
        Unsafe.WriteUnaligned(to, word);
        return word;
    }
}
