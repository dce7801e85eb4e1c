using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>A range to zero.</summary>
internal struct DirtyRange
{
    /// <summary>Device and first block.</summary>
    public ulong Key;
    /// <summary>Blocks.</summary>
    public long Blocks;
    /// <summary>Zeroes or Discard.</summary>
    public EntryKind Kind;

    /// <summary>Behind its last block.</summary>
    public readonly ulong End => Key + (ulong)Blocks;
}

/// <summary>
/// The segments being written back: their bytes as read from the cache device, and the lists made from them. All memory
/// is taken at the start. One thread.
/// </summary>
internal sealed unsafe class Batch : IWriteSet, IDisposable
{
    private readonly Geometry _geometry;
    private byte* _data;
    private byte* _ahead;
    private readonly ulong* _sorted;
    private readonly byte* _sectors;
    private readonly int _room;

    /// <summary>Room for <paramref name="maxSegments"/> segments.</summary>
    public Batch(in Geometry geometry, int maxSegments)
    {
        Invariant.Check(maxSegments is > 0 and <= 32);
        _geometry = geometry;
        MaxSegments = maxSegments;
        _room = maxSegments << geometry.SlotShift;
        nuint slots = (nuint)_room;
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)maxSegments * (nuint)geometry.SegmentBytes, 4096);
        _ahead = (byte*)NativeMemory.AlignedAlloc((nuint)maxSegments * (nuint)geometry.SegmentBytes, 4096);
        _sorted = (ulong*)NativeMemory.Alloc(slots, sizeof(ulong));
        _sectors = (byte*)NativeMemory.Alloc(slots);
        Blocks = (DirtyBlock*)NativeMemory.Alloc(slots, (nuint)sizeof(DirtyBlock));
        Ranges = (DirtyRange*)NativeMemory.Alloc(slots, (nuint)sizeof(DirtyRange));
        Slots = (int*)NativeMemory.Alloc(slots, sizeof(int));
        Superseded = (int*)NativeMemory.Alloc(slots, sizeof(int));
    }

    /// <summary>Most segments.</summary>
    public int MaxSegments { get; }

    /// <summary>Bytes of all its memory.</summary>
    public long Bytes => (2L * MaxSegments * _geometry.SegmentBytes)
        + ((long)_room * (sizeof(ulong) + 1 + sizeof(DirtyBlock) + sizeof(DirtyRange) + (2 * sizeof(int))));

    /// <summary>Sequence of the first segment.</summary>
    public long First { get; private set; }

    /// <summary>Segments in it.</summary>
    public int Count { get; private set; }

    /// <summary>Blocks to write, by address.</summary>
    public DirtyBlock* Blocks { get; }

    /// <summary>How many.</summary>
    public int BlockCount { get; private set; }

    /// <inheritdoc/>
    ReadOnlySpan<DirtyBlock> IWriteSet.Sorted => new(Blocks, BlockCount);

    /// <summary>Ranges to zero.</summary>
    public DirtyRange* Ranges { get; }

    /// <summary>How many.</summary>
    public int RangeCount { get; private set; }

    /// <summary>How many of them, the first ones, may become holes.</summary>
    public int HoleCount { get; private set; }

    /// <summary>Every data slot that was looked at and is not <see cref="Superseded"/>.</summary>
    public int* Slots { get; }

    /// <summary>How many.</summary>
    public int SlotCount { get; private set; }

    /// <summary>Data slots that a newer range covers: they leave the index before the range leaves the map.</summary>
    public int* Superseded { get; }

    /// <summary>How many.</summary>
    public int SupersededCount { get; private set; }

    // Sort() without a comparison makes a delegate on every call under Native AOT.
    private static readonly Comparison<ulong> s_ascending = static (a, b) => a.CompareTo(b);

    // Holes first: where ranges meet, the one that keeps its space has the last word.
    private static readonly Comparison<DirtyRange> s_holesFirst =
        static (a, b) => a.Kind != b.Kind ? (a.Kind == EntryKind.Discard ? -1 : 1) : a.Key.CompareTo(b.Key);

    private int SortedCount { get; set; }

    /// <summary>Takes <paramref name="count"/> segments from <paramref name="first"/> on.</summary>
    public void Begin(long first, int count)
    {
        Invariant.Check(first > 0);
        Invariant.Check(count > 0);
        Invariant.Check(count <= MaxSegments);
        First = first;
        Count = count;
    }

    /// <summary>Empties the lists.</summary>
    public void Clear() => BlockCount = RangeCount = HoleCount = SlotCount = SupersededCount = SortedCount = 0;

    /// <summary>Where segment number <paramref name="index"/> of the next batch is read to.</summary>
    public byte* Ahead(int index) => _ahead + ((long)index * _geometry.SegmentBytes);

    /// <summary>What was read ahead is this batch's.</summary>
    public void TakeAhead()
    {
        byte* read = _ahead;
        _ahead = _data;
        _data = read;
    }

    /// <summary>Bytes of slot <paramref name="slot"/> of the batch's segment number <paramref name="index"/>.</summary>
    public byte* Data(int index, int slot) =>
        _data + ((long)index * _geometry.SegmentBytes) + ((long)slot << Geometry.BlockShift);

    /// <inheritdoc/>
    public byte* Data(int batchSlot) => _data + ((long)batchSlot << Geometry.BlockShift);

    /// <summary>The log position of a slot of the batch.</summary>
    public long PositionOf(int batchSlot) => _geometry.Position(First, 0) + batchSlot;

    /// <summary>A range entry.</summary>
    public void AddRange(in LogEntry entry)
    {
        Invariant.Check(RangeCount < _room);
        Ranges[RangeCount++] = new DirtyRange { Key = entry.Key, Blocks = entry.Value, Kind = entry.Kind };
    }

    /// <summary>A data slot that leaves the index with this batch; written if it still counts.</summary>
    public void AddSlot(int batchSlot, ulong key, byte sectors, bool counts)
    {
        Invariant.Check(SlotCount < _room);
        Slots[SlotCount++] = batchSlot;
        if (!counts) return;
        // 48 bits of key above 16 bits of slot: one sort orders by address, then by age.
        Invariant.Check(batchSlot < 1 << 16);
        _sorted[SortedCount++] = (key << 16) | (uint)batchSlot;
        _sectors[batchSlot] = sectors;
    }

    /// <summary>A data slot that a newer range covers.</summary>
    public void AddSuperseded(int batchSlot)
    {
        Invariant.Check(SupersededCount < _room);
        Superseded[SupersededCount++] = batchSlot;
    }

    /// <summary>Sorts by address and merges the versions of each block into the newest one's bytes.</summary>
    public void SortAndMerge()
    {
        new Span<ulong>(_sorted, SortedCount).Sort(s_ascending);
        int made = 0;
        for (int i = 0; i < SortedCount;)
        {
            int end = i + 1;
            while (end < SortedCount && _sorted[end] >> 16 == _sorted[i] >> 16) end++;
            Blocks[made++] = Merge(i, end);
            i = end;
        }
        Invariant.Check(made <= SlotCount);
        BlockCount = made;
        MergeRanges();
    }

    // Neighbours of one kind become one operation.
    private void MergeRanges()
    {
        new Span<DirtyRange>(Ranges, RangeCount).Sort(s_holesFirst);
        int made = 0;
        for (int i = 0; i < RangeCount; i++)
        {
            DirtyRange range = Ranges[i];
            bool joins = made > 0 && Ranges[made - 1].Kind == range.Kind && range.Key <= Ranges[made - 1].End
                && BackingTable.IdOf(range.Key) == BackingTable.IdOf(Ranges[made - 1].Key);
            if (!joins) Ranges[made++] = range;
            else Ranges[made - 1].Blocks = (long)(Math.Max(range.End, Ranges[made - 1].End) - Ranges[made - 1].Key);
        }
        RangeCount = made;
        while (HoleCount < made && Ranges[HoleCount].Kind == EntryKind.Discard) HoleCount++;
    }

    /// <inheritdoc/>
    public bool Changes(ulong key)
    {
        int low = 0, high = BlockCount;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Blocks[middle].Key < key) low = middle + 1;
            else high = middle;
        }
        if (low < BlockCount && Blocks[low].Key == key) return true;
        for (int i = 0; i < RangeCount; i++)
            if (key >= Ranges[i].Key && key - Ranges[i].Key < (ulong)Ranges[i].Blocks) return true;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        NativeMemory.AlignedFree(_ahead);
        NativeMemory.Free(_sorted);
        NativeMemory.Free(_sectors);
        NativeMemory.Free(Blocks);
        NativeMemory.Free(Ranges);
        NativeMemory.Free(Slots);
        NativeMemory.Free(Superseded);
    }

    private DirtyBlock Merge(int first, int end)
    {
        int newest = (int)(_sorted[end - 1] & 0xFFFF);
        byte sectors = _sectors[newest];
        for (int i = end - 2; i >= first; i--)
        {
            int older = (int)(_sorted[i] & 0xFFFF);
            byte missing = (byte)(_sectors[older] & ~sectors);
            SectorMask.Copy(Data(newest), Data(older), missing);
            sectors |= missing;
        }
        return new DirtyBlock { Key = _sorted[first] >> 16, BatchSlot = newest, Sectors = sectors };
    }
}
