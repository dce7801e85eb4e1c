using System.Threading;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// Blocks and headers that the cache device gives back otherwise than they were written, or not at all (R5, R11):
/// marked in the index, counted, and said once each. Any thread but <see cref="ReportHeader"/>.
/// </summary>
internal sealed class RotReports(
    Device cache, SegmentLog log, BlockIndex index, BackingTable backings, CleanValidity clean, VolumeHealth health,
    WriteboostOptions options)
{
    private long _lastHeader;
    private long _clean;
    private long _dirty;

    /// <summary>Blocks that the backing devices had too.</summary>
    public long CleanCount => Volatile.Read(ref _clean);

    /// <summary>Those that they had not.</summary>
    public long DirtyCount => Volatile.Read(ref _dirty);

    /// <summary>
    /// The block at a place is not what it was, or cannot be read. Once per block: a client that reads it again and
    /// again shall not fill the log.
    /// </summary>
    public void Report(uint slot, bool isUnread = false)
    {
        if (!index.MarkRotten(slot, out bool isClean, unread: isUnread)) return;
        if (isClean) Interlocked.Increment(ref _clean); else Interlocked.Increment(ref _dirty);
        // The next start does not know which it is.
        if (isClean) clean.Outdate();
        long position = log.Table.PositionOf(slot);
        ulong key = index.KeyOf(slot);
        options.Log($"{cache.Name}: block {BackingTable.OffsetOf(key) >> Geometry.BlockShift} of "
            + $"{backings.NameOf(key)} in segment {log.Geometry.SegmentOf(position)}, slot "
            + $"{log.Geometry.SlotOf(position)} {(isUnread ? "cannot be read" : "is rotten")}: it "
            + (isClean ? "is read from the backing device"
                : isUnread ? "reads EIO until the cache device gives it, or it is written"
                : "reads EIO until it is written"));
    }

    /// <summary>
    /// The cache device does not give the bytes of a slot that a reader has pinned. True: it is worth looking the block
    /// up again, because the backing device has it, or something newer has come (R11). Of a device that has failed all
    /// that it alone has is lost: no block of it need be named.
    /// </summary>
    public bool PassOver(uint slot)
    {
        if (!health.CacheHasFailed)
        {
            Report(slot, isUnread: true);
            return !index.TryGetDirty(slot, out _, out _);
        }
        if (index.MarkRotten(slot, out bool isClean, onlyClean: true)) Interlocked.Increment(ref _clean);
        return isClean || !index.IsLinked(slot);
    }

    /// <summary>
    /// Blocks of the open segment, which RAM has too, are not what they were: written again from there, or not, with a
    /// negative errno.
    /// </summary>
    public void ReportMended(int count, long segment, int error) => options.Log(
        $"{cache.Name}: {LostRange.Count(count)} of segment {segment} "
        + $"{(count == 1 ? "is" : "are")} rotten or cannot be read: "
        + (error == 0 ? "written again from RAM" : $"RAM has them, and they cannot be written: {Errno.Text(error)}"));

    /// <summary>
    /// Its blocks are read as they are; write-back decides what it means for the dirty ones. First queue's thread.
    /// </summary>
    public void ReportHeader(long segment)
    {
        if (segment <= _lastHeader) return;
        _lastHeader = segment;
        options.Log($"{cache.Name}: a record header of segment {segment} is rotten"
            + (segment < log.DirtySegment ? "; all of it has been written back" : ""));
    }
}
