using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/// <summary>What migrations use of their volume.</summary>
internal sealed record MigrationParts
{
    /// <summary>How blocks come and go.</summary>
    public required Residency Residency { get; init; }

    /// <summary>The devices.</summary>
    public required DataDevices Devices { get; init; }

    /// <summary>What is to be brought in.</summary>
    public required PromotionQueue Promotions { get; init; }

    /// <summary>What could not be read at home lately.</summary>
    public required FailedHomes Failed { get; init; }

    /// <summary>What has moved, and why other blocks have not.</summary>
    public required MoveCounters Moves { get; init; }

    /// <summary>Blocks that read as zeroes at home.</summary>
    public required DiscardMap Discards { get; init; }

    /// <summary>Limits.</summary>
    public required DmCacheOptions Options { get; init; }

    /// <summary>What the volume does with writes now.</summary>
    public required ModeState Mode { get; init; }

    /// <summary>When clients were last at work.</summary>
    public required ActivityMark Activity { get; init; }

    /// <summary>What clients are told.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>Sizes.</summary>
    public CacheGeometry Geometry => Residency.Map.Geometry;
}
