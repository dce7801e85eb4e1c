using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <content>What concerns all blocks of an array.</content>
internal sealed unsafe partial class PersistentArray
{
    private BTreeWalk? _walk;
    private List<long>? _listed;
    private List<long>? _nodes;

    /// <summary>
    /// The blocks, by their place in the array, and the nodes of the tree; false: a block is missing. Throws when they
    /// are not those of an array of this length.
    /// </summary>
    public bool TryList(out List<long> blocks, out List<long> nodes)
    {
        _walk ??= new BTreeWalk(_transaction.Blocks, Root, BTreeNode.ChildBytes);
        (blocks, nodes) = (_listed ??= [], _nodes ??= []);
        try
        {
            if (!TryWalk(blocks, nodes)) return false;
        }
        catch (DamagedMetadataException)
        {
            Forget();
            throw;
        }
        if (blocks.Count < BlockCount && !IsOpenEnded)
        {
            Forget();
            throw Missing(blocks.Count);
        }
        Forget();
        return true;
    }

    /// <summary>It may have any length: that of the blocks there are (<see cref="TryMeasure"/>).</summary>
    public bool IsOpenEnded { get; private set; }

    /// <summary>The array at <paramref name="root"/>, whose length is not known.</summary>
    public static PersistentArray OpenEnded(Transaction transaction, int valueBytes, long root) =>
        new(transaction, valueBytes, root, 0) { IsOpenEnded = true };

    /// <summary>Finds how many entries there are, where that was not known; false: a block is missing.</summary>
    public bool TryMeasure()
    {
        if (!IsOpenEnded) return true;
        if (_measured == null)
        {
            if (!TryList(out List<long> blocks, out _)) return false;
            _measured = blocks;
        }
        if (_measured.Count > 0)
        {
            long last = _measured[^1];
            if (!_transaction.Blocks.TryGet(last, BlockKind.Array, out byte* bytes)) return false;
            long entries = Math.Min(((ArrayBlockHeader*)bytes)->Entries, PerBlock);
            Check(bytes, last, _valueBytes, entries);
            Count = (_measured.Count - 1L) * PerBlock + entries;
        }
        (_measured, IsOpenEnded) = (null, false);
        return true;
    }

    private List<long>? _measured;

    /// <summary>
    /// Another number of entries; new ones are zero. Entries that are cut off are gone: the last block has zeroes in
    /// their place, also when it is full to the last entry. False: a block is missing.
    /// </summary>
    public bool TryResize(long count)
    {
        Invariant.Check(count >= 0);
        if (count == Count) return true;
        if (_resized == null)
        {
            if (!TryList(out List<long> blocks, out List<long> nodes)) return false;
            (_resized, _resizedNodes) = (blocks, nodes);
        }
        CheckRoom(count);
        int kept = (int)Math.Min(_resized.Count, BlocksOf(count, _valueBytes));
        // The only one that may be missing: before anything is changed.
        if (kept > 0 && !TryFit(kept - 1, count)) return false;
        Replace(kept, count);
        (_resized, _resizedNodes, Count) = (null, null, count);
        return true;
    }

    /// <summary>Gives all its blocks back; false: a block is missing.</summary>
    public bool TryFree()
    {
        if (!TryList(out List<long> blocks, out List<long> nodes)) return false;
        foreach (long block in blocks) _transaction.Free(block);
        foreach (long node in nodes) _transaction.Free(node);
        (Root, Count) = (-1, 0);
        return true;
    }

    private List<long>? _resized;
    private List<long>? _resizedNodes;

    private bool TryWalk(List<long> blocks, List<long> nodes)
    {
        while (true)
        {
            WalkStep step = _walk!.Next(out BTreeNode node);
            if (step != WalkStep.Node) return step == WalkStep.End;
            nodes.Add(_walk.Block);
            for (int i = 0; node.IsLeaf && i < node.Count; i++)
            {
                if (node.Key(i) != (ulong)blocks.Count)
                    throw new DamagedMetadataException(
                        _walk.Block, BlockKind.Node.Name, $"key {node.Key(i)}, expected {blocks.Count}");
                if (IsOpenEnded && blocks.Count == _transaction.Space.Blocks)
                    throw new DamagedMetadataException(
                        _walk.Block, BlockKind.Node.Name, "the array has more blocks than there are");
                if (!IsOpenEnded && blocks.Count == BlockCount)
                    throw new DamagedMetadataException(
                        _walk.Block, BlockKind.Node.Name, $"more than {BlockCount} blocks for {Count} entries");
                blocks.Add(node.Child(i));
            }
        }
    }

    private void Forget() => (_walk, _listed, _nodes) = (null, null, null);

    private void CheckRoom(long count)
    {
        long more = Math.Max(0, BlocksOf(count, _valueBytes) - _resized!.Count);
        long nodes = BTree.NodesOf(BlocksOf(count, _valueBytes), BTreeNode.ChildBytes);
        if (more + nodes + 1 <= _transaction.Space.Free) return;
        (_resized, _resizedNodes) = (null, null);
        throw new MetadataFullException(_transaction.Space.Blocks);
    }

    // The last block that stays gets as many entries as it is to have; those behind them are zeroed.
    private bool TryFit(int index, long count)
    {
        int before = EntriesIn(index, Count), after = EntriesIn(index, count);
        if (before == after) return true;
        long block = _resized![index];
        if (!_transaction.Blocks.TryGet(block, BlockKind.Array, out byte* bytes)) return false;
        Check(bytes, block, index);
        bool isHere = _transaction.TryShadow(ref block, BlockKind.Array, out bytes);
        Invariant.Check(isHere);
        _resized[index] = block;
        ((ArrayBlockHeader*)bytes)->Entries = (uint)after;
        int from = ArrayBlockHeader.Bytes + Math.Min(before, after) * _valueBytes;
        new Span<byte>(bytes + from, BlockKind.BlockBytes - from).Clear();
        return true;
    }

    private void Replace(int kept, long count)
    {
        int freed = Mutant.Is(SharedMutant.D19TailKept) ? kept + 1 : kept;
        for (int i = freed; i < _resized!.Count; i++) _transaction.Free(_resized[i]);
        if (_resized.Count > freed) _resized.RemoveRange(freed, _resized.Count - freed);
        for (int i = _resized.Count; i < BlocksOf(count, _valueBytes); i++) _resized.Add(NewBlock(i, count));
        foreach (long node in _resizedNodes!) _transaction.Free(node);
        ulong[] keys = new ulong[_resized.Count];
        for (int i = 0; i < keys.Length; i++) keys[i] = (ulong)i;
        ReadOnlySpan<byte> values = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_resized));
        Root = BTree.Build(_transaction, BTreeNode.ChildBytes, keys, values);
    }

    private long NewBlock(int index, long count)
    {
        ArrayBlockHeader* head = (ArrayBlockHeader*)_transaction.Allocate(BlockKind.Array, out long block);
        head->ValueBytes = (uint)_valueBytes;
        head->MaxEntries = (uint)PerBlock;
        head->Entries = (uint)EntriesIn(index, count);
        return block;
    }
}
