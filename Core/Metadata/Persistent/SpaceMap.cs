using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// How many references there are to each block of the metadata (persistent-data: <c>dm_space_map</c>, of the kind that
/// counts the blocks that it lies in itself). All counts are in memory as they are on disk, 2 bits each: 1 MiB for the
/// largest metadata.
/// </summary>
/// <remarks>
/// A block is free to be taken when nothing refers to it now, and nothing did when the last commit had ended well: so
/// until the superblock is written, all that the old one names is there.
/// </remarks>
internal sealed unsafe partial class SpaceMap
{
    private const int WordCounts = 32, WordShift = 5;
    private const ulong LowBits = 0x5555555555555555;
    private const int Large = 3;

    // Count to bits and back: the lower bit of a pair is the high one.
    private static ReadOnlySpan<byte> Swapped => [0, 2, 1, 3];

    private readonly BlockManager _blocks;
    private readonly ulong[] _now;
    private readonly ulong[] _then;
    private readonly Bitmap[] _bitmaps;
    private readonly SortedDictionary<long, uint> _large = [];
    private readonly List<long> _largeNodes = [];
    private long _largeRoot;
    private long _index;
    private long _allocated;
    private long _free;
    private long _freedSince;
    private long _next;
    private bool _largeChanged;

    private struct Bitmap
    {
        public long Block;
        public bool IsChanged;
        public bool IsMoved;
    }

    /// <summary>Of <paramref name="count"/> blocks; <see cref="TryLoad"/> or <see cref="Begin"/> comes next.</summary>
    public SpaceMap(BlockManager blocks, long count)
    {
        Invariant.Check(count > 0);
        Invariant.Check(count <= SpaceMapFormat.MaxBlocks);
        _blocks = blocks;
        Blocks = count;
        int bitmaps = (int)((count + SpaceMapFormat.BitmapCounts - 1) / SpaceMapFormat.BitmapCounts);
        _bitmaps = new Bitmap[bitmaps];
        _now = new ulong[bitmaps * SpaceMapFormat.BitmapWords];
        _then = new ulong[_now.Length];
    }

    /// <summary>Blocks that are counted.</summary>
    public long Blocks { get; }

    /// <summary>Blocks with a count.</summary>
    public long Allocated => _allocated;

    /// <summary>
    /// Blocks that can be taken before the next commit; what the commit needs for the space map itself is set aside.
    /// </summary>
    public long Free => Math.Max(0, _free - Reserve);

    /// <summary>There is something to commit.</summary>
    public bool IsChanged { get; private set; }

    private long Reserve => _bitmaps.Length + 2;

    /// <summary>References to a block.</summary>
    public uint Count(long block)
    {
        CheckRange(block);
        int small = Small(_now, block);
        return small == Large ? _large[block] : (uint)small;
    }

    /// <summary>One more reference.</summary>
    public void Increment(long block) => Set(block, checked(Count(block) + 1));

    /// <summary>One less.</summary>
    public void Decrement(long block)
    {
        uint count = Count(block);
        if (count == 0)
            throw new DamagedMetadataException(block, "block", "it is in use, and free by the space map");
        Set(block, count - 1);
    }

    /// <summary>Takes a free block. Throws <see cref="MetadataFullException"/>.</summary>
    public long Allocate()
    {
        if (Free == 0) throw new MetadataFullException(Blocks);
        return Take();
    }

    /// <summary>
    /// Something else, which is to stay until the commit has ended well, lies in a block: it is not to be taken.
    /// </summary>
    public void Spare(long block)
    {
        CheckRange(block);
        if (!IsFree(block)) return;
        _free--;
        _freedSince++;
        Put(_then, block, 1);
    }

    private static int Small(ulong[] counts, long block) =>
        Swapped[(int)(counts[Word(block)] >> Shift(block)) & Large];

    private static void Put(ulong[] counts, long block, int small)
    {
        ref ulong word = ref counts[Word(block)];
        word = (word & ~((ulong)Large << Shift(block))) | ((ulong)Swapped[small] << Shift(block));
    }

    // Bitmap blocks are full but for the last: words follow each other as if there were no headers.
    private static int Word(long block) => (int)(block >> WordShift);

    private static int Shift(long block) => (int)(block & (WordCounts - 1)) * 2;

    private void CheckRange(long block)
    {
        if ((ulong)block >= (ulong)Blocks)
            throw new DamagedMetadataException(block, "block", $"there are only {Blocks} blocks");
    }

    private bool IsFree(long block) =>
        Small(_now, block) == 0 && (Small(_then, block) == 0 || Mutant.Is(SharedMutant.B6FreedReused));

    private void Set(long block, uint count)
    {
        int before = Small(_now, block), after = (int)Math.Min(count, Large);
        bool wasFree = IsFree(block);
        if (before == Large || after == Large) SetLarge(block, count);
        Put(_now, block, after);
        if (before == 0 && after > 0) _allocated++;
        if (before > 0 && after == 0) _allocated--;
        bool isFree = IsFree(block);
        if (wasFree && !isFree) _free--;
        if (!wasFree && isFree) _free++;
        if (!isFree && before > 0 && after == 0) _freedSince++;
        if (!wasFree && before == 0 && after > 0) _freedSince--;
        _bitmaps[block / SpaceMapFormat.BitmapCounts].IsChanged = true;
        IsChanged = true;
    }

    private void SetLarge(long block, uint count)
    {
        _largeChanged = true;
        if (count >= Large) _large[block] = count;
        else _large.Remove(block);
    }

    private long Take()
    {
        Invariant.Check(_free > 0);
        long block = FindFree(_next);
        if (block < 0) block = FindFree(0);
        Invariant.Check(block >= 0);
        _next = block + 1;
        Set(block, 1);
        return block;
    }

    private long FindFree(long from)
    {
        for (long word = from >> WordShift; word < _now.Length; word++)
        {
            ulong used = _now[word] | (Mutant.Is(SharedMutant.B6FreedReused) ? 0 : _then[word]);
            ulong free = ~(used | (used >> 1)) & LowBits;
            if (word == from >> WordShift) free &= ~0UL << Shift(from);
            if (free == 0) continue;
            long block = (word << WordShift) + BitOperations.TrailingZeroCount(free) / 2;
            return block < Blocks ? block : -1;
        }
        return -1;
    }
}
