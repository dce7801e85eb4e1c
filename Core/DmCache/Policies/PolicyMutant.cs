namespace Weir.Core.DmCache.Policies;

/// <summary>What breaks the policies, one switch each, for the test build only.</summary>
public enum PolicyMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>A list that is taken apart at its cursor leaves the cursor where it was.</summary>
    CursorLeftBehind,
    /// <summary>A search for a victim begins at the oldest again whenever the gate has refused all it saw.</summary>
    SearchFromTheStart,
    /// <summary>The gate is not asked.</summary>
    GateNotAsked,
    /// <summary>Hints are read as if all were the same.</summary>
    HintsIgnored,
    /// <summary>A hit changes no order: lru is fifo.</summary>
    HitIgnored,
    /// <summary>Long sequential streams are brought in.</summary>
    StreamsAdmitted,
    /// <summary>sieve: the hand begins at the oldest every time.</summary>
    SieveHandStays,
    /// <summary>sieve: when the block at the hand is moved together with others, the hand is not.</summary>
    SieveHandNotMoved,
    /// <summary>s3fifo: nothing is remembered of what has left the small queue.</summary>
    S3NoGhosts,
    /// <summary>s3fifo: what was used twice in the small queue leaves with the rest.</summary>
    S3NoPromotion,
    /// <summary>s3fifod: the queues keep their sizes.</summary>
    S3NotAdapting,
    /// <summary>mq: uses are never halved (D4).</summary>
    MqNoAgeing,
    /// <summary>twoqueue, multiqueue, arc, lirs: nothing is remembered of what has left.</summary>
    GhostsForgotten,
    /// <summary>arc: the target stays where it is.</summary>
    ArcNotAdapting,
    /// <summary>wtinylfu: whatever leaves the window comes in.</summary>
    TinyLfuAdmitsAll,
    /// <summary>wtinylfu: frequencies only grow.</summary>
    SketchNotHalved,
}
