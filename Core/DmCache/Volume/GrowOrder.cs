using System.Threading;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>An order to take the room that devices have gained. Carried out by the first queue's thread.</summary>
/// <param name="Geometry">What the cache is to be.</param>
/// <param name="BackingBytes">The backing device, in whole sectors.</param>
/// <param name="ClientBytes">What clients shall see.</param>
internal sealed record GrowOrder(CacheGeometry Geometry, long BackingBytes, long ClientBytes)
{
    private sealed record End(OrderProgress Progress);

    private End? _end;

    /// <summary>What it has taken of the cache device.</summary>
    public SpaceReservation Space { get; } = new();

    /// <summary>How far it is; any thread.</summary>
    public OrderProgress Progress =>
        Volatile.Read(ref _end)?.Progress ?? OrderProgress.UnderWay("requests wait until the room is taken");

    /// <summary>All of it is used from now on.</summary>
    public void Succeed() => Volatile.Write(ref _end, new End(OrderProgress.DoneWith(
        $"done, the volume has {ClientBytes} bytes and its cache {Geometry.Places} blocks")));

    /// <summary>Nothing has changed.</summary>
    public void Fail(string reason) => Volatile.Write(ref _end, new End(default(OrderProgress).Fail(reason)));
}
