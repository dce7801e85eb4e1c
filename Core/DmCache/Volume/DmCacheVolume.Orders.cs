using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
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
        if (Growth != null) throw new UserErrorException("a growth is under way already");
        GrowOrder order = LookForRoom();
        if (order.Geometry.Places == Map.Geometry.Places && order.ClientBytes == SizeBytes)
            return () => OrderProgress.DoneWith($"done, nothing has grown: the volume has {SizeBytes} bytes and its "
                + $"cache {CacheBlocks} blocks");
        // Without looking into the metadata, which only the first queue may: it counts again what is missing.
        uint places = order.Geometry.Places;
        long missing = CacheMetadata.LeastBlocksFor(Metadata.Head.Version, places) - Metadata.MetadataBlocks;
        if (missing > 0) throw new UserErrorException(Grower.TextOfMissing(Metadata, places, missing));
        order.Space.TakeBehind(_devices.Cache, Map.Geometry.PlaceOffset(Map.Geometry.Places));
        if (Interlocked.CompareExchange(ref _growth, order, null) != null)
            throw new UserErrorException("a growth is under way already");
        Queues.WakeFirst();
        return Heeding(() => order.Progress);
    }

    /// <summary>The growth is over: well, or why it failed. By the first queue's thread.</summary>
    internal void EndGrowth(string? failure)
    {
        if (Interlocked.Exchange(ref _growth, null) is not { } order) return;
        if (failure != null) order.Space.GiveBack();
        if (failure != null) order.Fail(failure);
        else order.Succeed();
    }

    /// <summary>All structures take the room that the metadata name by now. No request is under way.</summary>
    internal void TakeRoom(GrowOrder order)
    {
        Policy.Enter();
        lock (Map.SizeLock) Map.Grow(order.Geometry);
        Changes.Grow(Map.Table.Groups);
        Discards.Grow(order.Geometry, order.BackingBytes);
        PolicyHost next = NewPolicy(Policy.Host.Info.Name);
        for (uint place = 0; place < Map.Table.Places; place++)
            if ((Map.Table.StateOf(place) & PlaceState.Mapped) != 0) LoadInto(next, place, Policy.Host.HintOf(place));
        PolicyHost old = Policy.Replace(next);
        Policy.Exit();
        old.Dispose();
        Volatile.Write(ref _clientBytes, order.ClientBytes);
    }

    private GrowOrder LookForRoom()
    {
        CacheGeometry now = Map.Geometry;
        long cacheBytes = SizeOf(_devices.Cache, now.PlaceOffset(now.Places));
        long backingBytes = SizeOf(_devices.Backing, SizeBytes);
        uint places = CacheSizes.CheckPlaces(
            Math.Max(now.PlacesIn(cacheBytes), now.Places), _devices.Cache.Name, cacheBytes, now.BlockBytes);
        long sector = _devices.Backing.LogicalBlockBytes, wholeBytes = (backingBytes + sector - 1) & -sector;
        return new GrowOrder(now.Grown(places, wholeBytes), wholeBytes, backingBytes);
    }

    // As it is now; less than is served of it is no room to take.
    private static long SizeOf(Device device, long servedBytes)
    {
        device.TryGrow(long.MaxValue, out long found);
        if (found >= servedBytes) return Math.Min(found, device.ClientBytes);
        throw new UserErrorException(found < 0
            ? $"{device.Name}: cannot ask for the size: {Errno.Text((int)found)}"
            : $"{device.Name}: has {found} bytes, and {servedBytes} are served of it: it has shrunk; nothing has "
                + "grown");
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
