using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Core.Base;

/*
 * A block of 4 KiB where folding is wide. The instruction for CRC32C and the carry-less multiplication run in different
 * parts of the processor, each at about eight bytes a cycle: so each gets one half, in one loop.
 *
 *   |<-------- 2176 folded --------->|<- 640 ->|<- 640 ->|<- 640 ->|
 *    128 at a time, 17 times          three streams, 40 at a time each, 16 times
 *
 * Two places in order are few enough for the processor's prefetching: nothing is asked for before.
 */
public static unsafe partial class Crc32C
{
    private const int BlockBytes = 4096, FoldedBytes = 2176, BlockStretch = 640;
    private const int VectorBytes = CrcFold.VectorBytes, FoldStep = 4 * VectorBytes, StreamStep = 5 * sizeof(ulong);

    // x^(8n - 33) modulo the polynomial, for one, two and three stretches of n bytes.
    private const uint BlockOnce = 0x6b749fb2, BlockTwice = 0xdd66cbbb, BlockThrice = 0xf48642e9;

    private static uint AppendBlock(uint register, byte* from)
    {
        byte* words = from + FoldedBytes, end = words;
        ulong first = 0, second = 0, third = 0;
        Vector256<ulong> over = CrcFold.Over128;
        Vector256<ulong> a = CrcFold.Load(from) ^ Vector256.CreateScalar((ulong)register);
        Vector256<ulong> b = CrcFold.Load(from + VectorBytes);
        Vector256<ulong> c = CrcFold.Load(from + 2 * VectorBytes);
        Vector256<ulong> d = CrcFold.Load(from + 3 * VectorBytes);
        for (from += FoldStep; from < end; from += FoldStep, words += StreamStep)
        {
            a = CrcFold.Move(a, over) ^ CrcFold.Load(from);
            NextWord(words, ref first, ref second, ref third);
            NextWord(words + sizeof(ulong), ref first, ref second, ref third);
            b = CrcFold.Move(b, over) ^ CrcFold.Load(from + VectorBytes);
            NextWord(words + 2 * sizeof(ulong), ref first, ref second, ref third);
            c = CrcFold.Move(c, over) ^ CrcFold.Load(from + 2 * VectorBytes);
            NextWord(words + 3 * sizeof(ulong), ref first, ref second, ref third);
            d = CrcFold.Move(d, over) ^ CrcFold.Load(from + 3 * VectorBytes);
            NextWord(words + 4 * sizeof(ulong), ref first, ref second, ref third);
        }
        d ^= CrcFold.Move(a, CrcFold.Over96);
        d ^= CrcFold.Move(b, CrcFold.Over64);
        d ^= CrcFold.Move(c, CrcFold.Over32);
        ulong folded = CrcFold.SumOf(d.GetUpper() ^ CrcFold.Move(d, CrcFold.Over16).GetLower());
        ulong moved = CrcFold.MoveSum(folded, BlockThrice) ^ CrcFold.MoveSum(first, BlockTwice)
            ^ CrcFold.MoveSum(second, BlockOnce);
        return (uint)(Sse42.X64.Crc32(0, moved) ^ third);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NextWord(byte* words, ref ulong first, ref ulong second, ref ulong third)
    {
        first = Sse42.X64.Crc32(first, Word(words));
        second = Sse42.X64.Crc32(second, Word(words + BlockStretch));
        third = Sse42.X64.Crc32(third, Word(words + 2 * BlockStretch));
    }
}
