using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Commit;

/// <summary>What the committer uses of its volume.</summary>
internal sealed record CommitParts
{
    /// <summary>The metadata, which are the committer's alone while the volume is served.</summary>
    public required CacheMetadata Metadata { get; init; }

    /// <summary>The device that they lie on, and what it is called.</summary>
    public required Device Device { get; init; }

    /// <summary>They lie on the cache device too: one flush at a time with those of its data.</summary>
    public required bool IsOnCache { get; init; }

    /// <summary>What is true; gets the places whose removal is durable.</summary>
    public required CacheMap Map { get; init; }

    /// <summary>What is not durable yet.</summary>
    public required ChangeList Changes { get; init; }

    /// <summary>The devices whose bytes entries name.</summary>
    public required DataDevices Devices { get; init; }

    /// <summary>What clients are told.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Who waits.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>What commits cost.</summary>
    public required CommitCounters Counters { get; init; }

    /// <summary>Brings the superblock's statistics up to date.</summary>
    public required System.Action<Superblock> FillHead { get; init; }
}
