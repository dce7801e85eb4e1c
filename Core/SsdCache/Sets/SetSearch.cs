using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Core.SsdCache.Sets;

/// <summary>
/// What is asked of all 16 ways of a set at once; results are masks, bit w for way w. Words of a set are 64 bytes on a
/// 64-byte boundary: two vectors. Each form has a scalar twin.
/// </summary>
internal static unsafe class SetSearch
{
    /// <summary>All ways.</summary>
    public const uint All = 0xFFFF;

    /// <summary>So many ticks in the future are now: threads read their clocks before they store.</summary>
    public const uint Skew = 1 << 16;

    private const int Ways = Format.SsdGeometry.Ways, Half = 8;

    /// <summary>The ways whose word is <paramref name="word"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Equal(uint* words, uint word)
    {
        if (!Vector256.IsHardwareAccelerated) return EqualScalar(words, word);
        Vector256<uint> wanted = Vector256.Create(word);
        uint low = Vector256.Equals(Vector256.LoadAligned(words), wanted).ExtractMostSignificantBits();
        uint high = Vector256.Equals(Vector256.LoadAligned(words + Half), wanted).ExtractMostSignificantBits();
        return low | (high << Half);
    }

    /// <summary>The same, way by way.</summary>
    public static uint EqualScalar(uint* words, uint word)
    {
        uint found = 0;
        for (int way = 0; way < Ways; way++) found |= (words[way] == word ? 1u : 0) << way;
        return found;
    }

    /// <summary>The way whose word is <paramref name="tag"/>, which at most one is; -1: none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FindTag(uint* tags, uint tag)
    {
        uint found = Equal(tags, tag);
        return found == 0 ? -1 : BitOperations.TrailingZeroCount(found);
    }

    /// <summary>The ways that have one of the bits of <paramref name="bits"/>.</summary>
    public static uint Any(uint* words, uint bits)
    {
        if (!Vector256.IsHardwareAccelerated) return AnyScalar(words, bits);
        Vector256<uint> wanted = Vector256.Create(bits);
        Vector256<uint> low = Vector256.LoadAligned(words) & wanted;
        Vector256<uint> high = Vector256.LoadAligned(words + Half) & wanted;
        uint none = Vector256.Equals(low, Vector256<uint>.Zero).ExtractMostSignificantBits()
            | (Vector256.Equals(high, Vector256<uint>.Zero).ExtractMostSignificantBits() << Half);
        return none ^ All;
    }

    /// <summary>The same, way by way.</summary>
    public static uint AnyScalar(uint* words, uint bits)
    {
        uint found = 0;
        for (int way = 0; way < Ways; way++) found |= ((words[way] & bits) != 0 ? 1u : 0) << way;
        return found;
    }

    /// <summary>
    /// The way with the earliest time among <paramref name="ways"/>, of equals the first, and how many ticks ago, plus
    /// <see cref="Skew"/>.
    /// </summary>
    public static int Oldest(uint* times, uint ways, uint now, out uint age)
    {
        if (!Vector256.IsHardwareAccelerated) return OldestScalar(times, ways, now, out age);
        Vector256<uint> least = Vector256.Create(Skew), end = Vector256.Create(now + Skew);
        Vector256<uint> low = Vector256.Max(end - Vector256.LoadAligned(times), least) & LanesOf(ways);
        Vector256<uint> high = Vector256.Max(end - Vector256.LoadAligned(times + Half), least) & LanesOf(ways >> Half);
        age = Largest(Vector256.Max(low, high));
        Vector256<uint> wanted = Vector256.Create(age);
        uint found = Vector256.Equals(low, wanted).ExtractMostSignificantBits()
            | (Vector256.Equals(high, wanted).ExtractMostSignificantBits() << Half);
        return BitOperations.TrailingZeroCount(found);
    }

    /// <summary>The same, way by way.</summary>
    public static int OldestScalar(uint* times, uint ways, uint now, out uint age)
    {
        (int oldest, age) = (0, 0);
        for (int way = 0; way < Ways; way++)
        {
            uint own = uint.Max(now + Skew - times[way], Skew);
            if (((ways >> way) & 1) != 0 && own > age) (oldest, age) = (way, own);
        }
        return oldest;
    }

    /// <summary>The ways with the smallest count among <paramref name="ways"/>, and that count.</summary>
    public static uint Fewest(byte* counts, uint ways, out byte count)
    {
        if (!Sse41.IsSupported) return FewestScalar(counts, ways, out count);
        Vector128<byte> own = Vector128.LoadAligned(counts) | ~BytesOf(ways);
        Vector128<ushort> pairs = Vector128.Min(own, (own.AsUInt16() >> 8).AsByte() | Vector128.Create((ushort)0xFF00)
            .AsByte()).AsUInt16() & Vector128.Create((ushort)0xFF);
        count = (byte)Sse41.MinHorizontal(pairs).ToScalar();
        return Vector128.Equals(own, Vector128.Create(count)).ExtractMostSignificantBits() & ways;
    }

    /// <summary>The same, way by way.</summary>
    public static uint FewestScalar(byte* counts, uint ways, out byte count)
    {
        (uint found, count) = (0, byte.MaxValue);
        for (int way = 0; way < Ways; way++)
        {
            if (((ways >> way) & 1) == 0 || counts[way] > count) continue;
            if (counts[way] < count) (found, count) = (0, counts[way]);
            found |= 1u << way;
        }
        return found;
    }

    /// <summary>The ways whose count is not 0.</summary>
    public static uint Counted(byte* counts) => Vector128.IsHardwareAccelerated
        ? Vector128.Equals(Vector128.LoadAligned(counts), Vector128<byte>.Zero).ExtractMostSignificantBits() ^ All
        : CountedScalar(counts);

    /// <summary>The same, way by way.</summary>
    public static uint CountedScalar(byte* counts)
    {
        uint found = 0;
        for (int way = 0; way < Ways; way++) found |= (counts[way] != 0 ? 1u : 0) << way;
        return found;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Largest(Vector256<uint> values)
    {
        Vector128<uint> four = Vector128.Max(values.GetLower(), values.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2u, 3, 0, 1)));
        return Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(1u, 0, 3, 2))).ToScalar();
    }

    // All bits of the lanes whose bit is set.
    private static Vector256<uint> LanesOf(uint ways)
    {
        Vector256<uint> bits = Vector256.Create(1u, 2, 4, 8, 16, 32, 64, 128);
        return Vector256.Equals(Vector256.Create(ways) & bits, bits);
    }

    private static Vector128<byte> BytesOf(uint ways)
    {
        Vector128<byte> bits = Vector128.Create(0x8040201008040201UL).AsByte();
        Vector128<byte> spread = Vector128.Create((ways & 0xFF) * 0x0101010101010101UL,
            ((ways >> Half) & 0xFF) * 0x0101010101010101UL).AsByte();
        return Vector128.Equals(spread & bits, bits);
    }
}
