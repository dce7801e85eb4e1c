using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Errors;

/// <summary>What is handed to whoever goes on without a cache device that has failed.</summary>
internal sealed record RescueParts
{
    /// <summary>What RAM still has of the log.</summary>
    public required SegmentLog Log { get; init; }

    /// <summary>The memory behind it, which no start is to find afterwards.</summary>
    public required LogMemory Memory { get; init; }

    /// <summary>The life of the cache that is left behind.</summary>
    public required SuperblockState Superblock { get; init; }

    /// <summary>Which versions count.</summary>
    public required BlockIndex Index { get; init; }

    /// <summary>Which ranges count.</summary>
    public required RangeMap Ranges { get; init; }

    /// <summary>What is written to.</summary>
    public required BackingTable Backings { get; init; }

    /// <summary>One flush of a device at a time.</summary>
    public required FlushLock FlushLock { get; init; }

    /// <summary>What went round the log.</summary>
    public required WritesAround Around { get; init; }

    /// <summary>Who hears of a flush that failed.</summary>
    public required AroundLosses AroundLosses { get; init; }

    /// <summary>What is left with each backing device.</summary>
    public required StaleCacheMarker Marker { get; init; }

    /// <summary>The state, and why.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Whom to wake.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>What users have set.</summary>
    public required WriteboostOptions Options { get; init; }
}
