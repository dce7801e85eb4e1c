using System.Threading;

namespace Weir.Core.DmCache.Commit;

/// <summary>
/// Who waits until the durable metadata, too, say that what is clean is clean: rounds that take marks away, by number.
/// Asked for by any thread; done by the first queue's.
/// </summary>
internal sealed class UnmarkOrders
{
    private long _asked;
    private long _done;

    /// <summary>Number of the last round that somebody wants.</summary>
    public long Asked => Volatile.Read(ref _asked);

    /// <summary>Rounds up to this number are durable.</summary>
    public long Done
    {
        get => Volatile.Read(ref _done);
        set => Volatile.Write(ref _done, value);
    }

    /// <summary>Wants a round that begins after now; its number.</summary>
    public long Ask() => Interlocked.Increment(ref _asked);
}
