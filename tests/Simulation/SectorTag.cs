using System.Globalization;
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Weir.Tests.Simulation;

/// <summary>
/// What one 512-byte sector holds, as one number: 0 for zeroes, the number of the write that filled it for a tagged
/// sector, a hash with the top bit set for anything else. A tagged sector is a function of write and sector number in
/// every one of its 64 words, so foreign, stale, misplaced and torn sectors are all told from good ones.
/// </summary>
public static unsafe class SectorTag
{
    /// <summary>Bytes of a sector.</summary>
    public const int Bytes = 512;

    /// <summary>Sectors of a piece's block.</summary>
    public const int PerBlock = 8;

    /// <summary>A sector that could not be read: says nothing.</summary>
    public const ulong Unknown = 1UL << 62;

    private const ulong Magic = 0x5745_4952_5441_4721;
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private const ulong Golden2 = unchecked(2 * Golden);
    private const ulong Golden3 = unchecked(3 * Golden);
    private const ulong Golden4 = unchecked(4 * Golden);
    private const ulong Foreign = 1UL << 63;

    /// <summary>The value is a hash: neither zeroes nor a whole tagged sector of its own address.</summary>
    public static bool IsForeign(ulong value) => (value & Foreign) != 0;

    /// <summary>Fills the sectors of a write.</summary>
    public static void Fill(byte* data, long firstSector, long count, ulong id)
    {
        for (long i = 0; i < count; i++) FillSector((ulong*)(data + i * Bytes), id, firstSector + i);
    }

    /// <summary>Fills sectors with what is the same for every write of that number, and no tag.</summary>
    public static void FillEcho(byte* data, long firstSector, long count, ulong number)
    {
        Fill(data, firstSector, count, number);
        for (long i = 0; i < count; i++) *(ulong*)(data + i * Bytes) = ~Magic;
    }

    /// <summary>The value of what was read from <paramref name="sector"/>.</summary>
    public static ulong Parse(byte* data, long sector)
    {
        var words = (ulong*)data;
        if (words[0] == 0 && IsZero(words)) return 0;
        if (words[0] == Magic && words[2] == (ulong)sector && IsWhole(words, sector)) return words[1];
        return Hash(words);
    }

    /// <summary>Some sector there begins like a tagged one.</summary>
    public static bool HasMagic(byte* data, long count)
    {
        for (long i = 0; i < count; i++)
        {
            if (*(ulong*)(data + i * Bytes) == Magic) return true;
        }
        return false;
    }

    /// <summary>Says what a sector that should not be there looks like.</summary>
    public static string Describe(byte* data, long sector)
    {
        var words = (ulong*)data;
        ulong value = Parse(data, sector);
        if (value == 0) return "zeroes";
        if (!IsForeign(value)) return string.Create(CultureInfo.InvariantCulture, $"write {value}");
        if (words[0] != Magic) return string.Create(CultureInfo.InvariantCulture, $"foreign bytes {words[0]:x16}");
        string state = IsWhole(words, (long)words[2]) ? "a whole sector" : "a torn sector";
        return string.Create(CultureInfo.InvariantCulture, $"{state} of write {words[1]} for sector {words[2]}");
    }

    private static void FillSector(ulong* words, ulong id, long sector)
    {
        Vector256<ulong> pattern = Pattern(id, sector);
        Vector256<ulong> step = Vector256.Create(Golden4);
        for (int i = 0; i < 64; i += 4)
        {
            pattern.Store(words + i);
            pattern += step;
        }
        words[0] = Magic;
        words[1] = id;
        words[2] = (ulong)sector;
    }

    private static Vector256<ulong> Pattern(ulong id, long sector)
    {
        ulong start = (id * 0xD6E8FEB86659FD93) ^ BitOperations.RotateLeft((ulong)sector * 0xA0761D6478BD642F, 31);
        return Vector256.Create(start, start + Golden, start + Golden2, start + Golden3);
    }

    private static bool IsWhole(ulong* words, long sector)
    {
        Vector256<ulong> pattern = Pattern(words[1], sector);
        if (words[3] != pattern.GetElement(3)) return false;
        Vector256<ulong> step = Vector256.Create(Golden4);
        Vector256<ulong> difference = Vector256<ulong>.Zero;
        for (int i = 4; i < 64; i += 4)
        {
            pattern += step;
            difference |= pattern ^ Vector256.Load(words + i);
        }
        return difference == Vector256<ulong>.Zero;
    }

    private static bool IsZero(ulong* words)
    {
        Vector256<ulong> any = Vector256<ulong>.Zero;
        for (int i = 0; i < 64; i += 4) any |= Vector256.Load(words + i);
        return any == Vector256<ulong>.Zero;
    }

    private static ulong Hash(ulong* words)
    {
        ulong h = 0x243F6A8885A308D3;
        for (int i = 0; i < 64; i++)
        {
            h = (h ^ words[i]) * Golden;
            h ^= h >> 32;
        }
        return h | Foreign;
    }
}
