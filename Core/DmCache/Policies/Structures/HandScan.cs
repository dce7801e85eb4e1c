using System.Numerics;
using System.Runtime.Intrinsics;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// A hand that goes over positions with two bits each, used and marked: it takes marks away until it comes to a used
/// one that has none. 256 positions at a time. Unused positions have no mark.
/// </summary>
internal static unsafe class HandScan
{
    private const int WordBits = 64, WordShift = 6, VectorBits = 256, VectorShift = 8, VectorWords = 4;

    /// <summary>
    /// The first position from <paramref name="from"/> on, below <paramref name="end"/>, that is used and not marked;
    /// <paramref name="end"/>: there is none. Those before it are not marked any more.
    /// </summary>
    public static uint Next(ulong* used, ulong* marks, uint from, uint end)
    {
        if (!Vector256.IsHardwareAccelerated) return NextScalar(used, marks, from, end);
        // Up to the first whole vector; whole ones; the rest.
        uint aligned = (from + VectorBits - 1) >> VectorShift << VectorShift;
        if (aligned + VectorBits > end) return NextScalar(used, marks, from, end);
        uint found = NextScalar(used, marks, from, aligned);
        if (found < aligned) return found;
        uint word = aligned >> WordShift;
        for (; (word + VectorWords) << WordShift <= end; word += VectorWords)
        {
            Vector256<ulong> open = Vector256.AndNot(Vector256.Load(used + word), Vector256.Load(marks + word));
            if (open != Vector256<ulong>.Zero) break;
            Vector256<ulong>.Zero.Store(marks + word);
        }
        return NextScalar(used, marks, word << WordShift, end);
    }

    /// <summary>The same, word by word.</summary>
    public static uint NextScalar(ulong* used, ulong* marks, uint from, uint end)
    {
        while (from < end)
        {
            uint word = from >> WordShift, start = word << WordShift;
            ulong within = ulong.MaxValue << (int)(from - start);
            if (end - start < WordBits) within &= ~(ulong.MaxValue << (int)(end - start));
            ulong open = used[word] & ~marks[word] & within;
            if (open != 0)
            {
                marks[word] &= ~(within & ((open & (0 - open)) - 1));
                return start + (uint)BitOperations.TrailingZeroCount(open);
            }
            marks[word] &= ~within;
            from = start + WordBits;
        }
        return end;
    }
}
