using System;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// B-trees. They are made whole, from sorted keys and values, and single values are changed in place of the path that
/// leads to them; trees whose keys change are made anew, which for the trees of arrays (one entry for 500 values and
/// more) is less work than it sounds.
/// </summary>
internal static unsafe class BTree
{
    /// <summary>The value at <paramref name="key"/>; null: there is none. False: a block is missing.</summary>
    public static bool TryFind(BlockManager blocks, long root, int valueBytes, ulong key, out byte* value)
    {
        value = null;
        long block = root;
        for (int depth = 0; depth <= BTreeWalk.MaxDepth; depth++)
        {
            if (!blocks.TryGet(block, BlockKind.Node, out byte* bytes)) return false;
            BTreeNode node = new(bytes);
            node.Check(block, valueBytes);
            int at = node.Find(key);
            if (at < 0) return true;
            if (!node.IsLeaf)
            {
                block = node.Child(at);
                continue;
            }
            if (node.Key(at) == key) value = node.Value(at);
            return true;
        }
        throw TooDeep(block);
    }

    /// <summary>
    /// The value at <paramref name="key"/>, to be changed: nodes that lead there are this transaction's afterwards.
    /// False: a block is missing. Throws when the key is not there.
    /// </summary>
    public static bool TryChange(Transaction transaction, ref long root, int valueBytes, ulong key, out byte* value)
    {
        value = null;
        if (!TryShadow(transaction, ref root, valueBytes, out BTreeNode node)) return false;
        long block = root;
        for (int depth = 0; depth <= BTreeWalk.MaxDepth; depth++)
        {
            int at = node.Find(key);
            if (at < 0 || (node.IsLeaf && node.Key(at) != key))
                throw new DamagedMetadataException(block, BlockKind.Node.Name, $"key {key} is missing");
            if (node.IsLeaf)
            {
                value = node.Value(at);
                return true;
            }
            // The parent is this transaction's: it is not written before the commit, and says where the child is now.
            if (!TryShadow(transaction, ref *(long*)node.Value(at), valueBytes, out BTreeNode child)) return false;
            block = node.Child(at);
            node = child;
        }
        throw TooDeep(block);
    }

    /// <summary>
    /// Makes a tree of ascending keys. Nodes are filled evenly, as full as can be. Throws when there is no room.
    /// </summary>
    public static long Build(
        Transaction transaction, int valueBytes, ReadOnlySpan<ulong> keys, ReadOnlySpan<byte> values)
    {
        Invariant.Check(values.Length == (long)keys.Length * valueBytes);
        bool isLeaf = true;
        while (true)
        {
            int width = isLeaf ? valueBytes : BTreeNode.ChildBytes;
            int nodes = Math.Max(1, (keys.Length + BTreeNode.MaxEntries(width) - 1) / BTreeNode.MaxEntries(width));
            (ulong[] firsts, byte[] children) = (new ulong[nodes], new byte[nodes * BTreeNode.ChildBytes]);
            for (int i = 0; i < nodes; i++)
            {
                int first = (int)((long)keys.Length * i / nodes), end = (int)((long)keys.Length * (i + 1) / nodes);
                long block = Fill(transaction, isLeaf, width, keys[first..end], values[(first * width)..(end * width)]);
                if (nodes == 1) return block;
                firsts[i] = keys[first];
                BitConverter.TryWriteBytes(children.AsSpan(i * BTreeNode.ChildBytes), block);
            }
            keys = firsts;
            values = children;
            isLeaf = false;
        }
    }

    /// <summary>Blocks that <see cref="Build"/> takes for as many keys.</summary>
    public static long NodesOf(long keys, int valueBytes)
    {
        long all = 0;
        int most = BTreeNode.MaxEntries(valueBytes);
        while (true)
        {
            long nodes = Math.Max(1, (keys + most - 1) / most);
            all += nodes;
            if (nodes == 1) return all;
            (keys, most) = (nodes, BTreeNode.MaxEntries(BTreeNode.ChildBytes));
        }
    }

    private static long Fill(
        Transaction transaction, bool isLeaf, int width, ReadOnlySpan<ulong> keys, ReadOnlySpan<byte> values)
    {
        byte* bytes = transaction.Allocate(BlockKind.Node, out long block);
        BTreeNode node = BTreeNode.New(bytes, isLeaf, width);
        node.Header->Entries = (uint)keys.Length;
        keys.CopyTo(new Span<ulong>(node.Keys, keys.Length));
        values.CopyTo(new Span<byte>(node.Value(0), values.Length));
        return block;
    }

    private static bool TryShadow(Transaction transaction, ref long block, int valueBytes, out BTreeNode node)
    {
        node = default;
        if (!transaction.Blocks.TryGet(block, BlockKind.Node, out byte* bytes)) return false;
        new BTreeNode(bytes).Check(block, valueBytes);
        bool isHere = transaction.TryShadow(ref block, BlockKind.Node, out bytes);
        Invariant.Check(isHere);
        node = new BTreeNode(bytes);
        return true;
    }

    private static DamagedMetadataException TooDeep(long block) =>
        new(block, BlockKind.Node.Name, $"the tree has more than {BTreeWalk.MaxDepth} levels");
}
