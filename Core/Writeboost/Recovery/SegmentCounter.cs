using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// How many segments a log of a kernel layout was made with. Nothing on the device says so: the kernel's programs go by
/// the device's size. But once the log has gone round, its headers show it: the segment with id i lies at place
/// (i - 1) mod segments. On a device that has become larger since, another number would put the log together wrongly,
/// and lose what lies behind the seam. A log that has not gone round lies the same for every number. An id that has
/// rotted must not look like another number: the seal says what it was.
/// </summary>
internal static unsafe class SegmentCounter
{
    /// <summary>
    /// The number for a device with room for <paramref name="most"/>: that, unless the headers fit another one only.
    /// </summary>
    public static int Find(SegmentLayout layout, IoContext io, DeviceQueue queue, Device cache, int most)
    {
        if (most < Geometry.MinSegments || HasGoneRound(layout, io, queue, cache, most)) return most;
        long[] ids = ReadIds(layout, io, queue, cache, 0, most);
        int misplaced = FirstMisplaced(ids, most);
        if (misplaced == most) return most;
        int places = most;
        while (ids[places - 1] == 0) places--;
        // Rounds of the segment there: the fewer, the more segments.
        long distance = ids[misplaced] - 1 - misplaced;
        for (long rounds = 1; rounds <= distance / Geometry.MinSegments; rounds++)
        {
            long segments = distance / rounds;
            if (segments < places || segments < Geometry.MinSegments) break;
            if (distance % rounds == 0 && segments < most && FirstMisplaced(ids, segments) == ids.Length)
                return (int)segments;
        }
        // Damaged, or no cache: the scan says so.
        return most;
    }

    // Of a log that has gone round with this number no place is empty; the first and the last tell, at little cost.
    private static bool HasGoneRound(
        SegmentLayout layout, IoContext io, DeviceQueue queue, Device cache, int segments)
    {
        long first = ReadIds(layout, io, queue, cache, 0, 1)[0];
        long last = ReadIds(layout, io, queue, cache, segments - 1, 1)[0];
        return BelongsTo(first, 0, segments) && BelongsTo(last, segments - 1, segments);
    }

    // The first place whose segment does not belong there; the number of places when there is none.
    private static int FirstMisplaced(long[] ids, long segments)
    {
        int place = 0;
        while (place < ids.Length && (ids[place] <= 0 || BelongsTo(ids[place], place, segments))) place++;
        return place;
    }

    private static long[] ReadIds(
        SegmentLayout layout, IoContext io, DeviceQueue queue, Device cache, int first, int count)
    {
        long[] ids = new long[count];
        using HeaderStream headers = new(
            io, queue, cache, count,
            place => Geometry.SuperblockRegionBytes + ((long)(first + place) * layout.SegmentBytes));
        for (int i = 0; i < count; i++) ids[i] = layout.SealedIdOf(headers.Next());
        return ids;
    }

    private static bool BelongsTo(long id, long place, long segments) => id > 0 && (id - 1) % segments == place;
}
