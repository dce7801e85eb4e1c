using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/*
 * The same sum where folding is wide (Core/Base/CrcFold.cs): the first half of the block is folded, the second summed
 * by the instruction, in one loop. A lane's words lie 32 bytes apart, so two vectors make, unpacked, two words of each:
 *
 *   a0 b0 c0 d0 | a1 b1 c1 d1   ->   a0 a1 c0 c1 | b0 b1 d0 d1
 *
 * Four strides are a step: each lane goes on by 32 bytes, in two pairs of its words that are moved alone until the end.
 */
public static unsafe partial class BlockSum
{
    private const int HalfBytes = Geometry.BlockBytes / 2, StepBytes = 4 * StrideBytes;

    // x^(8n - 33) modulo the polynomial, for the n bytes of a lane in one half.
    private const uint OverHalf = 0xdd7e3b0c;

    private static uint ComputeWide(byte* block)
    {
        ulong a = 0, b = 0, c = 0, d = 0;
        Vector256<ulong> over = CrcFold.Over32, none = Vector256<ulong>.Zero;
        // Each lane's register begins with ones.
        Pair(block, Vector256.Create((ulong)uint.MaxValue), out Vector256<ulong> ac, out Vector256<ulong> bd);
        Pair(block + 2 * StrideBytes, none, out Vector256<ulong> acNext, out Vector256<ulong> bdNext);
        byte* words = block + HalfBytes, end = words;
        for (byte* from = block + StepBytes; from < end; from += StepBytes, words += StepBytes)
        {
            Pair(from, none, out Vector256<ulong> acNew, out Vector256<ulong> bdNew);
            ac = CrcFold.Move(ac, over) ^ acNew;
            NextStride(words, ref a, ref b, ref c, ref d);
            bd = CrcFold.Move(bd, over) ^ bdNew;
            NextStride(words + StrideBytes, ref a, ref b, ref c, ref d);
            Pair(from + 2 * StrideBytes, none, out acNew, out bdNew);
            acNext = CrcFold.Move(acNext, over) ^ acNew;
            NextStride(words + 2 * StrideBytes, ref a, ref b, ref c, ref d);
            bdNext = CrcFold.Move(bdNext, over) ^ bdNew;
            NextStride(words + 3 * StrideBytes, ref a, ref b, ref c, ref d);
        }
        for (; words < block + Geometry.BlockBytes; words += StrideBytes)
            NextStride(words, ref a, ref b, ref c, ref d);
        ac = CrcFold.Move(ac, CrcFold.Over16) ^ acNext;
        bd = CrcFold.Move(bd, CrcFold.Over16) ^ bdNext;
        return Merge(
            (uint)(a ^ Moved(ac.GetLower())), (uint)(b ^ Moved(bd.GetLower())),
            (uint)(c ^ Moved(ac.GetUpper())), (uint)(d ^ Moved(bd.GetUpper())));
    }

    /// <summary>Two strides, as two words of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(byte* from, Vector256<ulong> begin, out Vector256<ulong> ac, out Vector256<ulong> bd)
    {
        Vector256<ulong> first = CrcFold.Load(from) ^ begin, second = CrcFold.Load(from + StrideBytes);
        (ac, bd) = (Avx2.UnpackLow(first, second), Avx2.UnpackHigh(first, second));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NextStride(byte* words, ref ulong a, ref ulong b, ref ulong c, ref ulong d)
    {
        a = Sse42.X64.Crc32(a, Word(words));
        b = Sse42.X64.Crc32(b, Word(words + 8));
        c = Sse42.X64.Crc32(c, Word(words + 16));
        d = Sse42.X64.Crc32(d, Word(words + 24));
    }

    /// <summary>The register of a lane of the first half, moved over the second.</summary>
    private static ulong Moved(Vector128<ulong> lane) =>
        Sse42.X64.Crc32(0, CrcFold.MoveSum(CrcFold.SumOf(lane), OverHalf));
}
