namespace Weir.Core.Metadata.Persistent;

/// <summary>How far a walk has come.</summary>
internal enum WalkStep
{
    /// <summary>A block is missing: supply it and ask again.</summary>
    Missing,
    /// <summary>A node was reached.</summary>
    Node,
    /// <summary>There are no more.</summary>
    End,
}

/// <summary>
/// Goes through all nodes of a tree, each before its children, in order of keys. Depth and number are bounded and keys
/// must lie where their parents say, so that no tree makes it run for ever, or back to where it was.
/// </summary>
internal sealed unsafe class BTreeWalk(BlockManager blocks, long root, int valueBytes)
{
    /// <summary>Trees are not deeper: 4 levels of half full nodes are more than all blocks there can be.</summary>
    public const int MaxDepth = 16;

    private struct Level
    {
        public long Block;
        public int Next;
        public int Count;
        public ulong High;
    }

    private readonly Level[] _levels = new Level[MaxDepth];
    private int _depth;
    private long _visited;
    private bool _begun;

    /// <summary>Number of the node that was reached.</summary>
    public long Block { get; private set; }

    /// <summary>Goes on. Throws where the tree is damaged; then it can be asked again: it goes on behind.</summary>
    public WalkStep Next(out BTreeNode node)
    {
        node = default;
        while (_depth > 0 && _levels[_depth - 1].Next >= _levels[_depth - 1].Count) _depth--;
        if (_depth == 0)
        {
            if (_begun) return WalkStep.End;
            return Visit(root, 0, ulong.MaxValue, ref _begun, out node);
        }
        ref Level level = ref _levels[_depth - 1];
        // One that was whole, and is not any more when it is read again, is left.
        int next = level.Next;
        level.Next = level.Count;
        bool isHere = blocks.TryGet(level.Block, BlockKind.Node, out byte* bytes);
        level.Next = next;
        if (!isHere) return WalkStep.Missing;
        BTreeNode parent = new(bytes);
        ulong high = level.Next + 1 < level.Count ? parent.Key(level.Next + 1) : level.High;
        bool isDone = false;
        (long child, ulong low) = (parent.Child(level.Next), parent.Key(level.Next));
        Low = low;
        High = high;
        try
        {
            return Visit(child, low, high, ref isDone, out node);
        }
        finally
        {
            if (isDone) level.Next++;
        }
    }

    /// <summary>The node that was asked for last, whole or not, can hold keys from here on.</summary>
    public ulong Low { get; private set; }

    /// <summary>And below this one.</summary>
    public ulong High { get; private set; } = ulong.MaxValue;

    private WalkStep Visit(long block, ulong low, ulong high, ref bool isDone, out BTreeNode node)
    {
        node = default;
        Block = block;
        isDone = true;
        if (!blocks.TryGet(block, BlockKind.Node, out byte* bytes))
        {
            isDone = false;
            return WalkStep.Missing;
        }
        BTreeNode reached = new(bytes);
        reached.Check(block, valueBytes);
        reached.CheckKeys(block, low, high);
        if (++_visited > blocks.Limit) throw Damaged(block, "the tree has more nodes than there are blocks");
        if (!reached.IsLeaf)
        {
            if (_depth == MaxDepth) throw Damaged(block, $"the tree has more than {MaxDepth} levels");
            _levels[_depth++] = new Level { Block = block, Count = reached.Count, High = high };
        }
        node = reached;
        return WalkStep.Node;
    }

    private static DamagedMetadataException Damaged(long block, string found) => new(block, BlockKind.Node.Name, found);
}
