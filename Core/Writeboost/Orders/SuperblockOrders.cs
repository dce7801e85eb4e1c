using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// Orders to write the superblock, with the mark as it is, and to make it durable. Given on any thread, carried out on
/// the first queue's: one write for all who have asked before it began.
/// </summary>
internal sealed class SuperblockOrders(WriteboostOptions options, VolumeHealth health, QueueSet queues)
{
    private long _asked;
    private long _done;
    private long _refused;
    private volatile string _refusal = "";

    /// <summary>How many were given.</summary>
    public long Asked => Volatile.Read(ref _asked);

    /// <summary>Those up to this one are done.</summary>
    public long Done
    {
        get => Volatile.Read(ref _done);
        set => Volatile.Write(ref _done, value);
    }

    /// <summary>One more.</summary>
    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public Func<OrderProgress> Begin()
    {
        if (options.ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is written");
        long refused = Volatile.Read(ref _refused);
        health.AskRetry();
        long ticket = Interlocked.Increment(ref _asked);
        queues.WakeFirst();
        return () =>
        {
            if (Done >= ticket) return OrderProgress.DoneWith("done, the superblock is durable");
            OrderProgress open = OrderProgress.UnderWay("the superblock is not written");
            if (Volatile.Read(ref _refused) != refused) return open.Fail(_refusal);
            return health.CacheHasFailed ? open.Fail(health.Reason) : open;
        };
    }

    /// <summary>The device has refused it: whoever waits is told; it is tried again.</summary>
    public void NoteRefused(string reason)
    {
        _refusal = reason;
        Interlocked.Increment(ref _refused);
    }
}
