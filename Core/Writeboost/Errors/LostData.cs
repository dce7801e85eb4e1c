using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// Blocks of a volume that is served which cannot be saved (R11): names them, and takes the user's word for which of
/// them are given up. Control path, from any thread; the answer is a little old when it arrives.
/// </summary>
internal sealed class LostData(
    Device cache, Layout layout, SegmentLog log, BlockIndex index, RangeMap ranges, BackingTable backings)
{
    private long _heldSegment;

    /// <summary>Blocks that only the cache had and that are rotten there; parts of one count each.</summary>
    public long Count => index.RottenCount;

    /// <summary>
    /// The segment that write-back waits at because something in it is lost, in a layout that cannot move that on; 0:
    /// it does not wait. The first queue's thread says so.
    /// </summary>
    public long HeldSegment
    {
        get => Volatile.Read(ref _heldSegment);
        set => Volatile.Write(ref _heldSegment, value);
    }

    /// <summary>Why it waits there, in a sentence; null: it does not, or need not any more. Any thread.</summary>
    public string? Hold
    {
        get
        {
            long segment = HeldSegment;
            List<LostVersion> lost = segment == 0 ? [] : FindIn(segment);
            if (lost.Count == 0) return null;
            const string end = "; mend it before you stop: the segment's checksum is wrong, and the next start "
                + "cannot tell which block has made it so";
            return $"cache device {cache.Name}: {LostBlocks.CountBlocks(lost)} in segment {segment} lost, rotten or "
                + $"unreadable there and nowhere else: {Describe(lost)}; layout {layout.Name} has no "
                + $"entry for that, so write-back waits there: {LostRange.Advice}{end}";
        }
    }

    /// <summary>All of them, or those of the device with number <paramref name="id"/>.</summary>
    public List<LostVersion> Find(int id = 0)
    {
        List<LostVersion> found = LostBlocks.Find(index, ranges, log.Table, log.Geometry);
        if (id != 0) found.RemoveAll(lost => BackingTable.IdOf(lost.Key) != id);
        return found;
    }

    /// <summary>Those of one segment.</summary>
    public List<LostVersion> FindIn(long segment)
    {
        long first = log.Geometry.PhysicalSlot(log.Geometry.Position(segment, 0));
        return LostBlocks.Find(index, ranges, log.Table, first, first + log.Geometry.SlotsPerSegment);
    }

    /// <summary>
    /// Some of the ranges of <paramref name="versions"/>, and how many more there are, in one line.
    /// </summary>
    public string Describe(List<LostVersion> versions) => LostRange.Describe(LostBlocks.RangesOf(versions, NameOf));

    /// <summary>What is lost, of one device or all, in a sentence as far as a line goes; null: nothing.</summary>
    public string? Sentence(int id = 0)
    {
        List<LostVersion> lost = Find(id);
        if (lost.Count == 0) return null;
        string what = $"{LostBlocks.CountBlocks(lost)} lost, rotten or unreadable in the cache and nowhere else";
        return $"{what}: {Describe(lost)}";
    }

    /// <summary>One range in a line, then, when there are more, how many: for <c>lost_blocks</c>.</summary>
    public string List() => LostRange.List(LostBlocks.RangesOf(Find(), NameOf));

    /// <summary>Those of what is lost that <paramref name="text"/> names: a range, or all.</summary>
    /// <exception cref="UserErrorException">It is no range of a device of the cache.</exception>
    public List<LostVersion> Select(string text)
    {
        List<LostVersion> found = Find();
        if (text == LostRange.Everything) return found;
        (int id, long offset, long length) = Parse(text);
        List<LostVersion> selected = [];
        foreach (LostVersion lost in found)
        {
            byte sectors = (byte)(lost.Sectors & SectorsIn(lost.Key, id, offset, length));
            if (sectors != 0) selected.Add(lost with { Sectors = sectors });
        }
        return selected;
    }

    private string NameOf(int id) => backings.Find(id)?.Name ?? $"device{id}";

    private static byte SectorsIn(ulong key, int id, long offset, long length)
    {
        if (BackingTable.IdOf(key) != id) return 0;
        byte sectors = 0;
        for (int i = 0; i < Geometry.BlockBytes / Geometry.SectorBytes; i++)
        {
            long at = BackingTable.OffsetOf(key) + (i * Geometry.SectorBytes);
            if (at >= offset && at - offset < length) sectors |= (byte)(1 << i);
        }
        return sectors;
    }

    private (int Id, long Offset, long Length) Parse(string text)
    {
        LostRange range = LostRange.Parse(text);
        BackingDevice device = backings.Find(range.Device)
            ?? throw new UserErrorException($"give_up '{text}': no device is called '{range.Device}'", 2);
        return (device.Id, range.OffsetBytes, range.LengthBytes);
    }
}
