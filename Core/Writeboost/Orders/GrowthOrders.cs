using System;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// Orders to take the room that devices have gained while they are served. Given on any thread but the queues'; the
/// cache's is taken by the first queue's (<c>CacheGrower</c>).
/// </summary>
internal sealed class GrowthOrders(
    Device cache, Geometry geometry, BackingTable backings, VolumeHealth health, QueueSet queues,
    WriteboostOptions options)
{
    private int _segmentsWanted;
    private bool _awaitsWriteback;
    private string _sizes = "";
    private volatile string? _refusal;
    private volatile string? _failure;

    /// <summary>The cache was told to grow, and has not ended doing so.</summary>
    public bool IsUnderWay => SegmentsWanted != 0;

    /// <summary>Segments that the cache shall have; 0: as many as there are.</summary>
    public int SegmentsWanted => Volatile.Read(ref _segmentsWanted);

    /// <summary>
    /// What lies before the log's wrap must be written back first. Written by whoever orders, and by the first queue's
    /// thread.
    /// </summary>
    public bool AwaitsWriteback
    {
        get => Volatile.Read(ref _awaitsWriteback);
        set => Volatile.Write(ref _awaitsWriteback, value);
    }

    /// <summary>
    /// Takes the room that devices have gained: that of backing devices at once, that of the cache device soon (wait
    /// for <see cref="IsUnderWay"/> to end). The device table learns of larger backing devices at the next start; a
    /// device larger than it says is welcome. Returns the segments that there will be.
    /// </summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public int Grow()
    {
        StringBuilder text = new();
        string? refusal = null;
        foreach (BackingDevice backing in backings.ToList())
        {
            if (backing.IsAbsent) continue;
            long before = backing.Device.ClientBytes;
            bool grown = backing.Device.TryGrow(BackingTable.MaxDeviceBytes, out long found);
            if (found > BackingTable.MaxDeviceBytes && found > before)
                refusal = (refusal == null ? "" : refusal + "; ") + $"{Binding.TooLarge(backing.Device.Name, found)}: "
                    + $"goes on with {backing.ClientBytes}";
            text.Append($"{backing.Name} {backing.ClientBytes} {(grown ? "grown" : "unchanged")}\n");
            if (grown) options.Log($"{backing.Device.Name}: has grown to {backing.ClientBytes} bytes");
        }
        Volatile.Write(ref _sizes, text.ToString());
        _refusal = refusal;
        cache.TryGrow();
        return BeginCache();
    }

    /// <summary>As <see cref="Grow"/>; <paramref name="order"/> knows why write-back may never come that far.</summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public Func<OrderProgress> Begin(WritebackOrder order)
    {
        (_failure, AwaitsWriteback) = (null, false);
        health.AskRetry();
        int wanted = Grow();
        string? refusal = _refusal;
        return () =>
        {
            // In this order: who ends a growth has changed the number before.
            bool goesOn = IsUnderWay;
            if (geometry.SegmentCount >= wanted)
                return refusal == null ? OrderProgress.Done : default(OrderProgress).Fail(refusal);
            OrderProgress open =
                OrderProgress.UnderWay($"{cache.Name} has {geometry.SegmentCount} segments instead of {wanted}");
            string? why = _failure ?? (AwaitsWriteback ? order.WhyItFails : null);
            if (goesOn) return why != null ? open.Fail(why) : open;
            return open.Fail(why ?? "called off by cancel_drain");
        };
    }

    /// <summary>What <see cref="Grow"/> came to: a line for each device that is there, the cache's last.</summary>
    public string DescribeSizes()
    {
        string end = IsUnderWay ? "is growing" : "segments";
        return $"{Volatile.Read(ref _sizes)}{cache.Name} {cache.SizeBytes} {geometry.SegmentCount} {end}\n";
    }

    /// <summary>The growth to so many has ended, unless somebody wants more by now.</summary>
    public void End(int segments, string? failure = null)
    {
        if (failure != null) _failure = failure;
        Interlocked.CompareExchange(ref _segmentsWanted, 0, segments);
    }

    /// <summary>Nobody wants it any more.</summary>
    public void CallOff() => Volatile.Write(ref _segmentsWanted, 0);

    /// <summary>Whoever waits is told; it is tried again.</summary>
    public void NoteRefused(string reason) => _failure = reason;

    private int BeginCache()
    {
        long room = Geometry.MostSegmentsIn(cache.SizeBytes, geometry.SegmentBytes);
        if (room <= geometry.SegmentCount) return geometry.SegmentCount;
        string what = $"{cache.Name}: has room for {room} segments, of which {geometry.SegmentCount} are used";
        if (options.ReadOnly) throw new UserErrorException($"{what}: the volume is served read-only");
        if (!options.Layout.HasEpochs)
            throw new UserErrorException(
                $"{what}: in layout {options.Layout.Name} their number stays while it is served");
        if (!health.TakesWrites)
            throw new UserErrorException($"{what}: the volume is {VolumeHealth.NameOf(health.State)}: {health.Reason}");
        new SpaceReservation().TakeBehind(cache, geometry.UsedBytes);
        Volatile.Write(ref _segmentsWanted, (int)room);
        queues.WakeFirst();
        return (int)room;
    }
}
