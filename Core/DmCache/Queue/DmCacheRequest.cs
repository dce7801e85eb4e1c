using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

/*
 * read, write:    locking -> [marking] -> [ordering] -> moving -> done
 * a new place:    locking -> entering alone -> filling -> awaiting its entry -> done
 * taken out:      locking -> alone -> awaiting the removal -> moving -> done
 * discard, zero:  locking alone -> awaiting the removals -> zeroing, piece by piece -> done
 * FUA:            ... -> flushing -> done
 */

/// <summary>What a request waits for, or does.</summary>
internal enum RequestStep : byte
{
    /// <summary>Its blocks' lock.</summary>
    Locking,
    /// <summary>The commit that marks its blocks (B1).</summary>
    Marking,
    /// <summary>The lock that orders writes to both devices (B7).</summary>
    Ordering,
    /// <summary>Its bytes, at home or wherever they are.</summary>
    Moving,
    /// <summary>Its bytes once more, block by block: the cache device has refused several at once.</summary>
    MovingSingly,
    /// <summary>Its bytes in the cache, beside those at home.</summary>
    MovingToCache,
    /// <summary>Its block's lock, to have it alone.</summary>
    EnteringAlone,
    /// <summary>A new place that gets its bytes.</summary>
    Filling,
    /// <summary>The commit of the new place's entry (B5).</summary>
    AwaitingEntry,
    /// <summary>The commit that takes its blocks out (B9).</summary>
    AwaitingRemoval,
    /// <summary>The commit that takes blocks out whose cache copy could not be written.</summary>
    AwaitingLoss,
    /// <summary>A piece that becomes zeroes.</summary>
    Zeroing,
    /// <summary>A flush that covers it.</summary>
    Flushing,
}

/// <summary>What the engine knows of a request while it has it, in <see cref="Request.Engine"/>: all of it.</summary>
internal unsafe struct DmCacheRequest
{
    /// <summary>Its blocks; held but while it awaits an entry, a loss or a flush.</summary>
    public BlockLock Lock;
    /// <summary>Number of the commit it waits for.</summary>
    public long Ticket;
    /// <summary>When it came, on the context's clock; the lower bits.</summary>
    public uint StartUs;
    /// <summary>Sectors whose operations have been submitted; of zeroing, blocks; of filling, operations.</summary>
    public uint Progress;
    /// <summary>Operations under way.</summary>
    public ushort Left;
    /// <summary>1 + its order lock; 0: it has none.</summary>
    public byte Order;
    /// <summary>What it is at.</summary>
    public RequestStep Step;
    /// <summary>The mode it began in.</summary>
    public CacheMode Mode;
    /// <summary>See <see cref="RequestFacts"/>.</summary>
    public RequestFacts Facts;

    /// <summary>That of <paramref name="request"/>.</summary>
    public static DmCacheRequest* Of(Request* request) => (DmCacheRequest*)request->Engine;
}

/// <summary>What has been found out about a request.</summary>
[System.Flags]
internal enum RequestFacts : byte
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>The cache device has refused bytes that home has taken.</summary>
    CacheFailed = 1,
    /// <summary>It holds its lock.</summary>
    IsLocked = 2,
    /// <summary>Its accesses have been noted.</summary>
    IsNoted = 4,
    /// <summary>Part of a long sequential stream.</summary>
    IsSequential = 8,
    /// <summary>The policy has been asked for a new place, or will hear of it later: it is not asked again.</summary>
    WasRefused = 16,
    /// <summary>
    /// Its block has to leave, because home has its bytes and the cache has not; see
    /// <see cref="Places.PlaceTable.BeginLoss"/>.
    /// </summary>
    IsLoss = 32,
    /// <summary>The cache device has refused a read of several blocks.</summary>
    ReadsSingly = 64,
    /// <summary>Of a block that is not cached: if the policy wants it, home is read once for both.</summary>
    ReadsAlong = 128,
}

/// <summary>What it knows of an operation.</summary>
internal struct DmCacheOp
{
    /// <summary>Where its bytes are on the volume.</summary>
    public long VolumeOffset;
    /// <summary>It is one of the cache device's.</summary>
    public bool IsCache;
}
