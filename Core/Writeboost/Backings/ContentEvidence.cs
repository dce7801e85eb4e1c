using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>What a device holds, compared with what the cache remembers of one.</summary>
public enum ContentVerdict
{
    /// <summary>Nothing to compare.</summary>
    Unknown,
    /// <summary>Zeroes where there were zeroes: as any blank device.</summary>
    Blank,
    /// <summary>All that can be compared is the same, and some of it is not zeroes.</summary>
    Same,
    /// <summary>Some of it: the device was written without its cache, or is a relative of it.</summary>
    Changed,
    /// <summary>None of it.</summary>
    Other,
}

/// <summary>
/// Compares backing devices with the samples of those that the cache knows (R13), and takes samples of new ones.
/// Control path; reads only; one thread, but what was compared may be asked for again by any after
/// <see cref="Seal"/>.
/// </summary>
public sealed unsafe class ContentEvidence(BlockingIo io, DeviceTable? devices, SampleTable known)
{
    private const int AtATime = 16;

    /// <summary>Extents of a file looked at, and places spread over a device.</summary>
    private const int MostExtents = 32, SpreadCount = 32;

    /// <summary>Where partition tables, volume labels and file systems have their first blocks.</summary>
    private static readonly long[] s_heads = [0, 1, 16], s_moreHeads = [2, 3, 4, 8, 256];

    private readonly Dictionary<(Device, int), ContentVerdict> _verdicts = [];
    private readonly SpotReader _reader = new(io, AtATime);
    private bool _isSealed;

    /// <summary>The last stop was orderly: what was written since then was written without the cache.</summary>
    public bool HasStopped { get; init; }

    /// <summary>What was known is lost.</summary>
    public bool IsLost => known.IsLost;

    /// <summary>From now on nothing is read any more: what was not compared is unknown.</summary>
    public void Seal() => _isSealed = true;

    /// <summary>What <paramref name="device"/> has of what device <paramref name="id"/> had.</summary>
    public ContentVerdict Compare(Device device, int id)
    {
        if (_verdicts.TryGetValue((device, id), out ContentVerdict verdict) || _isSealed) return verdict;
        return _verdicts[(device, id)] = IsKnown(id) ? Judge(device, known[id]) : ContentVerdict.Unknown;
    }

    /// <summary>
    /// <paramref name="device"/> may have changed since the last orderly stop of a life that had it as device
    /// <paramref name="id"/>. False also where nothing is known of it then.
    /// </summary>
    public bool WasWrittenMeanwhile(Device device, int id) =>
        HasStopped && IsKnown(id) && Device.MayHaveChanged(known[id].ChangeStamp, device.ChangeStamp);

    // The samples are of the device that has the number now.
    private bool IsKnown(int id) =>
        devices != null && devices[id].Id != 0 && devices[id].FirstPosition == known[id].FirstPosition;

    /// <summary>
    /// New samples for <paramref name="device"/>, at most <see cref="DeviceSamples.FoundCount"/>: blocks with content
    /// before blank ones, if <paramref name="withBlank"/>. It is flushed first: what is sampled stays.
    /// </summary>
    public List<BlockSample> Sample(Device device, bool withBlank)
    {
        if (device.CanFlush)
        {
            io.StartFlush(io.QueueOf(device));
            io.WaitOrFail("flush", device);
        }
        List<BlockSample> found = [], blank = [];
        List<long> places = PlacesOn(device);
        using AlignedMemory memory = new(AtATime << Geometry.BlockShift);
        for (int at = 0; at < places.Count && found.Count < DeviceSamples.FoundCount; at += AtATime)
        {
            int count = Math.Min(AtATime, places.Count - at);
            _reader.Read(device, places.GetRange(at, count), memory.Pointer);
            for (int i = 0; i < count; i++)
            {
                if (!_reader.HasRead(i)) continue;
                BlockSample sample = SampleOf(places[at + i], memory.Pointer + ((long)i << Geometry.BlockShift));
                (sample.Kind == SampleKind.Content ? found : blank).Add(sample);
            }
        }
        if (withBlank) found.AddRange(blank);
        int most = Math.Min(found.Count, DeviceSamples.FoundCount);
        return found.GetRange(0, most);
    }

    /// <summary>The sample of block <paramref name="block"/>, whose 4 KiB are at <paramref name="data"/>.</summary>
    public static BlockSample SampleOf(long block, byte* data) => new()
    {
        Block = block,
        Sum = BlockSum.Compute(data),
        Kind = IsBlank(data) ? SampleKind.Zeroes : SampleKind.Content,
    };

    private static bool IsBlank(byte* data) =>
        new ReadOnlySpan<byte>(data, Geometry.BlockBytes).IndexOfAnyExcept((byte)0) < 0;

    private ContentVerdict Judge(Device device, in DeviceSamples samples)
    {
        List<BlockSample> all = [];
        DeviceSamples copy = samples;
        for (int i = 0; i < DeviceSamples.Count; i++)
        {
            bool isThere = (copy[i].Block + 1) << Geometry.BlockShift <= device.SizeBytes;
            if (copy[i].Kind != SampleKind.None && isThere) all.Add(copy[i]);
        }
        if (all.Count == 0) return ContentVerdict.Unknown;
        using AlignedMemory memory = new(AtATime << Geometry.BlockShift);
        _reader.Read(device, all.ConvertAll(static sample => sample.Block), memory.Pointer);
        int same = 0, blank = 0, differ = 0;
        for (int i = 0; i < all.Count; i++)
        {
            if (!_reader.HasRead(i)) continue;
            if (BlockSum.Compute(memory.Pointer + ((long)i << Geometry.BlockShift)) != all[i].Sum) differ++;
            else if (all[i].Kind == SampleKind.Zeroes) blank++;
            else same++;
        }
        if (differ > 0) return same > 0 ? ContentVerdict.Changed : ContentVerdict.Other;
        return same > 0 ? ContentVerdict.Same : blank > 0 ? ContentVerdict.Blank : ContentVerdict.Unknown;
    }

    // The first blocks, then where files that know their holes have data, then all over the device.
    private static List<long> PlacesOn(Device device)
    {
        long end = device.SizeBytes >> Geometry.BlockShift;
        List<long> places = [];
        HashSet<long> seen = [];
        void Add(long block)
        {
            if (block >= 0 && block < end && seen.Add(block)) places.Add(block);
        }
        foreach (long block in s_heads) Add(block);
        long offset = 0;
        for (int i = 0; i < MostExtents && offset < device.SizeBytes; i++)
        {
            long extentEnd = device.ExtentEnd(offset, out bool isHole);
            long first = (offset + Geometry.BlockBytes - 1) >> Geometry.BlockShift;
            if (!isHole) Add(first);
            if (!isHole) Add((first + (extentEnd >> Geometry.BlockShift)) / 2);
            offset = extentEnd;
        }
        for (long i = 1; i <= SpreadCount; i++) Add((end - 1) * i / SpreadCount);
        foreach (long block in s_moreHeads) Add(block);
        return places;
    }
}
