using System.Threading;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.SsdCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Commit;

/// <summary>What the committer uses of its volume.</summary>
internal sealed record CommitParts
{
    /// <summary>Sizes and places.</summary>
    public required SsdGeometry Geometry { get; init; }

    /// <summary>Who the cache is.</summary>
    public required System.Guid CacheId { get; init; }

    /// <summary>This life.</summary>
    public required long Epoch { get; init; }

    /// <summary>What is cached.</summary>
    public required SetTable Table { get; init; }

    /// <summary>What the device has of it.</summary>
    public required PageStates Pages { get; init; }

    /// <summary>Who waits.</summary>
    public required CommitTickets Tickets { get; init; }

    /// <summary>The devices, and their flushes.</summary>
    public required DataDevices Devices { get; init; }

    /// <summary>What clients are told.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Leaves the cache behind, if home has everything; why it has failed, in a sentence.</summary>
    public required System.Func<string, bool> TryAbandon { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>When clients were last at work.</summary>
    public required ActivityMark Activity { get; init; }

    /// <summary>Settings.</summary>
    public required SsdCacheOptions Options { get; init; }

    /// <summary>What was done.</summary>
    public required CommitCounters Counters { get; init; }
}

/// <summary>What the committer has done; written by its thread, read by any.</summary>
internal sealed class CommitCounters
{
    private long _rounds, _pages, _bytes;

    /// <summary>Rounds that have ended.</summary>
    public long Rounds => Volatile.Read(ref _rounds);

    /// <summary>Pages written.</summary>
    public long Pages => Volatile.Read(ref _pages);

    /// <summary>Bytes of them.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>A round of so many pages has ended.</summary>
    public void Count(int pages, int pageBytes)
    {
        Volatile.Write(ref _rounds, _rounds + 1);
        Volatile.Write(ref _pages, _pages + pages);
        Volatile.Write(ref _bytes, _bytes + ((long)pages * pageBytes));
    }
}
