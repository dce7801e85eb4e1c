using System.Threading;

namespace Weir.Core.DmCache.Migration;

/// <summary>Why blocks that were asked for were not brought in. Written under the policy's latch or by the promoter,
/// by whoever; read by any thread.</summary>
internal sealed class MissCounters
{
    private long _sequential, _unwanted, _crowded, _busy, _noPlace, _failed;

    /// <summary>They belonged to a sequential stream.</summary>
    public long Sequential => Volatile.Read(ref _sequential);

    /// <summary>The policy did not want them, or not yet.</summary>
    public long Unwanted => Volatile.Read(ref _unwanted);

    /// <summary>Too many others waited.</summary>
    public long Crowded => Volatile.Read(ref _crowded);

    /// <summary>They were being written.</summary>
    public long Busy => Volatile.Read(ref _busy);

    /// <summary>No place could be had: all others were dirty or busy.</summary>
    public long NoPlace => Volatile.Read(ref _noPlace);

    /// <summary>A device refused the copy.</summary>
    public long Failed => Volatile.Read(ref _failed);

    /// <summary>One more.</summary>
    public void CountSequential() => Interlocked.Increment(ref _sequential);

    /// <summary>One more.</summary>
    public void CountUnwanted() => Interlocked.Increment(ref _unwanted);

    /// <summary>One more.</summary>
    public void CountCrowded() => Interlocked.Increment(ref _crowded);

    /// <summary>One more.</summary>
    public void CountBusy() => Interlocked.Increment(ref _busy);

    /// <summary>One more.</summary>
    public void CountNoPlace() => Interlocked.Increment(ref _noPlace);

    /// <summary>One more.</summary>
    public void CountFailed() => Interlocked.Increment(ref _failed);
}
