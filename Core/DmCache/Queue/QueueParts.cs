using System;
using Weir.Core.Caching;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

/// <summary>What a queue uses of its volume.</summary>
internal sealed record QueueParts
{
    /// <summary>What migrations use too.</summary>
    public required MigrationParts Shared { get; init; }

    /// <summary>Orders writes that go to both devices (B7): by 4 KiB of the volume.</summary>
    public required BlockLocks Order { get; init; }

    /// <summary>What all queues have done.</summary>
    public required CounterTotals<QueueCounters> Counters { get; init; }

    /// <summary>How many commits ahead of the places written marks go.</summary>
    public required Commit.MarkAhead MarkAhead { get; init; }

    /// <summary>Whether requests wait.</summary>
    public required Suspension Suspension { get; init; }

    /// <summary>The background work of the first queue, made on its thread.</summary>
    public required Func<DataQueues, GrantQueue, IQueueWork> Work { get; init; }
}

/// <summary>The background work of one queue, and what it wants of its grants.</summary>
internal interface IQueueWork : IDisposable
{
    /// <summary>What is polled, and how it stops.</summary>
    BackgroundTasks Background { get; }

    /// <summary>A lock that this work had parked is taken; false: it is not this work's.</summary>
    unsafe bool TryTakeGrant(BlockLock* it);

    /// <summary>See <see cref="Promoter.TryReadAlong"/>.</summary>
    unsafe bool TryReadAlong(in WantedBlock wanted, Io.Request* request, IBlockReader reader);
}
