using System;
using System.Globalization;
using Weir.Core.Base;
using Weir.Core.Traces;

namespace Weir.Frontends.Simulate;

/// <summary>A size of a cache, as users write it.</summary>
/// <param name="Text">What they wrote.</param>
/// <param name="Percent">Of all blocks of a trace; 0: bytes are meant.</param>
/// <param name="Bytes">In bytes, where no percent are meant.</param>
internal readonly record struct CacheSize(string Text, double Percent, long Bytes)
{
    /// <summary>What is tried unasked.</summary>
    public const string Usual = "1%,5%,10%,20%";

    /// <summary>Reads one. Throws <c>UserErrorException</c>.</summary>
    public static CacheSize Parse(string text)
    {
        if (!text.EndsWith('%'))
        {
            long bytes = ByteSize.Parse(text, "--sizes");
            return bytes > 0 ? new CacheSize(text, 0, bytes) : throw Wrong(text);
        }
        bool isNumber = double.TryParse(
            text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
            out double percent);
        return isNumber && percent is > 0 and <= 100 ? new CacheSize(text, percent, 0) : throw Wrong(text);
    }

    /// <summary>In blocks of a trace's cache, at least one. Throws when it is more than there can be.</summary>
    public uint PlacesFor(CompactTrace trace)
    {
        const long most = 1L << 30;
        if (Percent > 0) return trace.PlacesOf(Percent);
        long places = Math.Max(1, Bytes / trace.Figures.BlockBytes);
        return places <= most ? (uint)places : throw new UserErrorException($"--sizes {Text}: {places} blocks of "
            + $"{ByteSize.Format(trace.Figures.BlockBytes)}; expected at most {most}", Program.WrongUsage);
    }

    private static UserErrorException Wrong(string text) =>
        new($"--sizes {text}: expected more than nothing, such as 4G, or 0.5% to 100%", Program.WrongUsage);
}
