using System;
using System.Collections.Generic;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Errors;

/// <summary>A version of a block that is lost, as the index has it at a moment.</summary>
internal readonly record struct LostVersion(ulong Key, byte Sectors, long Position);

/// <summary>
/// Names what cannot be saved, and takes the user's word for what is given up (R11). Control path, from any thread;
/// while the volume is served the answer is a little old when it arrives.
/// </summary>
internal static class LostBlocks
{
    /// <summary>
    /// The versions that are lost, with those of their sectors that nothing newer replaces, in the order of their
    /// places on the devices.
    /// </summary>
    public static List<LostVersion> Find(BlockIndex index, RangeMap ranges, SegmentTable table, in Geometry geometry)
    {
        return index.RottenCount > 0 ? Find(index, ranges, table, 0, geometry.SlotCount) : [];
    }

    /// <summary>Those at places from <paramref name="first"/> up to <paramref name="end"/> (exclusive).</summary>
    public static List<LostVersion> Find(BlockIndex index, RangeMap ranges, SegmentTable table, long first, long end)
    {
        List<LostVersion> found = [];
        for (uint slot = (uint)first; slot < end; slot++)
        {
            if (!index.TryGetLost(slot, out ulong key, out byte sectors)) continue;
            long position = table.PositionOf(slot);
            if (ranges.PositionOver(key) > position) continue;
            sectors &= (byte)~index.SectorsFrom(key, position + 1);
            if (sectors != 0) found.Add(new LostVersion(key, sectors, position));
        }
        found.Sort(static (a, b) => a.Key.CompareTo(b.Key));
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
    /// How many blocks <paramref name="lost"/> are, in words: several versions of one may be lost, each with sectors of
    /// its own.
    /// </summary>
    public static string CountBlocks(List<LostVersion> lost)
    {
        int blocks = 0;
        for (int i = 0; i < lost.Count; i++)
            if (i == 0 || lost[i].Key != lost[i - 1].Key) blocks++;
        return LostRange.Count(blocks);
    }

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
