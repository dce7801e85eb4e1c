using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost;

/// <content>Devices that have become larger while they are served, or smaller since they were.</content>
public sealed unsafe partial class WriteboostVolume
{
    private int _segmentsWanted;
    private bool _growthAwaitsWriteback;
    private string _sizes = "";
    private volatile string? _growthRefusal;
    private bool _isTooLargeSaid;

    /// <summary>The cache was told to grow, and has not ended doing so; see <see cref="Queue.CacheGrower"/>.</summary>
    public bool IsGrowing => SegmentsWanted != 0;

    // 0: as many as there are.
    internal int SegmentsWanted => Volatile.Read(ref _segmentsWanted);

    /// <summary>
    /// Takes the room that devices have gained: that of backing devices at once, that of the cache device soon (wait
    /// for <see cref="IsGrowing"/> to end). Any thread but the queues'. The device table learns of larger backing
    /// devices at the next start; a device larger than it says is welcome. Returns the segments that there will be.
    /// </summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public int Grow()
    {
        StringBuilder text = new();
        string? refusal = null;
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (backing.IsAbsent) continue;
            long before = backing.Device.ClientBytes;
            bool grown = backing.Device.TryGrow(BackingTable.MaxDeviceBytes, out long found);
            if (found > BackingTable.MaxDeviceBytes && found > before)
                refusal = (refusal == null ? "" : refusal + "; ") + $"{Binding.TooLarge(backing.Device.Name, found)}: "
                    + $"goes on with {backing.ClientBytes}";
            text.Append($"{backing.Name} {backing.ClientBytes} {(grown ? "grown" : "unchanged")}\n");
            if (grown) Options.Log($"{backing.Device.Name}: has grown to {backing.ClientBytes} bytes");
        }
        Volatile.Write(ref _sizes, text.ToString());
        _growthRefusal = refusal;
        Cache.TryGrow();
        return BeginGrowth();
    }

    /// <summary>What <see cref="Grow"/> came to: a line for each device that is there, the cache's last.</summary>
    internal string DescribeSizes()
    {
        string end = IsGrowing ? "is growing" : "segments";
        return $"{Volatile.Read(ref _sizes)}{Cache.Name} {Cache.SizeBytes} {Geometry.SegmentCount} {end}\n";
    }

    // Unless somebody wants more by now.
    internal void EndGrowth(int segments, string? failure = null)
    {
        if (failure != null) _growthFailure = failure;
        Interlocked.CompareExchange(ref _segmentsWanted, 0, segments);
    }

    // Whoever waits is told; it is tried again.
    internal void NoteGrowthRefused(string reason) => _growthFailure = reason;

    // What lies before the log's wrap must be written back first. Written on the first queue's thread.
    internal bool GrowthAwaitsWriteback
    {
        get => Volatile.Read(ref _growthAwaitsWriteback);
        set => Volatile.Write(ref _growthAwaitsWriteback, value);
    }

    private bool AnyHasShrunk => Backings.ToList().Exists(static backing => backing.HasShrunk);

    // What the log alone holds must have its place. Clean blocks need not be looked at: none counts (R10).
    private void CheckShrunk()
    {
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (!backing.HasShrunk) continue;
            long blocks = DirtyBeyond(backing.Id, backing.SizeBytes);
            long end = backing.SizeBytes + Geometry.BlockBytes - 1;
            int ranges = Ranges.CountBetween(
                BackingTable.KeyOf(backing.Id, end), BackingTable.KeyOf(backing.Id + 1, 0));
            if (blocks == 0 && ranges == 0) continue;
            throw new UserErrorException($"{backing.Device.Name}: {backing.SizeBytes} bytes, but the cache holds "
                + $"{blocks} dirty blocks and {ranges} discarded or zeroed ranges beyond: truncated?");
        }
    }

    private long DirtyBeyond(int id, long sizeBytes)
    {
        long count = 0;
        for (uint slot = 0; slot < Geometry.SlotCount; slot++)
        {
            if (!Index.TryGetDirty(slot, out ulong key, out byte sectors) || BackingTable.IdOf(key) != id) continue;
            int last = System.Numerics.BitOperations.Log2(sectors);
            if (BackingTable.OffsetOf(key) + ((last + 1L) * Geometry.SectorBytes) > sizeBytes) count++;
        }
        return count;
    }

    private int BeginGrowth()
    {
        long room = Geometry.MostSegmentsIn(Cache.SizeBytes, Geometry.SegmentBytes);
        if (room <= Geometry.SegmentCount) return Geometry.SegmentCount;
        string what = $"{Cache.Name}: has room for {room} segments, of which {Geometry.SegmentCount} are used";
        if (ReadOnly) throw new UserErrorException($"{what}: the volume is served read-only");
        if (!Layout.HasEpochs)
            throw new UserErrorException($"{what}: in layout {Layout.Name} their number stays while it is served");
        if (!Health.TakesWrites)
            throw new UserErrorException($"{what}: the volume is {VolumeHealth.NameOf(Health.State)}: {Health.Reason}");
        int reserved = Cache.Preallocate();
        if (reserved < 0) throw new UserErrorException($"{what}: reserving the room failed: {Errno.Text(reserved)}");
        Volatile.Write(ref _segmentsWanted, (int)room);
        Queues.WakeFirst();
        return (int)room;
    }
}
