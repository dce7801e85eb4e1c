using Weir.Core.Volumes;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// What only the cache has of a volume that is served. Nothing once the volume goes on without its cache: then the
/// backing devices have everything. Any thread.
/// </summary>
internal sealed class DirtyData(
    SegmentLog log, BlockIndex index, RangeMap ranges, BackingTable backings, VolumeHealth health)
{
    /// <summary>The cache device has failed, and has left nothing that the backing devices do not have.</summary>
    public bool HasNoCache => health.State == VolumeState.PassThrough;

    /// <summary>Versions of blocks that the mark has not passed.</summary>
    public long Blocks => HasNoCache ? 0 : index.DirtyCount;

    /// <summary>Discarded and zeroed ranges, or what newer ones have left of them, likewise.</summary>
    public int Ranges => HasNoCache ? 0 : ranges.CountFrom(DirtyPosition);

    /// <summary>Dirty blocks of devices that are not given.</summary>
    public long AbsentBlocks
    {
        get
        {
            long sum = 0;
            foreach (BackingDevice backing in backings.Absent) sum += index.DirtyOf(backing.Id);
            return sum;
        }
    }

    /// <summary>Dirty blocks of the others.</summary>
    public long PresentBlocks => index.DirtyCount - AbsentBlocks;

    /// <summary>There may be some of devices that are not given. Ranges are not counted by device: any may be
    /// theirs.</summary>
    public bool IsAnyAbsent => backings.Absent.Length > 0 && (ranges.Entries > 0 || AbsentBlocks > 0);

    /// <summary>Ranges of devices that are not given, also those that lie before the mark.</summary>
    public int AbsentRanges
    {
        get
        {
            int sum = 0;
            foreach (BackingDevice backing in backings.Absent)
                sum += ranges.CountBetween(FirstKeyOf(backing.Id), FirstKeyOf(backing.Id + 1));
            return sum;
        }
    }

    private long DirtyPosition => log.Geometry.Position(log.DirtySegment, 0);

    /// <summary>As <see cref="Blocks"/>, of device <paramref name="id"/>.</summary>
    public long BlocksOf(int id) => HasNoCache ? 0 : index.DirtyOf(id);

    /// <summary>Ranges of device <paramref name="id"/> that it does not have.</summary>
    public int RangesOf(int id) => ranges.CountBetween(FirstKeyOf(id), FirstKeyOf(id + 1), DirtyPosition);

    /// <summary>Write-back cannot do without this device.</summary>
    public bool IsAnyOf(BackingDevice device) => index.DirtyOf(device.Id) > 0 || RangesOf(device.Id) > 0;

    private static ulong FirstKeyOf(int id) => BackingTable.KeyOf(id, 0);
}
