using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>Devices of a cache that do not answer, for people. Any thread.</summary>
internal sealed class Hangs(Device cache, BackingTable backings)
{
    /// <summary>The first that is found; null: all answer.</summary>
    public string? First => OfCache ?? OfBackings;

    /// <summary>The cache device.</summary>
    public string? OfCache => Silence.Of("cache device", cache);

    /// <summary>The first of the backing devices.</summary>
    public string? OfBackings
    {
        get
        {
            foreach (BackingDevice backing in backings.ToList())
                if (Of(backing) is { } hang) return hang;
            return null;
        }
    }

    /// <summary>How long an order may stand still while a device hangs that should not concern it, in
    /// milliseconds.</summary>
    public long PatienceMs { get; set; } = Silence.HangMs;

    /// <summary>One of them.</summary>
    public static string? Of(BackingDevice backing) =>
        backing.IsAbsent ? null : Silence.Of($"backing device '{backing.Name}'", backing.Device);
}
