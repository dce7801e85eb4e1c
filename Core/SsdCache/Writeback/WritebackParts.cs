using System.Threading;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Writeback;

/// <summary>What write-back uses of its volume.</summary>
internal sealed record WritebackParts
{
    /// <summary>Sizes and places.</summary>
    public required SsdGeometry Geometry { get; init; }

    /// <summary>What is cached.</summary>
    public required SetTable Table { get; init; }

    /// <summary>What the device has of it.</summary>
    public required PageStates Pages { get; init; }

    /// <summary>Who makes the device have more.</summary>
    public required CommitTickets Tickets { get; init; }

    /// <summary>The devices, and their flushes.</summary>
    public required DataDevices Devices { get; init; }

    /// <summary>What clients are told.</summary>
    public required VolumeHealth Health { get; init; }

    /// <summary>Who wants it to go on at once.</summary>
    public required DrainState Drains { get; init; }

    /// <summary>Who is woken.</summary>
    public required QueueSet Queues { get; init; }

    /// <summary>What was done.</summary>
    public required WritebackCounters Counters { get; init; }
}

/// <summary>What write-back has done; written by its thread, read by any.</summary>
internal sealed class WritebackCounters
{
    private long _blocks, _bytes, _writes, _dirtied;

    /// <summary>Blocks that became clean.</summary>
    public long Blocks => Volatile.Read(ref _blocks);

    /// <summary>Bytes written home.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Writes that they took.</summary>
    public long Writes => Volatile.Read(ref _writes);

    /// <summary>Blocks that were written meanwhile, and stay dirty (the seed: cancelled write-backs).</summary>
    public long Cancelled => Volatile.Read(ref _dirtied);

    /// <summary>A write has ended.</summary>
    public void CountWrite(long bytes)
    {
        Volatile.Write(ref _writes, _writes + 1);
        Volatile.Write(ref _bytes, _bytes + bytes);
    }

    /// <summary>A block is clean, or is not after all.</summary>
    public void CountBlock(bool isClean)
    {
        if (isClean) Volatile.Write(ref _blocks, _blocks + 1);
        else Volatile.Write(ref _dirtied, _dirtied + 1);
    }
}
