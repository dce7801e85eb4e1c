using System.Globalization;

namespace Weir.Core.Base;

/// <summary>Lengths of time as users write them: 0, 500us, 10ms, 3s.</summary>
internal static class Duration
{
    private static readonly (string Unit, long Us)[] s_units = [("us", 1), ("ms", 1000), ("s", 1_000_000)];

    /// <summary>Reads <paramref name="text"/> into microseconds. The only bare number is 0.</summary>
    public static bool TryParse(string text, out long us)
    {
        us = 0;
        if (text == "0") return true;
        foreach ((string unit, long factor) in s_units)
        {
            if (!text.EndsWith(unit, System.StringComparison.Ordinal)) continue;
            string number = text[..^unit.Length];
            bool known = long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long count);
            if (!known || count > long.MaxValue / factor) return false;
            us = count * factor;
            return true;
        }
        return false;
    }

    /// <summary><paramref name="us"/> in the largest unit that takes it whole.</summary>
    public static string Show(long us)
    {
        if (us == 0) return "0";
        (string Unit, long Us) best = s_units[0];
        foreach ((string Unit, long Us) unit in s_units)
            if (us % unit.Us == 0) best = unit;
        return (us / best.Us).ToString(CultureInfo.InvariantCulture) + best.Unit;
    }
}
