using System;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>Receives an array in order of its entries.</summary>
internal interface IArraySink
{
    /// <summary>Entries from <paramref name="first"/> on.</summary>
    unsafe void Entries(long first, byte* entries, int count);

    /// <summary>Those from <paramref name="first"/> to before <paramref name="end"/> are lost.</summary>
    void Lost(long first, long end);
}

/// <summary>
/// Reads an array as far as it can be read: what is damaged is told, and what lies behind it is read all the same.
/// </summary>
internal sealed unsafe class ArraySurvey(
    MetadataDevice device, BlockManager blocks, BlockReferences references, Action<string> problem)
{
    /// <summary>The array at <paramref name="root"/> of <paramref name="count"/> entries.</summary>
    public void Read(string name, long root, int valueBytes, long count, IArraySink sink)
    {
        BTreeWalk walk = new(blocks, root, BTreeNode.ChildBytes);
        (long next, long total) = (0, PersistentArray.BlocksOf(count, valueBytes));
        int per = PersistentArray.EntriesOf(valueBytes);
        while (TryStep(name, walk, out BTreeNode node))
        {
            if (!references.Add(walk.Block)) Say(name, $"block {walk.Block} is in use twice");
            if (!node.IsLeaf) continue;
            // The node may give way to the blocks that it names.
            (ulong Key, long Block)[] entries = new (ulong, long)[node.Count];
            for (int i = 0; i < entries.Length; i++) entries[i] = (node.Key(i), node.Child(i));
            foreach ((ulong key, long block) in entries)
            {
                if (key >= (ulong)total)
                {
                    Say(name, $"it has a block {key}, and {count} entries need {total}");
                    references.Add(block);
                    continue;
                }
                if ((long)key > next) Lose(name, next * per, (long)key * per, "no block is named", sink);
                long end = Math.Min(count, ((long)key + 1) * per);
                ReadBlock(name, block, valueBytes, (long)key * per, end, sink);
                next = (long)key + 1;
            }
        }
        if (next < total) Lose(name, next * per, count, "no block is named", sink);
    }

    /// <summary>How many entries there are where that is not known: as many as its blocks hold.</summary>
    public long Measure(long root, int valueBytes)
    {
        BTreeWalk walk = new(blocks, root, BTreeNode.ChildBytes);
        (long last, ulong key) = (-1, 0);
        while (TryStep(null, walk, out BTreeNode node))
            if (node.IsLeaf && node.Count > 0)
                (last, key) = (node.Child(node.Count - 1), node.Key(node.Count - 1));
        if (last < 0 || key > (ulong)blocks.Limit) return 0;
        int per = PersistentArray.EntriesOf(valueBytes);
        try
        {
            byte* bytes = null;
            device.Run(blocks, () => blocks.TryGet(last, BlockKind.Array, out bytes));
            return (long)key * per + Math.Min(((ArrayBlockHeader*)bytes)->Entries, per);
        }
        catch (DamagedMetadataException)
        {
            return ((long)key + 1) * per;
        }
    }

    // The next node that is whole; those that are not are told.
    private bool TryStep(string? name, BTreeWalk walk, out BTreeNode node)
    {
        while (true)
        {
            try
            {
                BTreeNode found = default;
                WalkStep step = WalkStep.End;
                blocks.BeginOperation();
                device.Run(blocks, () => (step = walk.Next(out found)) != WalkStep.Missing);
                node = found;
                return step == WalkStep.Node;
            }
            catch (DamagedMetadataException damage)
            {
                if (name != null) Say(name, damage.Message);
            }
        }
    }

    private void ReadBlock(string name, long block, int valueBytes, long first, long end, IArraySink sink)
    {
        try
        {
            byte* bytes = null;
            blocks.BeginOperation();
            device.Run(blocks, () => blocks.TryGet(block, BlockKind.Array, out bytes));
            PersistentArray.Check(bytes, block, valueBytes, end - first);
            if (!references.Add(block)) Say(name, $"block {block} is in use twice");
            sink.Entries(first, bytes + ArrayBlockHeader.Bytes, (int)(end - first));
        }
        catch (DamagedMetadataException damage)
        {
            references.Add(block);
            Lose(name, first, end, damage.Message, sink);
        }
    }

    private void Lose(string name, long first, long end, string why, IArraySink sink)
    {
        Say(name, $"entries {first} to {end - 1} are lost: {why}");
        sink.Lost(first, end);
    }

    private void Say(string name, string text) => problem($"{name}: {text}");
}

/// <summary>Who refers to which block, as found by reading everything.</summary>
internal sealed class BlockReferences(long blocks)
{
    private readonly byte[] _counts = new byte[blocks];

    /// <summary>Blocks that there are.</summary>
    public long Blocks => blocks;

    /// <summary>One more; false: it was there before, or there is no such block.</summary>
    public bool Add(long block)
    {
        if ((ulong)block >= (ulong)blocks) return false;
        if (_counts[block] < byte.MaxValue) _counts[block]++;
        return _counts[block] == 1;
    }

    /// <summary>How many.</summary>
    public int this[long block] => _counts[block];
}
