using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>What write-back is handed of a volume that is served.</summary>
internal sealed record WritebackParts
{
    /// <summary>What it reads, and appends to when it moves something.</summary>
    public required SegmentLog Log { get; init; }

    /// <summary>Where the mark is.</summary>
    public required SuperblockState Superblock { get; init; }

    /// <summary>Which versions count.</summary>
    public required BlockIndex Index { get; init; }

    /// <summary>Which ranges count.</summary>
    public required RangeMap Ranges { get; init; }

    /// <summary>Both, for what it appends.</summary>
    public required VersionMap Versions { get; init; }

    /// <summary>Whether clients are changing a block.</summary>
    public required StripedVersions Changes { get; init; }

    /// <summary>What it writes to.</summary>
    public required BackingTable Backings { get; init; }

    /// <summary>What must stay true of these devices while it does.</summary>
    public required Fingerprints Samples { get; init; }

    /// <summary>One flush of a device at a time.</summary>
    public required FlushLock FlushLock { get; init; }

    /// <summary>Who hears of a flush that failed.</summary>
    public required AroundLosses AroundLosses { get; init; }

    /// <summary>Who hears of a write that was refused.</summary>
    public required RefusingDevices Refusals { get; init; }

    /// <summary>What is left to do.</summary>
    public required DirtyData Dirty { get; init; }

    /// <summary>What has been done.</summary>
    public required WritebackProgress Progress { get; init; }

    /// <summary>Who wants how much of it.</summary>
    public required Drains Drains { get; init; }

    /// <summary>Who waits for ranges to go.</summary>
    public required RangePressure RangePressure { get; init; }

    /// <summary>When it may work, and how hard.</summary>
    public required CleaningGovernor Governor { get; init; }

    /// <summary>Whether writers are held back.</summary>
    public required WriteThrottle Throttle { get; init; }

    /// <summary>When clients were last at work.</summary>
    public required ActivityMark Activity { get; init; }

    /// <summary>What users have set.</summary>
    public required WriteboostOptions Options { get; init; }

    /// <summary>What cannot be written back any more.</summary>
    public required LostData Lost { get; init; }

    /// <summary>Who hears of blocks that are rotten or cannot be read.</summary>
    public required RotReports Rot { get; init; }

    /// <summary>What users give up.</summary>
    public required GiveUpOrders GiveUps { get; init; }

    /// <summary>When users want it tried again.</summary>
    public required ResumeOrders Resumes { get; init; }

    /// <summary>The state, and why.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Whom to wake.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>The cache device, for people.</summary>
    public required string CacheName { get; init; }
}
