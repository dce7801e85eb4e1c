using System;
using System.Collections.Generic;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Errors;

/// <summary>Sectors of a backing device that are lost: only the cache had them, and they are rotten there.</summary>
/// <param name="Device">Name of the device.</param>
/// <param name="OffsetBytes">Where they begin on it.</param>
/// <param name="LengthBytes">How long they are.</param>
internal readonly record struct LostRange(string Device, long OffsetBytes, long LengthBytes)
{
    /// <summary>As <c>give_up</c> takes it.</summary>
    public override string ToString() => $"{Device}:{OffsetBytes}+{LengthBytes}";
}

/// <summary>A version of a block that is lost, as the index has it at a moment.</summary>
internal readonly record struct LostVersion(ulong Key, byte Sectors, long Position);

/// <summary>
/// Names what cannot be saved, and takes the user's word for what is given up (R11). Control path, from any thread;
/// while the volume is served the answer is a little old when it arrives.
/// </summary>
internal static class LostBlocks
{
    /// <summary>Ranges that one line names.</summary>
    private const int MaxInLine = 16;

    /// <summary>What <c>give_up</c> calls everything.</summary>
    public const string Everything = "all";

    /// <summary>
    /// The versions that are lost, with those of their sectors that nothing newer replaces, in the order of their
    /// places on the devices.
    /// </summary>
    public static List<LostVersion> Find(BlockIndex index, RangeMap ranges, SegmentTable table, in Geometry geometry)
    {
        List<LostVersion> found = [];
        if (index.RottenCount > 0) Find(found, index, ranges, table, 0, geometry.SlotCount);
        return found;
    }

    /// <summary>The same of one segment of a volume.</summary>
    public static List<LostVersion> FindIn(WriteboostVolume volume, long segment)
    {
        List<LostVersion> found = [];
        long first = volume.Geometry.PhysicalSlot(volume.Geometry.Position(segment, 0));
        long end = first + volume.Geometry.SlotsPerSegment;
        Find(found, volume.Index, volume.Ranges, volume.Log.Table, first, end);
        return found;
    }

    private static void Find(
        List<LostVersion> found, BlockIndex index, RangeMap ranges, SegmentTable table, long first, long end)
    {
        for (uint slot = (uint)first; slot < end; slot++)
        {
            if (!index.TryGetLost(slot, out ulong key, out byte sectors)) continue;
            long position = table.PositionOf(slot);
            if (ranges.PositionOver(key) > position) continue;
            sectors &= (byte)~index.SectorsFrom(key, position + 1);
            if (sectors != 0) found.Add(new LostVersion(key, sectors, position));
        }
        found.Sort(static (a, b) => a.Key.CompareTo(b.Key));
    }

    /// <summary>The same of a volume: of the device with number <paramref name="id"/>, or of all (0).</summary>
    public static List<LostVersion> Find(WriteboostVolume volume, int id = 0)
    {
        List<LostVersion> found = Find(volume.Index, volume.Ranges, volume.Log.Table, volume.Geometry);
        if (id != 0) found.RemoveAll(lost => BackingTable.IdOf(lost.Key) != id);
        return found;
    }

    /// <summary>
    /// The ranges of <paramref name="versions"/>, which are in order; <paramref name="nameOf"/> knows the devices by
    /// number.
    /// </summary>
    public static List<LostRange> RangesOf(List<LostVersion> versions, Func<int, string> nameOf)
    {
        List<LostRange> ranges = [];
        for (int i = 0; i < versions.Count;)
        {
            ulong key = versions[i].Key;
            byte sectors = 0;
            for (; i < versions.Count && versions[i].Key == key; i++) sectors |= versions[i].Sectors;
            AddRuns(ranges, nameOf(BackingTable.IdOf(key)), key, sectors);
        }
        return ranges;
    }

    /// <summary>
    /// Some of the ranges of <paramref name="versions"/>, and how many more there are, in one line.
    /// </summary>
    public static string Describe(WriteboostVolume volume, List<LostVersion> versions)
    {
        List<LostRange> ranges = RangesOf(versions, NamesOf(volume));
        StringBuilder text = new();
        for (int i = 0; i < Math.Min(ranges.Count, MaxInLine); i++) text.Append(i == 0 ? "" : ", ").Append(ranges[i]);
        if (ranges.Count > MaxInLine) text.Append($" and {ranges.Count - MaxInLine} ranges more");
        return text.ToString();
    }

