using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// What the sample table of a kernel's layout says of the log beside the samples, in place of an epoch. On the first
/// queue's thread, or before it serves.
/// </summary>
internal sealed class SegmentLife(SuperblockState superblock, SegmentLog log)
{
    /// <summary>Tells <paramref name="table"/>, which is going to be written, how far the log has come.</summary>
    public void Describe(SampleTable table) =>
        table.DescribeLog(superblock.Now, log.Geometry, log.DurableRecord);

    /// <summary>
    /// The log has gone on so far behind what <paramref name="table"/> says that soon nobody could tell what it has
    /// changed since.
    /// </summary>
    public bool IsDue(SampleTable table) =>
        log.Geometry.SegmentOf(superblock.Now.MarkPosition) - 1 - table.MarkSegment
            > log.Geometry.SegmentCount / 2;
}
