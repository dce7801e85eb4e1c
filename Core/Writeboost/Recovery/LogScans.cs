using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Chooses the scan that a layout needs.</summary>
public static class LogScans
{
    /// <summary>
    /// A scan of <paramref name="cache"/> into <paramref name="replay"/>; <paramref name="readsData"/> as in
    /// <see cref="SegmentScan"/>.
    /// </summary>
    public static ILogScan New(
        Layout layout, in Superblock superblock, in Geometry geometry, BlockingIo io, DeviceQueue queue, Device cache,
        Replay replay, bool readsData) =>
        layout is SegmentLayout segments
            ? new SegmentScan(segments, superblock, geometry, io, queue, cache, replay, readsData)
            : new LogScan(superblock, geometry, io, queue, cache, replay);
}
