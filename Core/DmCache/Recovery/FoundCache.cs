using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Recovery;

/// <summary>A cache whose metadata have been read, and what they say is believed.</summary>
internal sealed class FoundCache
{
    /// <summary>The metadata.</summary>
    public required CacheMetadata Metadata { get; init; }

    /// <summary>Sizes, as the devices have them now.</summary>
    public required CacheGeometry Geometry { get; init; }

    /// <summary>They lie on the cache device.</summary>
    public required bool IsOnCache { get; init; }

    /// <summary>What was decided, in words for the log; empty: nothing unusual.</summary>
    public string Note { get; set; } = "";

    /// <summary>Dirty flags, hints and discards are those of the last writer: it was stopped, or was a weir.</summary>
    public bool IsBelieved { get; set; }

    /// <summary>Somebody else wrote last: what he left clean is in doubt (the hole in the kernel's protocol).</summary>
    public bool IsInDoubt { get; set; }

    /// <summary>Metadata blocks can be had while somebody waits.</summary>
    public required MetadataReader Reader { get; init; }
}
