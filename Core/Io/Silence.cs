using System.Globalization;

namespace Weir.Core.Io;

/// <summary>
/// A device that hangs: it has operations and ends none. No error tells of it, and nothing that is under way can be
/// taken back; but whoever waits for it can be told.
/// </summary>
internal static class Silence
{
    /// <summary>From then on it counts: longer than any disk thinks that does its work.</summary>
    public const long HangMs = 10_000;

    /// <summary>Says so in words if <paramref name="device"/>, which is <paramref name="what"/>, hangs; else
    /// null.</summary>
    public static string? Of(string what, Device device)
    {
        long silentMs = device.SilentMs;
        return silentMs < HangMs ? null
            : string.Create(CultureInfo.InvariantCulture,
                $"{what} {device.Name} has not answered for {silentMs / 1000} s");
    }
}
