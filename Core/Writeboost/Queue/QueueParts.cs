using System;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Queue;

/// <summary>What the queues of a volume are handed of it.</summary>
internal sealed record QueueParts
{
    /// <summary>Settings that queues heed.</summary>
    public required WriteboostOptions Options { get; init; }

    /// <summary>Whether requests are taken, and by whom.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>What is counted.</summary>
    public required CounterTotals<QueueCounters> Counters { get; init; }

    /// <summary>Where it is noted that clients are at work.</summary>
    public required ActivityMark Activity { get; init; }

    /// <summary>What is served.</summary>
    public required BackingTable Backings { get; init; }

    /// <summary>Where the log lies.</summary>
    public required Device Cache { get; init; }

    /// <summary>The log.</summary>
    public required SegmentLog Log { get; init; }

    /// <summary>Whether it survives the process.</summary>
    public required LogMemory Memory { get; init; }

    /// <summary>What readers pass.</summary>
    public required ReaderEpoch Readers { get; init; }

    /// <summary>How fast writers may go.</summary>
    public required WriteThrottle Throttle { get; init; }

    /// <summary>Whether those without room are refused.</summary>
    public required RoomRefusal NoRoom { get; init; }

    /// <summary>Versions of blocks.</summary>
    public required BlockIndex Index { get; init; }

    /// <summary>Discarded and zeroed ranges.</summary>
    public required RangeMap Ranges { get; init; }

    /// <summary>Whom to tell that there is no budget for more.</summary>
    public required RangePressure RangePressure { get; init; }

    /// <summary>Both, for what is logged.</summary>
    public required VersionMap Versions { get; init; }

    /// <summary>Whether a block has changed since.</summary>
    public required StripedVersions Changes { get; init; }

    /// <summary>Whom to tell of what cannot be read.</summary>
    public required RotReports Rot { get; init; }

    /// <summary>Writes that go round the log.</summary>
    public required WritesAround Around { get; init; }

    /// <summary>Whom to tell of those that may be lost.</summary>
    public required AroundLosses AroundLosses { get; init; }

    /// <summary>One flush of a device at a time.</summary>
    public required FlushLock FlushLock { get; init; }

    /// <summary>Devices that refuse such writes.</summary>
    public required RefusingDevices Refusals { get; init; }

    /// <summary>What such writes outdate.</summary>
    public required CleanValidity Clean { get; init; }

    /// <summary>Samples that they must not overwrite.</summary>
    public required Fingerprints Samples { get; init; }

    /// <summary>What serves requests once the cache has failed.</summary>
    public required ServedAlone Alone { get; init; }

    /// <summary>Makes what the first queue does besides.</summary>
    public required Func<QueuePorts, QueueWork> Work { get; init; }
}