    /// <summary>What is lost, in a sentence; null when nothing is.</summary>
    public static string? Sentence(WriteboostVolume volume, int id = 0)
    {
        List<LostVersion> lost = Find(volume, id);
        if (lost.Count == 0) return null;
        string what = $"{CountBlocks(lost)} lost, rotten or unreadable in the cache and nowhere else";
        return $"{what}: {Describe(volume, lost)}";
    }

    /// <summary>One range in a line, then, when there are more, how many: for <c>lost_blocks</c>.</summary>
    public static string List(WriteboostVolume volume)
    {
        List<LostRange> ranges = RangesOf(Find(volume), NamesOf(volume));
        StringBuilder text = new();
        for (int i = 0; i < Math.Min(ranges.Count, DirtyRanges.MaxLines); i++)
            text.Append($"{ranges[i].Device} {ranges[i].OffsetBytes} {ranges[i].LengthBytes}\n");
        if (ranges.Count > DirtyRanges.MaxLines)
            text.Append($"and {ranges.Count - DirtyRanges.MaxLines} ranges more\n");
        return text.ToString();
    }

    /// <summary>Those of what is lost that <paramref name="text"/> names: a range, or all.</summary>
    /// <exception cref="UserErrorException">It is no range of a device of the cache.</exception>
    public static List<LostVersion> Select(WriteboostVolume volume, string text)
    {
        List<LostVersion> found = Find(volume);
        if (text == Everything) return found;
        (int id, long offset, long length) = Parse(volume, text);
        List<LostVersion> selected = [];
        foreach (LostVersion lost in found)
        {
            byte sectors = (byte)(lost.Sectors & SectorsIn(lost.Key, id, offset, length));
            if (sectors != 0) selected.Add(lost with { Sectors = sectors });
        }
        return selected;
    }

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

    private static (int Id, long Offset, long Length) Parse(WriteboostVolume volume, string text)
    {
        int colon = text.LastIndexOf(':'), plus = text.LastIndexOf('+');
        bool isRange = colon > 0 && plus > colon;
        long offset = 0, length = 0;
        isRange = isRange && ByteSize.TryParse(text.AsSpan()[(colon + 1)..plus], out offset)
            && ByteSize.TryParse(text.AsSpan()[(plus + 1)..], out length) && length > 0;
        if (!isRange)
            throw new UserErrorException(
                $"give_up '{text}': expected NAME:OFFSET+LENGTH in bytes, as 'lost_blocks' has them, or '{Everything}'",
                2);
        if (offset % Geometry.SectorBytes != 0 || length % Geometry.SectorBytes != 0)
            throw new UserErrorException($"give_up '{text}': expected multiples of {Geometry.SectorBytes} bytes", 2);
        BackingDevice device = volume.Backings.Find(text[..colon])
            ?? throw new UserErrorException($"give_up '{text}': no device is called '{text[..colon]}'", 2);
        return (device.Id, offset, length);
    }

    /// <summary>
    /// How many blocks <paramref name="lost"/> are, in words: several versions of one may be lost, each with sectors of
    /// its own.
    /// </summary>
    public static string CountBlocks(List<LostVersion> lost)
    {
        int blocks = 0;
        for (int i = 0; i < lost.Count; i++)
            if (i == 0 || lost[i].Key != lost[i - 1].Key) blocks++;
        return Count(blocks);
    }

    /// <summary>A number of blocks in words.</summary>
    public static string Count(long blocks) => blocks == 1 ? "1 block" : $"{blocks} blocks";

    private static Func<int, string> NamesOf(WriteboostVolume volume) =>
        id => volume.Backings.Find(id)?.Name ?? $"device{id}";

    private static void AddRuns(List<LostRange> ranges, string name, ulong key, byte sectors)
    {
        while (sectors != 0)
        {
            SectorMask.TakeRun(ref sectors, out int within, out int length);
            long offset = BackingTable.OffsetOf(key) + within;
            LostRange last = ranges.Count > 0 ? ranges[^1] : default;
            bool joins = last.Device == name && last.OffsetBytes + last.LengthBytes == offset;
            if (joins) ranges[^1] = last with { LengthBytes = last.LengthBytes + length };
            else ranges.Add(new LostRange(name, offset, length));
        }
    }
}
