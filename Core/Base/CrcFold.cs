using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Core.Base;

/*
 * CRC32C by carry-less multiplication of wide vectors (VPCLMULQDQ). The data is a polynomial over two elements, and
 * what counts is its remainder modulo the CRC's. A lane of 16 bytes stands for all bytes before; it is moved over those
 * that follow, and they are added:
 *
 *   lane                          = low half * x^64     + high half         (reflected: the low half comes first)
 *   the same moved over n bits    = low half * x^(n+64) + high half * x^n   (powers modulo the polynomial)
 *
 * A product of reflected numbers comes out one bit short: the factors are x^(n+63) and x^(n-1), in the upper halves of
 * their words.
 */

/// <summary>Steps of sums that fold: the program is compiled for processors without them too.</summary>
internal static unsafe class CrcFold
{
    /// <summary>Bytes of a vector.</summary>
    public const int VectorBytes = 32;

    /// <summary>Asked when it runs.</summary>
    public static bool IsSupported => Sse42.X64.IsSupported && Pclmulqdq.IsSupported && Pclmulqdq.V256.IsSupported;

    /// <summary>Moves each lane over 16 bytes.</summary>
    public static Vector256<ulong> Over16 => Factors(0x3743f7bd, 0x3171d430);

    /// <summary>Moves each lane over 32 bytes.</summary>
    public static Vector256<ulong> Over32 => Factors(0x33ccbbbc, 0xa2158b34);

    /// <summary>Moves each lane over 64 bytes.</summary>
    public static Vector256<ulong> Over64 => Factors(0x1c19243b, 0x75bba45b);

    /// <summary>Moves each lane over 96 bytes.</summary>
    public static Vector256<ulong> Over96 => Factors(0xc92f998d, 0x3365346a);

    /// <summary>Moves each lane over 128 bytes.</summary>
    public static Vector256<ulong> Over128 => Factors(0x6577b245, 0x7417153f);

    /// <summary>Both lanes, moved.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Move(Vector256<ulong> lanes, Vector256<ulong> over) =>
        Pclmulqdq.V256.CarrylessMultiply(lanes, over, 0x00) ^ Pclmulqdq.V256.CarrylessMultiply(lanes, over, 0x11);

    /// <summary>32 bytes, anywhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Load(byte* from) => Vector256.Load((ulong*)from);

    /// <summary>The raw register after the bytes that a lane stands for.</summary>
    public static ulong SumOf(Vector128<ulong> lane) =>
        Sse42.X64.Crc32(Sse42.X64.Crc32(0, lane.GetElement(0)), lane.GetElement(1));

    /// <summary>
    /// A register, times <paramref name="factor"/>: x^(8n-33) moves it over n bytes, when the instruction has reduced
    /// the product, <c>Crc32(0, product)</c>.
    /// </summary>
    public static ulong MoveSum(ulong sum, uint factor) => Pclmulqdq.CarrylessMultiply(
        Vector128.CreateScalar(sum), Vector128.CreateScalar((ulong)factor), 0).ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Factors(uint low, uint high) =>
        Vector256.Create((ulong)low << 32, (ulong)high << 32, (ulong)low << 32, (ulong)high << 32);
}
