using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weir.Core.Base;

/// <summary>
/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78). <see cref="Append(uint, byte*, long)"/> works on the raw
/// register, without inversions, because on-disk formats differ in what they begin and end with;
/// <see cref="Compute(ReadOnlySpan{byte})"/> is the common form, ones before and inverted after.
/// </summary>
/// <remarks>
/// The processor's instruction takes three cycles and one can start in each, so three stretches of the data are
/// summed side by side. A sum is moved over the n bytes that follow it by one carry-less multiplication with
/// x^(8n-33) modulo the polynomial; the -33 makes up for the reduction that the next instruction does anyway.
/// Memory decides the rest, measured on 4 KiB: three streams at once defeat the processor's prefetching when the data
/// is not in cache (570 ns instead of 145), so lines are asked for in order first (190 ns, and 160 in cache).
/// Processors with wide carry-less multiplication sum a block in half of that: Crc32C.Block.cs.
/// </remarks>
public static unsafe partial class Crc32C
{
    // Stretches of whole words, such that three fill 4096 and 512 bytes but for a word or two.
    private const int LongStretch = 1360;
    private const int ShortStretch = 168;
    // x^(8*stretch - 33) and x^(16*stretch - 33) modulo the polynomial, reflected.
    private const uint LongOnce = 0x3f70cc6f, LongTwice = 0x5aa1f3cf;
    private const uint ShortOnce = 0x1b3d8f29, ShortTwice = 0xa60ce07b;

    private static bool HasKernel => Sse42.X64.IsSupported && Pclmulqdq.IsSupported;

    /// <summary>The checksum as most formats store it: of <c>123456789</c> it is 0xE3069283.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => ~Append(~0u, data);

    /// <summary>As <see cref="Compute(ReadOnlySpan{byte})"/>.</summary>
    public static uint Compute(byte* data, long length) => ~Append(~0u, data, length);

    /// <summary>Adds bytes to a raw register.</summary>
    public static uint Append(uint register, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data) return Append(register, p, data.Length);
    }

    /// <summary>Adds bytes to a raw register.</summary>
    public static uint Append(uint register, byte* data, long length)
    {
        if (!HasKernel) return AppendPortable(register, data, length);
        long blocks = 0;
        // Asked when it runs: the program is compiled for processors without it too.
        if (length >= BlockBytes && CrcFold.IsSupported)
            for (; length - blocks >= BlockBytes; blocks += BlockBytes) register = AppendBlock(register, data + blocks);
        return AppendStreams(register, data + blocks, length - blocks);
    }

    /// <summary>
    /// The plain chain: what processors without the instructions use, and the twin of the kernel in tests.
    /// </summary>
    internal static uint AppendPortable(uint register, byte* data, long length)
    {
        long i = 0;
        for (; i <= length - sizeof(ulong); i += sizeof(ulong))
            register = BitOperations.Crc32C(register, Unsafe.ReadUnaligned<ulong>(data + i));
        for (; i < length; i++) register = BitOperations.Crc32C(register, data[i]);
        return register;
    }

    /// <summary>Three streams: what is no whole block, and all of it where multiplication is not wide.</summary>
    internal static uint AppendStreams(uint register, byte* from, long length)
    {
        ulong sum = register;
        long done = 0;
        for (; length - done >= 3 * LongStretch; done += 3 * LongStretch)
            sum = ThreeLong(sum, from + done);
        for (; length - done >= 3 * ShortStretch; done += 3 * ShortStretch)
            sum = Three(sum, from + done, ShortStretch, ShortOnce, ShortTwice);
        for (; length - done >= sizeof(ulong); done += sizeof(ulong))
            sum = Sse42.X64.Crc32(sum, Word(from + done));
        for (; done < length; done++) sum = Sse42.Crc32((uint)sum, from[done]);
        return (uint)sum;
    }

    private static ulong ThreeLong(ulong sum, byte* from)
    {
        const int line = 64;
        for (int i = 0; i < 3 * LongStretch; i += line) Sse.Prefetch0(from + i);
        return Three(sum, from, LongStretch, LongOnce, LongTwice);
    }

    /// <summary>Three stretches side by side. The last word of the third also takes in the two moved sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Three(ulong sum, byte* from, int stretch, uint once, uint twice)
    {
        ulong second = 0, third = 0;
        int i = 0;
        for (; i < stretch - sizeof(ulong); i += sizeof(ulong))
        {
            sum = Sse42.X64.Crc32(sum, Word(from + i));
            second = Sse42.X64.Crc32(second, Word(from + stretch + i));
            third = Sse42.X64.Crc32(third, Word(from + 2 * stretch + i));
        }
        sum = Sse42.X64.Crc32(sum, Word(from + i));
        second = Sse42.X64.Crc32(second, Word(from + stretch + i));
        ulong last = Word(from + 2 * stretch + i);
        return Sse42.X64.Crc32(third, last ^ CrcFold.MoveSum(sum, twice) ^ CrcFold.MoveSum(second, once));
    }

    private static ulong Word(byte* from) => Unsafe.ReadUnaligned<ulong>(from);
}
