using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Queue;

/// <summary>What is handed to whoever attaches and detaches devices.</summary>
internal sealed record DeviceParts
{
    /// <summary>What is asked.</summary>
    public required DeviceOrders Orders { get; init; }

    /// <summary>The devices.</summary>
    public required BackingTable Backings { get; init; }

    /// <summary>The table that the cache keeps of them.</summary>
    public required DeviceRecords Records { get; init; }

    /// <summary>Whether one is what it was.</summary>
    public required IdentityCheck Identity { get; init; }

    /// <summary>The same, by the log.</summary>
    public required LogEvidence Evidence { get; init; }

    /// <summary>Samples of them.</summary>
    public required Fingerprints Samples { get; init; }

    /// <summary>What the log holds of one.</summary>
    public required LogHoldings Holdings { get; init; }

    /// <summary>What is lost of one.</summary>
    public required LostData Lost { get; init; }

    /// <summary>The log.</summary>
    public required SegmentLog Log { get; init; }

    /// <summary>Blocks of one that serve reads.</summary>
    public required BlockIndex Index { get; init; }

    /// <summary>Its ranges.</summary>
    public required RangeMap Ranges { get; init; }

    /// <summary>What writes back what is dirty of one that goes.</summary>
    public required Drains Drains { get; init; }

    /// <summary>How far that is.</summary>
    public required WritebackProgress Progress { get; init; }

    /// <summary>Whether what went round the log is lost.</summary>
    public required WritesAround Around { get; init; }

    /// <summary>Whom to tell that it is.</summary>
    public required AroundLosses AroundLosses { get; init; }

    /// <summary>One flush of a device at a time.</summary>
    public required FlushLock FlushLock { get; init; }

    /// <summary>Who has to take notice.</summary>
    public required OpenQueues OpenQueues { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>Whether anything is changed.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Settings for a device that comes.</summary>
    public required WriteboostOptions Options { get; init; }
}
