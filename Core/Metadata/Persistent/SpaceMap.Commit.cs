using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <content>How it is written: it lies in blocks that it counts itself.</content>
internal sealed unsafe partial class SpaceMap
{
    /// <summary>
    /// Nothing is in use but the superblock, block 0. The first commit writes the whole map.
    /// </summary>
    public void Begin(Transaction transaction)
    {
        Invariant.Check(_allocated == 0);
        _free = Blocks;
        Set(0, 1);
        for (int i = 0; i < _bitmaps.Length; i++) _bitmaps[i] = new Bitmap { Block = -1, IsChanged = true };
        _largeChanged = true;
        _largeRoot = -1;
        _index = -1;
        Invariant.Check(transaction.Space == this);
    }

    /// <summary>
    /// Writes the map into blocks of this transaction. Where a bitmap goes changes a bitmap: each is moved at most
    /// once, so that this ends, and only then are they filled.
    /// </summary>
    public SpaceMapRoot Prepare(Transaction transaction)
    {
        if (IsChanged)
        {
            if (_largeChanged) WriteLarge(transaction);
            Move(ref _index);
            for (int i = FirstToMove(); i >= 0; i = FirstToMove())
            {
                Move(ref _bitmaps[i].Block);
                _bitmaps[i].IsMoved = true;
            }
            WriteIndex();
            for (int i = 0; i < _bitmaps.Length; i++) WriteBitmap(i);
        }
        return new SpaceMapRoot { Blocks = Blocks, Allocated = _allocated, Index = _index, Counts = _largeRoot };
    }

    /// <summary>The commit has ended well: what was freed can be taken.</summary>
    public void EndCommit()
    {
        for (int i = 0; i < _bitmaps.Length; i++)
        {
            int first = i * SpaceMapFormat.BitmapWords;
            Array.Copy(_now, first, _then, first, SpaceMapFormat.BitmapWords);
            _bitmaps[i].IsChanged = _bitmaps[i].IsMoved = false;
        }
        _free += _freedSince;
        _freedSince = 0;
        _next = 0;
        IsChanged = _largeChanged = false;
    }

    private int FirstToMove()
    {
        for (int i = 0; i < _bitmaps.Length; i++)
            if (_bitmaps[i].IsChanged && !_bitmaps[i].IsMoved) return i;
        return -1;
    }

    private void Move(ref long block)
    {
        if (block >= 0 && _blocks.IsChanged(block)) return;
        long old = block;
        block = Take();
        if (old < 0) return;
        Decrement(old);
        _blocks.Forget(old);
    }

    private void WriteLarge(Transaction transaction)
    {
        foreach (long node in _largeNodes) transaction.Free(node);
        _largeNodes.Clear();
        (ulong[] keys, uint[] values) = (new ulong[_large.Count], new uint[_large.Count]);
        int count = 0;
        foreach ((long block, uint references) in _large)
            (keys[count], values[count++]) = ((ulong)block, references);
        _largeRoot = BTree.Build(transaction, sizeof(uint), keys, MemoryMarshal.AsBytes(values.AsSpan()));
        if (count > 0) _largeNodes.AddRange(NodesBelow(_largeRoot));
        else _largeNodes.Add(_largeRoot);
        _largeChanged = false;
    }

    // They have just been made: none is missing.
    private List<long> NodesBelow(long root)
    {
        List<long> nodes = [];
        BTreeWalk walk = new(_blocks, root, sizeof(uint));
        while (walk.Next(out _) == WalkStep.Node) nodes.Add(walk.Block);
        return nodes;
    }

    private void WriteIndex()
    {
        byte* bytes = _blocks.Add(_index, BlockKind.Index);
        SpaceMapIndexEntry* entries = (SpaceMapIndexEntry*)(bytes + SpaceMapFormat.HeaderBytes);
        for (int i = 0; i < _bitmaps.Length; i++)
        {
            (uint free, uint first) = FreeIn(i);
            entries[i] = new SpaceMapIndexEntry { Bitmap = _bitmaps[i].Block, Free = free, NoneFreeBefore = first };
        }
    }

    private void WriteBitmap(int bitmap)
    {
        if (!_bitmaps[bitmap].IsChanged) return;
        byte* bytes = _blocks.Add(_bitmaps[bitmap].Block, BlockKind.Bitmap);
        _now.AsSpan(bitmap * SpaceMapFormat.BitmapWords, SpaceMapFormat.BitmapWords).CopyTo(
            new Span<ulong>(bytes + SpaceMapFormat.HeaderBytes, SpaceMapFormat.BitmapWords));
    }

    // All counts of the block, also those past the end: so the kernel counts.
    private (uint Free, uint First) FreeIn(int bitmap)
    {
        (uint free, uint first) = (0, 0);
        for (int i = 0; i < SpaceMapFormat.BitmapWords; i++)
        {
            ulong used = _now[bitmap * SpaceMapFormat.BitmapWords + i];
            ulong zero = ~(used | (used >> 1)) & LowBits;
            if (free == 0 && zero != 0)
                first = (uint)(i * WordCounts + BitOperations.TrailingZeroCount(zero) / 2);
            free += (uint)BitOperations.PopCount(zero);
        }
        return (free, first);
    }
}
