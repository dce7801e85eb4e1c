using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// What the engine knows of a request while it has it, in the bytes that <see cref="Request.Engine"/> keeps for that.
/// Belongs to the queue's thread.
/// </summary>
internal unsafe struct WriteboostRequest
{
    /// <summary>Bytes whose handling has begun.</summary>
    public long Progress;
    /// <summary>Log position that must be durable before the answer; behind its last slot, of a change.</summary>
    public long WaitPosition;
    /// <summary>Writes round the log that must be durable before the answer.</summary>
    public long WaitAround;
    /// <summary>When it came, on the context's clock, in microseconds.</summary>
    public long SubmittedUs;
    /// <summary>Its place among writers that wait for room; 0 for none.</summary>
    public long Ticket;
    /// <summary>Device reads under way.</summary>
    public int Pending;
    /// <summary>Of a read: what has become of it, and how often it was begun again.</summary>
    public int ReadState;
    /// <summary>Of a read: the first of the blocks to be laid over its bytes at the end; 0 for none.</summary>
    public int Overlays;
    /// <summary>Of a write that was refused on the way round the log: the device's negative errno.</summary>
    public int RefusedWith;
    /// <summary>Of a write: by the log, or round it.</summary>
    public WritePath Path;
    /// <summary>Of a discard or zeroes: it has taken its next range from the budget.</summary>
    public bool HasBudget;

    /// <summary>That of <paramref name="request"/>.</summary>
    public static WriteboostRequest* Of(Request* request) => (WriteboostRequest*)request->Engine;
}

/// <summary>What it knows of a read under way: one of perhaps several of its request.</summary>
internal struct ReadOp
{
    /// <summary>As <see cref="ReadRun.Source"/>: the segment that is pinned, or the backing device.</summary>
    public int Source;
    /// <summary>Blocks that it covers.</summary>
    public int Blocks;
    /// <summary>As <see cref="ReadRun.Sample"/>.</summary>
    public long Sample;
}

/// <summary>What it knows of a write round the log.</summary>
internal struct AroundOp
{
    /// <summary>Its place among these writes.</summary>
    public int Place;
}

/// <summary>Which way a write goes.</summary>
internal enum WritePath : byte
{
    /// <summary>Into the log.</summary>
    Logged,
    /// <summary>Round it.</summary>
    Around,
    /// <summary>It was refused on the way round, and is to be logged.</summary>
    Refused,
}
