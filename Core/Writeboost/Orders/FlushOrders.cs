using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// Orders to make durable what was acknowledged: the log up to a position, and writes that went round it. Given on any
/// thread but the queues', carried out on the first queue's.
/// </summary>
internal sealed class FlushOrders(
    SegmentLog log, WritesAround around, DirtyData dirty, ServedAlone alone, VolumeHealth health, QueueSet queues)
{
    private long _end;
    private long _around;

    /// <summary>Position up to which an order wants the log flushed, and how many writes round it.</summary>
    public (long Position, long Around) Wanted => (Volatile.Read(ref _end), Volatile.Read(ref _around));

    /// <summary>Begins to make everything durable that has been acknowledged.</summary>
    public Func<OrderProgress> Begin()
    {
        (long end, long writes) = (log.ReservedEnd, around.Written);
        AtomicMax.Raise(ref _around, writes);
        AtomicMax.Raise(ref _end, end);
        health.AskRetry();
        queues.WakeFirst();
        Func<OrderProgress>? instead = null;
        return () =>
        {
            if (dirty.HasNoCache) return (instead ??= BeginAlone())();
            OrderProgress open = OrderProgress.UnderWay("not all that was acknowledged is durable");
            if (health.CacheHasFailed) return open.Fail(health.Reason);
            bool isDurable = log.Durable >= end && around.Flushed >= writes;
            if (around.IsLost(writes)) return open.Fail(health.Reason);
            return isDurable ? OrderProgress.DoneWith("done, all that was acknowledged is durable") : open;
        };
    }

    /// <summary>A flush of what went round the log, that succeeds, says that the devices are well again.</summary>
    public void BeginAround()
    {
        long written = around.Written;
        if (around.HasFailed || around.Flushed >= written) return;
        AtomicMax.Raise(ref _around, written);
        queues.WakeFirst();
    }

    // The cache device has failed, and has left nothing that the backing devices do not have.
    private Func<OrderProgress> BeginAlone()
    {
        FlushTickets tickets = alone.Flushes;
        long ticket = tickets.Ask();
        queues.WakeFirst();
        return () =>
        {
            OrderProgress open = OrderProgress.UnderWay("the backing devices, which are served without the cache, are "
                + "not flushed");
            if (tickets.Done < ticket) return open;
            return tickets.FailureOf(ticket) is { } failure ? open.Fail(failure) : OrderProgress.DoneWith(
                "done, the cache device has failed, and all that was acknowledged is durable on the backing devices");
        };
    }
}
