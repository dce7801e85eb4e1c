using System.Threading;

namespace Weir.Core.DmCache.Migration;

/// <summary>What has moved, and what that has cost (seed 002: promotions, demotions, copies_avoided,
/// cache_cell_clash). Any thread.</summary>
internal sealed class MigrationCounters
{
    private long _promotions, _demotions, _writebacks, _copiesAvoided, _clashes, _equalInDoubt;

    /// <summary>Blocks that came in.</summary>
    public long Promotions => Volatile.Read(ref _promotions);

    /// <summary>Blocks that gave way.</summary>
    public long Demotions => Volatile.Read(ref _demotions);

    /// <summary>Blocks that were written back.</summary>
    public long Writebacks => Volatile.Read(ref _writebacks);

    /// <summary>Promotions that had nothing to read, because the block was discarded or written as a whole.</summary>
    public long CopiesAvoided => Volatile.Read(ref _copiesAvoided);

    /// <summary>Migrations that found their block locked, and were put off or given up.</summary>
    public long Clashes => Volatile.Read(ref _clashes);

    /// <summary>Blocks in doubt that turned out to be the same at home.</summary>
    public long EqualInDoubt => Volatile.Read(ref _equalInDoubt);

    /// <summary>One more.</summary>
    public void CountPromotion() => Interlocked.Increment(ref _promotions);

    /// <summary>One more.</summary>
    public void CountDemotion() => Interlocked.Increment(ref _demotions);

    /// <summary>One more.</summary>
    public void CountWriteback() => Interlocked.Increment(ref _writebacks);

    /// <summary>One more.</summary>
    public void CountCopyAvoided() => Interlocked.Increment(ref _copiesAvoided);

    /// <summary>One more.</summary>
    public void CountClash() => Interlocked.Increment(ref _clashes);

    /// <summary>One more.</summary>
    public void CountEqualInDoubt() => Interlocked.Increment(ref _equalInDoubt);
}
