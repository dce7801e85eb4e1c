using System;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Chooses the scan that a layout needs.</summary>
public static class LogScans
{
    /// <summary>
    /// A scan of <paramref name="cache"/> into <paramref name="replay"/>; <paramref name="readsData"/> as in
    /// <see cref="SegmentScan"/>; <paramref name="progress"/> is told of what, how many are done, of how many.
    /// </summary>
    public static ILogScan New(
        Layout layout, in Superblock superblock, in Geometry geometry, BlockingIo io, DeviceQueue queue, Device cache,
        Replay replay, bool readsData, Action<string, long, long>? progress = null) =>
        layout is SegmentLayout segments
            ? new SegmentScan(segments, superblock, geometry, io, queue, cache, replay, readsData)
            {
                Progress = progress,
            }
            : new LogScan(superblock, geometry, io, queue, cache, replay) { Progress = progress };
}
