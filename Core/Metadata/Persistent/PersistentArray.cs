using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// Header of a block of an array, little endian (persistent-data: <c>array_block</c>). The entries follow.
/// <code>
///  0  checksum      u32
///  4  max entries   u32   (4096 - 24) / value bytes
///  8  entries       u32   all that there is room for, but in the last block
/// 12  value bytes   u32
/// 16  number        u64   of this block
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct ArrayBlockHeader
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 24;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public uint Checksum;
    /// <summary>See the picture.</summary>
    [FieldOffset(4)] public uint MaxEntries;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public uint Entries;
    /// <summary>See the picture.</summary>
    [FieldOffset(12)] public uint ValueBytes;
    /// <summary>See the picture.</summary>
    [FieldOffset(16)] public long Number;
}

/// <summary>
/// An array on disk (persistent-data: <c>dm_array</c>): a B-tree with keys 0, 1, 2, ... whose values are blocks full of
/// entries. How many entries there are is not written with it: the owner knows.
/// </summary>
internal sealed unsafe partial class PersistentArray
{
    private readonly Transaction _transaction;
    private readonly int _valueBytes;

    /// <summary>The array of <paramref name="count"/> entries at <paramref name="root"/>.</summary>
    public PersistentArray(Transaction transaction, int valueBytes, long root, long count)
    {
        Invariant.Check(valueBytes is sizeof(uint) or sizeof(ulong));
        Invariant.Check(count >= 0);
        (_transaction, _valueBytes, Root, Count) = (transaction, valueBytes, root, count);
    }

    /// <summary>Block of the tree's root.</summary>
    public long Root { get => _root; private set => _root = value; }

    private long _root;

    /// <summary>Entries.</summary>
    public long Count { get; private set; }

    /// <summary>Entries in a block.</summary>
    public int PerBlock => EntriesOf(_valueBytes);

    /// <summary>Blocks full of entries, the last one perhaps in part.</summary>
    public long BlockCount => BlocksOf(Count, _valueBytes);

    /// <summary>Entries in a block.</summary>
    public static int EntriesOf(int valueBytes) => (BlockKind.BlockBytes - ArrayBlockHeader.Bytes) / valueBytes;

    /// <summary>Blocks for as many entries, without the tree.</summary>
    public static long BlocksOf(long count, int valueBytes) =>
        (count + EntriesOf(valueBytes) - 1) / EntriesOf(valueBytes);

    /// <summary>A new one without entries.</summary>
    public static PersistentArray Create(Transaction transaction, int valueBytes) =>
        new(transaction, valueBytes, BTree.Build(transaction, BTreeNode.ChildBytes, [], []), 0);

    /// <summary>
    /// The entries from <paramref name="first"/> to the end of their block; false: a block is missing.
    /// </summary>
    public bool TryRead(long first, out byte* entries, out int count)
    {
        Invariant.Check((ulong)first < (ulong)Count);
        entries = null;
        count = 0;
        long index = first / PerBlock;
        BlockManager blocks = _transaction.Blocks;
        if (!BTree.TryFind(blocks, Root, BTreeNode.ChildBytes, (ulong)index, out byte* found)) return false;
        if (found == null) throw Missing(index);
        long block = *(long*)found;
        if (!blocks.TryGet(block, BlockKind.Array, out byte* bytes)) return false;
        Check(bytes, block, index);
        int skipped = (int)(first % PerBlock);
        entries = bytes + ArrayBlockHeader.Bytes + skipped * _valueBytes;
        count = EntriesIn(index, Count) - skipped;
        return true;
    }

    /// <summary>An entry, to be changed; false: a block is missing.</summary>
    public bool TryChange(long index, out byte* entry)
    {
        entry = null;
        if (!TryRead(index, out _, out _)) return false;
        ulong key = (ulong)(index / PerBlock);
        if (!BTree.TryChange(_transaction, ref _root, BTreeNode.ChildBytes, key, out byte* value)) return false;
        if (!_transaction.TryShadow(ref *(long*)value, BlockKind.Array, out byte* bytes)) return false;
        entry = bytes + ArrayBlockHeader.Bytes + index % PerBlock * _valueBytes;
        return true;
    }

    /// <summary>Throws when it can be no block of such an array, of <paramref name="entries"/> entries.</summary>
    public static void Check(byte* bytes, long block, int valueBytes, long entries)
    {
        ArrayBlockHeader head = *(ArrayBlockHeader*)bytes;
        string kind = BlockKind.Array.Name;
        if (head.ValueBytes != valueBytes)
            throw new DamagedMetadataException(block, kind, $"values of {head.ValueBytes} bytes, not {valueBytes}");
        if (head.MaxEntries != EntriesOf(valueBytes))
            throw new DamagedMetadataException(
                block, kind, $"room for {head.MaxEntries} entries, expected {EntriesOf(valueBytes)}");
        if (head.Entries != entries)
            throw new DamagedMetadataException(block, kind, $"{head.Entries} entries, expected {entries}");
    }

    private void Check(byte* bytes, long block, long index) =>
        Check(bytes, block, _valueBytes, EntriesIn(index, Count));

    private int EntriesIn(long index, long count) => (int)Math.Min(PerBlock, count - index * PerBlock);

    private DamagedMetadataException Missing(long index) =>
        new(Root, "array", $"entries from {index * PerBlock} on are missing");
}
