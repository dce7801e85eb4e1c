using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Queue;

/*
 * A request goes through its pieces, one after the other:
 *
 *   read       locking -> looking -> moving -> [filling, on its own] -> next piece
 *   write      locking -> looking -> [opening -> looking] -> moving, home and cache -> [rescuing] -> next piece
 *   discard,   the same; home is zeroed
 *   zeroes
 *   FUA        ... -> flushing -> done
 */

/// <summary>What a request waits for, or does.</summary>
internal enum RequestStep : byte
{
    /// <summary>A free piece.</summary>
    Starting,
    /// <summary>The lock of its piece's bytes.</summary>
    Locking,
    /// <summary>Write-back to end in a block that it writes at home.</summary>
    Looking,
    /// <summary>Pages of the directory to be open (B1, B9).</summary>
    Opening,
    /// <summary>Its bytes, at home or wherever they are.</summary>
    Moving,
    /// <summary>Write-back to end in a block whose bytes the cache has refused.</summary>
    AwaitingRescue,
    /// <summary>These bytes, at home.</summary>
    Rescuing,
    /// <summary>A flush that covers it.</summary>
    Flushing,
}

/// <summary>What has been found out about a request.</summary>
[System.Flags]
internal enum RequestFacts : byte
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>Its lock had to be waited for.</summary>
    HasWaited = 1,
    /// <summary>Part of a long sequential stream.</summary>
    IsSequential = 2,
    /// <summary>The cache device has refused some of its piece's bytes.</summary>
    CacheFailed = 4,
    /// <summary>The device does not know of what it has done: the answer waits for a commit if nothing outlives the
    /// process.</summary>
    IsUnknown = 8,
    /// <summary>Its lock is held.</summary>
    IsLocked = 16,
}

/// <summary>What the engine knows of a request while it has it, in <see cref="Request.Engine"/>: all of it.</summary>
internal unsafe struct SsdCacheRequest
{
    /// <summary>The bytes of its piece, in units of 4 KiB.</summary>
    public BlockLock Lock;
    /// <summary>Number of what it waits for.</summary>
    public long Ticket;
    /// <summary>When it came, on the context's clock; the lower bits.</summary>
    public uint StartUs;
    /// <summary>Operations under way.</summary>
    public ushort Left;
    /// <summary>1 + the number of its piece; 0: it has none.</summary>
    public ushort Piece;
    /// <summary>What it is at.</summary>
    public RequestStep Step;
    /// <summary>The mode it began in.</summary>
    public CacheMode Mode;
    /// <summary>See <see cref="RequestFacts"/>.</summary>
    public RequestFacts Facts;

    /// <summary>That of <paramref name="request"/>.</summary>
    public static SsdCacheRequest* Of(Request* request) => (SsdCacheRequest*)request->Engine;
}

/// <summary>What it knows of an operation.</summary>
internal struct SsdCacheOp
{
    /// <summary>Where its bytes are on the volume.</summary>
    public long VolumeOffset;
    /// <summary>It is one of the cache device's.</summary>
    public bool IsCache;
}
