using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Recovery;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

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

    /// <summary>
    /// Takes the room that the cache device and the backing device have gained; requests wait meanwhile, for a commit
    /// or two. Returns what looks how far it is.
    /// </summary>
    /// <exception cref="UserErrorException">It cannot.</exception>
    public Func<OrderProgress> BeginGrow()
    {
        CheckWrites();
        GrowOrder order = new(LookForRoom(), _devices.Backing.ClientBytes);
        if (order.Geometry.Places == Map.Geometry.Places && order.ClientBytes == SizeBytes)
            return () => OrderProgress.DoneWith($"done, nothing has grown: the volume has {SizeBytes} bytes and its "
                + $"cache {CacheBlocks} blocks");
        if (_devices.Cache.Preallocate() is < 0 and int error)
            throw new UserErrorException($"{_devices.Cache.Name}: reserving the room failed: {Errno.Text(error)}");
        if (Interlocked.CompareExchange(ref _growth, order, null) != null)
            throw new UserErrorException("a growth is under way already");
        Queues.WakeFirst();
        return Heeding(() => order.Progress);
    }

    /// <summary>The growth is over: well, or why it failed. By the first queue's thread.</summary>
    internal void EndGrowth(string? failure)
    {
        if (Interlocked.Exchange(ref _growth, null) is not { } order) return;
        if (failure != null) order.Fail(failure);
        else order.Succeed();
    }

    /// <summary>All structures take the room that the metadata name by now. No request is under way.</summary>
    internal void TakeRoom(GrowOrder order)
    {
        Policy.Enter();
        lock (Map.SizeLock) Map.Grow(order.Geometry);
        Changes.Grow(Map.Table.Groups);
        Discards.Grow(order.Geometry, _devices.Backing.SizeBytes);
        PolicyHost next = NewPolicy(Policy.Host.Info.Name);
        for (uint place = 0; place < Map.Table.Places; place++)
            if ((Map.Table.StateOf(place) & PlaceState.Mapped) != 0) LoadInto(next, place, Policy.Host.HintOf(place));
        PolicyHost old = Policy.Replace(next);
        Policy.Exit();
        old.Dispose();
        Volatile.Write(ref _clientBytes, order.ClientBytes);
    }

    private CacheGeometry LookForRoom()
    {
        _devices.Cache.TryGrow();
        _devices.Backing.TryGrow();
        CacheGeometry now = Map.Geometry;
        long places = Math.Max(now.PlacesIn(_devices.Cache.SizeBytes), now.Places);
        return now.Grown(
            CacheSizes.CheckPlaces(places, _devices.Cache.Name, now.BlockBytes), _devices.Backing.SizeBytes);
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
