using System;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost;

/// <content>Devices that have become larger while they are served.</content>
public sealed unsafe partial class WriteboostVolume
{
    private int _segmentsWanted;
    private string _sizes = "";

    /// <summary>The cache device has room that is not used yet; see <see cref="Queue.CacheGrower"/>.</summary>
    public bool IsGrowing => SegmentsWanted != 0;

    // 0: as many as there are.
    internal int SegmentsWanted => Volatile.Read(ref _segmentsWanted);

    /// <summary>
    /// Takes the room that devices have gained: that of backing devices at once, that of the cache device soon (wait
    /// for <see cref="IsGrowing"/> to end). Any thread but the queues'. The device table learns of larger backing
    /// devices at the next start; a device larger than it says is welcome.
    /// </summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public void Grow()
    {
        StringBuilder text = new();
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (backing.IsAbsent) continue;
            bool grown = backing.Device.TryGrow();
            text.Append($"{backing.Name} {backing.SizeBytes} {(grown ? "grown" : "unchanged")}\n");
            if (grown) Options.Log($"{backing.Device.Name}: has grown to {backing.SizeBytes} bytes");
        }
        Volatile.Write(ref _sizes, text.ToString());
        Cache.TryGrow();
        BeginGrowth();
    }

    /// <summary>What <see cref="Grow"/> came to: a line for each device that is there, the cache's last.</summary>
    internal string DescribeSizes()
    {
        string end = IsGrowing ? "is growing" : "segments";
        return $"{Volatile.Read(ref _sizes)}{Cache.Name} {Cache.SizeBytes} {Geometry.SegmentCount} {end}\n";
    }

    internal void EndGrowth() => Volatile.Write(ref _segmentsWanted, 0);

    private void BeginGrowth()
    {
        long room = Geometry.SegmentsIn(Math.Min(Cache.SizeBytes, Geometry.MaxCacheBytes), Geometry.SegmentBytes);
        if (room <= Geometry.SegmentCount) return;
        string what = $"{Cache.Name}: has room for {room} segments, of which {Geometry.SegmentCount} are used";
        if (ReadOnly) throw new UserErrorException($"{what}: the volume is served read-only");
        if (!Layout.HasEpochs)
            throw new UserErrorException($"{what}: in layout {Layout.Name} their number stays as it was formatted");
        if (Health.State != VolumeState.Healthy)
            throw new UserErrorException($"{what}: the volume is {VolumeHealth.NameOf(Health.State)}");
        int reserved = Cache.Preallocate();
        if (reserved < 0) throw new UserErrorException($"{what}: reserving the room failed with errno {-reserved}");
        Volatile.Write(ref _segmentsWanted, (int)room);
        WakeCaretaker();
    }
}
