using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Volume;

/// <content>What can be asked of it while it is served. Any thread but a queue's.</content>
public sealed unsafe partial class DmCacheVolume
{
    /// <summary>
    /// Holds new requests, lets those under way end, flushes both devices, and commits metadata as at a stop. Returns
    /// what looks how far it is.
    /// </summary>
    /// <exception cref="UserErrorException">It cannot.</exception>
    public Func<OrderProgress> BeginSuspend()
    {
        CheckWrites();
        return Heeding(Suspension.BeginSuspend());
    }

    /// <summary>Requests go on. Returns what looks how far it is.</summary>
    public Func<OrderProgress> BeginResume() => Heeding(Suspension.BeginResume());

    /// <summary>
    /// Begins to take out what places hold, as <c>PLACE</c> or <c>BEGIN-END</c>; what is dirty stays, and is named.
    /// Returns what looks how far it is. Any thread.
    /// </summary>
    /// <exception cref="UserErrorException">There are no such places; nothing is taken out.</exception>
    public Func<OrderProgress> BeginInvalidate(IReadOnlyList<string> ranges)
    {
        CheckWrites();
        if (Suspension.State != SuspendState.Serving) throw new UserErrorException("the volume is suspended");
        List<PlaceRange> parsed = [];
        foreach (string range in ranges) parsed.Add(PlaceRange.Parse(range, Map.Geometry.Places));
        InvalidateOrder order = new(parsed);
        Invalidations.Enqueue(order);
        Queues.WakeFirst();
        return Heeding(() => order.Progress);
    }

    private void CheckWrites()
    {
        if (ReadOnly) throw new UserErrorException("the volume is read-only: its metadata stay as they are");
        if (Health.CacheHasFailed) throw new UserErrorException(Health.Reason);
    }

    private Func<OrderProgress> Heeding(Func<OrderProgress> look) => () =>
    {
        OrderProgress at = look();
        return !at.IsOver && Health.CacheHasFailed ? at.Fail(Health.Reason) : at;
    };
}
