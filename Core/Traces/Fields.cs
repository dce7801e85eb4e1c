using System;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Weir.Core.Traces;

/// <summary>Words and numbers of a line of text.</summary>
internal static class Fields
{
    /// <summary>The next word, blanks before it left out; empty: there is none. Moves on behind it.</summary>
    public static ReadOnlySpan<byte> Word(scoped ref ReadOnlySpan<byte> rest)
    {
        int begin = 0;
        while (begin < rest.Length && IsBlank(rest[begin])) begin++;
        int end = begin;
        while (end < rest.Length && !IsBlank(rest[end])) end++;
        ReadOnlySpan<byte> word = rest[begin..end];
        rest = rest[end..];
        return word;
    }

    /// <summary>The next value up to <paramref name="separator"/>, without blanks and quotes around it.</summary>
    public static ReadOnlySpan<byte> Value(scoped ref ReadOnlySpan<byte> rest, byte separator)
    {
        int at = rest.IndexOf(separator);
        ReadOnlySpan<byte> value = at < 0 ? rest : rest[..at];
        rest = at < 0 ? default : rest[(at + 1)..];
        return value.Trim(" \""u8);
    }

    /// <summary>A whole number that is not negative, decimal or 0x with hexadecimal digits; all of the text.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> text, out long value)
    {
        bool isHex = text.StartsWith("0x"u8) || text.StartsWith("0X"u8);
        if (isHex) text = text[2..];
        return Utf8Parser.TryParse(text, out value, out int used, isHex ? 'X' : 'D')
            && used == text.Length && used > 0 && value >= 0;
    }

    /// <summary>A time with or without a fraction, in units of <paramref name="unitUs"/>; not negative.</summary>
    public static bool TryTime(ReadOnlySpan<byte> text, double unitUs, out long us)
    {
        us = 0;
        if (TryNumber(text, out long whole))
        {
            double exact = whole * unitUs;
            us = unitUs == 1 ? whole : (long)exact;
            return exact < long.MaxValue;
        }
        bool isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        if (!isNumber || value < 0 || !(value * unitUs < long.MaxValue)) return false;
        us = (long)(value * unitUs);
        return true;
    }

    /// <summary>Is it ASCII text equal to <paramref name="word"/>, in capitals or not?</summary>
    public static bool Is(ReadOnlySpan<byte> text, string word) => Ascii.EqualsIgnoreCase(text, word);

    /// <summary>For people: short, and without what a terminal would obey.</summary>
    public static string Show(ReadOnlySpan<byte> text)
    {
        const int most = 60;
        StringBuilder shown = new();
        foreach (byte b in text[..Math.Min(most, text.Length)])
            shown.Append(b is >= 0x20 and < 0x7F ? (char)b : '?');
        return text.Length > most ? shown.Append("...").ToString() : shown.ToString();
    }

    private static bool IsBlank(byte b) => b is (byte)' ' or (byte)'\t';
}
