using System;
using System.Threading;

namespace Weir.Core.DmCache.Migration;

/// <summary>What can become of a block (seed 002: promotions, demotions, copies_avoided, cache_cell_clash).</summary>
internal enum MoveEvent
{
    /// <summary>It came in.</summary>
    Promoted,
    /// <summary>It gave way.</summary>
    Demoted,
    /// <summary>It was written back.</summary>
    WrittenBack,
    /// <summary>It came in and was not read at home: it was discarded, or written as a whole.</summary>
    CopyAvoided,
    /// <summary>A migration found it locked, and waited or was put off.</summary>
    Clashed,
    /// <summary>It was in doubt, and turned out to be the same at home.</summary>
    WasEqual,
    /// <summary>Left out: it belonged to a sequential stream.</summary>
    LeftSequential,
    /// <summary>Left out: the policy did not want it, or not yet.</summary>
    LeftUnwanted,
    /// <summary>Left out: too many others waited.</summary>
    LeftCrowded,
    /// <summary>It had to wait: nobody could give way, all were dirty or busy.</summary>
    LeftNoPlace,
    /// <summary>Left out: a device refused the copy, or a request came between.</summary>
    LeftFailed,
    /// <summary>Left out: home has refused a read of it lately.</summary>
    LeftUnreadable,
}

/// <summary>How often each has happened. Any thread; on the way of a block, not of a request that hits.</summary>
internal sealed class MoveCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<MoveEvent>().Length];

    /// <summary>So often.</summary>
    public long this[MoveEvent what] => Volatile.Read(ref _counts[(int)what]);

    /// <summary>Once more.</summary>
    public void Count(MoveEvent what) => Interlocked.Increment(ref _counts[(int)what]);

    /// <summary>So many times more.</summary>
    public void Count(MoveEvent what, int times) => Interlocked.Add(ref _counts[(int)what], times);
}
