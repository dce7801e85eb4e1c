using System;
using System.Globalization;

namespace Weir.Core.Base;

/// <summary>
/// Sizes as users write and read them: <c>4096</c>, <c>512K</c>, <c>1G</c>; K, M, G and T are powers of 1024.
/// </summary>
public static class ByteSize
{
    private const string Units = "KMGT";

    /// <summary>Reads a size. False when it is no number with at most one unit, negative, or beyond 63 bits.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes)
    {
        bytes = 0;
        if (text.IsEmpty) return false;
        int power = Units.IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) + 1;
        ReadOnlySpan<char> digits = power > 0 ? text[..^1] : text;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long value)) return false;
        if (value > long.MaxValue >> (10 * power)) return false;
        bytes = value << (10 * power);
        return true;
    }

    /// <summary>Reads a size, or says what was wrong with <paramref name="what"/>.</summary>
    public static long Parse(string text, string what) =>
        TryParse(text, out long bytes)
            ? bytes
            : throw new UserErrorException($"{what}: '{text}' is not a size such as 4096, 512K, 64M, 1G or 2T", 2);

    /// <summary>
    /// The size in the largest unit that leaves a number of at least 1: <c>1.5 GiB</c>, <c>512 B</c>.
    /// </summary>
    public static string Format(long bytes)
    {
        int power = 0;
        double value = bytes;
        while (power < Units.Length && value >= 1024)
        {
            value /= 1024;
            power++;
        }
        string unit = power == 0 ? "B" : Units[power - 1] + "iB";
        return value.ToString(value % 1 == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + unit;
    }
}
