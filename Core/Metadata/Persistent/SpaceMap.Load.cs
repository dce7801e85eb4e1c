using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <content>How it is read.</content>
internal sealed unsafe partial class SpaceMap
{
    private int _loaded;
    private BTreeWalk? _walk;

    /// <summary>Reads the map that <paramref name="root"/> names; false: a block is missing.</summary>
    public bool TryLoad(in SpaceMapRoot root)
    {
        Invariant.Check(root.Blocks == Blocks);
        for (; _loaded < _bitmaps.Length; _loaded++)
        {
            if (!_blocks.TryGet(root.Index, BlockKind.Index, out byte* index)) return false;
            long block = ((SpaceMapIndexEntry*)(index + SpaceMapFormat.HeaderBytes))[_loaded].Bitmap;
            if (!_blocks.TryGet(block, BlockKind.Bitmap, out byte* bitmap)) return false;
            _bitmaps[_loaded].Block = block;
            new ReadOnlySpan<ulong>(bitmap + SpaceMapFormat.HeaderBytes, SpaceMapFormat.BitmapWords).CopyTo(
                _now.AsSpan(_loaded * SpaceMapFormat.BitmapWords));
        }
        if (!TryLoadLarge(root.Counts)) return false;
        _index = root.Index;
        _largeRoot = root.Counts;
        Settle();
        return true;
    }

    /// <summary>The blocks that the map itself lies in.</summary>
    public void ListOwn(List<long> own)
    {
        own.Add(_index);
        foreach (Bitmap bitmap in _bitmaps) own.Add(bitmap.Block);
        own.AddRange(_largeNodes);
    }

    private bool TryLoadLarge(long root)
    {
        _walk ??= new BTreeWalk(_blocks, root, sizeof(uint));
        while (true)
        {
            WalkStep step = _walk.Next(out BTreeNode node);
            if (step == WalkStep.Missing) return false;
            if (step == WalkStep.End) break;
            _largeNodes.Add(_walk.Block);
            for (int i = 0; node.IsLeaf && i < node.Count; i++) AddLarge(node, i);
        }
        _walk = null;
        return true;
    }

    // No more than there are blocks: the walk sees to ascending keys.
    private void AddLarge(in BTreeNode node, int index)
    {
        (ulong block, uint count) = (node.Key(index), *(uint*)node.Value(index));
        if (block >= (ulong)Blocks || Small(_now, (long)block) != Large || count < Large)
            throw new DamagedMetadataException(
                _walk!.Block, BlockKind.Node.Name, $"it counts {count} references to block {block}");
        _large[(long)block] = count;
    }

    // What is past the end of the device is nothing to be taken, whatever its counts say.
    private void Settle()
    {
        long large = 0;
        for (long block = 0; block < Blocks; block++)
        {
            int small = Small(_now, block);
            if (small == 0) _free++;
            else _allocated++;
            if (small == Large) large++;
        }
        if (large != _large.Count)
            throw new DamagedMetadataException(
                _index, "space map", $"{large} large counts, of which its tree has {_large.Count}");
        _now.CopyTo(_then, 0);
    }
}
