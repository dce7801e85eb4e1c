using System;
using Weir.Core.Caching;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.SsdCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Queue;

/// <summary>What a queue uses of its volume.</summary>
internal sealed record QueueParts
{
    /// <summary>Sizes and places.</summary>
    public required SsdGeometry Geometry { get; init; }

    /// <summary>What is cached.</summary>
    public required SetTable Table { get; init; }

    /// <summary>What the device has of it.</summary>
    public required PageStates Pages { get; init; }

    /// <summary>Who waits for the device to have more of it.</summary>
    public required CommitTickets Tickets { get; init; }

    /// <summary>Which blocks are worth a way.</summary>
    public required Admission Admission { get; init; }

    /// <summary>Orders requests that overlap (B7): by 4 KiB of the volume.</summary>
    public required BlockLocks Locks { get; init; }

    /// <summary>The devices, and their flushes.</summary>
    public required DataDevices Devices { get; init; }

    /// <summary>What writes do now.</summary>
    public required ModeState Mode { get; init; }

    /// <summary>Who wants write-back to go on at once.</summary>
    public required DrainState Drains { get; init; }

    /// <summary>When clients were last at work.</summary>
    public required ActivityMark Activity { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>Settings.</summary>
    public required SsdCacheOptions Options { get; init; }

    /// <summary>What all queues have done.</summary>
    public required CounterTotals<QueueCounters> Counters { get; init; }

    /// <summary>The state: whether the cache is used.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>What serves the backing device alone.</summary>
    public required Func<Io.IVolume?[]> Fallback { get; init; }

    /// <summary>The directory's memory outlives the process: what is in it is found again (B5).</summary>
    public required bool OutlivesProcess { get; init; }

    /// <summary>The background work of the first queue, made on its thread.</summary>
    public required Func<DataQueues, IQueueWork> Work { get; init; }
}

/// <summary>The background work of one queue.</summary>
internal interface IQueueWork : IDisposable
{
    /// <summary>What is polled, and how it stops.</summary>
    BackgroundTasks Background { get; }
}
