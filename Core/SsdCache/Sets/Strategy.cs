namespace Weir.Core.SsdCache.Sets;

/// <summary>Whose way of a set a new block takes. Names are those of the settings.</summary>
internal enum Strategy
{
    /// <summary>The one used least often of late; of equals the one used least lately (dm-ssdcache: lfu).</summary>
    Lfu,
    /// <summary>The one used least lately (dm-ssdcache: lru).</summary>
    Lru,
    /// <summary>The one that was brought in first.</summary>
    Fifo,
    /// <summary>Any.</summary>
    Random,
    /// <summary>The next one, way by way, that was not used since a hand passed over it.</summary>
    Clock,
    /// <summary>The same, from the oldest to the newest; new ones come in before the hand (NSDI 2024: SIEVE).</summary>
    Sieve,
}

/// <summary>What came of the wish for a way.</summary>
internal enum TakeResult
{
    /// <summary>The block has one already.</summary>
    Found,
    /// <summary>One that nobody had.</summary>
    Free,
    /// <summary>One that another block had.</summary>
    Evicted,
    /// <summary>None: all are in use, dirty, or may not be taken.</summary>
    NoWay,
    /// <summary>The page of the block's own set has to be opened first.</summary>
    Closed,
}

/// <summary>Which pages of the directory are open: what is clean in them may change.</summary>
internal interface IPageGate
{
    /// <summary>The ways of this page may change; any thread.</summary>
    bool IsOpen(int page);
}
