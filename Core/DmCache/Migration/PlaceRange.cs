using System;
using System.Globalization;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Migration;

/// <summary>Places from <paramref name="Begin"/> up to <paramref name="End"/>, without it.</summary>
internal readonly record struct PlaceRange(uint Begin, uint End)
{
    /// <summary>
    /// Reads <c>PLACE</c> or <c>BEGIN-END</c>, as the kernel's <c>invalidate_cblocks</c> takes them (dm-cache-target.c:
    /// parse_cblock_range); throws unless it is within a cache of <paramref name="places"/>.
    /// </summary>
    public static PlaceRange Parse(string text, uint places)
    {
        int dash = text.IndexOf('-', StringComparison.Ordinal);
        bool isNumber = TryRead(dash < 0 ? text : text[..dash], out ulong begin);
        ulong end = begin + 1;
        if (dash >= 0) isNumber &= TryRead(text[(dash + 1)..], out end);
        if (!isNumber || begin >= end)
            throw new UserErrorException($"'{text}' is no place; expected a number, or BEGIN-END with END after "
                + "BEGIN, and not meant", 2);
        if (end > places)
            throw new UserErrorException($"'{text}': the cache has the places 0 to {places - 1}", 2);
        return new PlaceRange((uint)begin, (uint)end);
    }

    private static bool TryRead(string text, out ulong number) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < ulong.MaxValue;
}
