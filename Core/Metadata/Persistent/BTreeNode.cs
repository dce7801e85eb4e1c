using System.Runtime.InteropServices;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// Header of a B-tree's node, little endian (persistent-data: <c>node_header</c>). Room for all keys follows, then room
/// for all values.
/// <code>
///  0  checksum      u32
///  4  flags         u32   1 internal, 2 leaf
///  8  number        u64   of this block
/// 16  entries       u32
/// 20  max entries   u32   the largest multiple of 3 that there is room for
/// 24  value bytes   u32   8 in internal nodes: the values are children
/// 28  zero
/// 32  keys          u64 each, ascending
///     values        at 32 + 8 * max entries
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct BTreeNodeHeader
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 32;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public uint Checksum;
    /// <summary>See the picture.</summary>
    [FieldOffset(4)] public uint Flags;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public long Number;
    /// <summary>See the picture.</summary>
    [FieldOffset(16)] public uint Entries;
    /// <summary>See the picture.</summary>
    [FieldOffset(20)] public uint MaxEntries;
    /// <summary>See the picture.</summary>
    [FieldOffset(24)] public uint ValueBytes;
}

/// <summary>A node in memory.</summary>
internal readonly unsafe struct BTreeNode(byte* bytes)
{
    /// <summary>Flag of internal nodes.</summary>
    public const uint Internal = 1;

    /// <summary>Flag of leaves.</summary>
    public const uint Leaf = 2;

    /// <summary>Bytes of a child's number.</summary>
    public const int ChildBytes = sizeof(long);

    private const int KeyBytes = sizeof(ulong);

    /// <summary>The header.</summary>
    public BTreeNodeHeader* Header => (BTreeNodeHeader*)bytes;

    /// <summary>It has values, not children.</summary>
    public bool IsLeaf => Header->Flags == Leaf;

    /// <summary>Entries in use.</summary>
    public int Count => (int)Header->Entries;

    /// <summary>Room for as many.</summary>
    public static int MaxEntries(int valueBytes) =>
        (BlockKind.BlockBytes - BTreeNodeHeader.Bytes) / (KeyBytes + valueBytes) / 3 * 3;

    /// <summary>A new, empty one in zeroed memory.</summary>
    public static BTreeNode New(byte* bytes, bool isLeaf, int valueBytes)
    {
        BTreeNode node = new(bytes);
        node.Header->Flags = isLeaf ? Leaf : Internal;
        node.Header->ValueBytes = (uint)(isLeaf ? valueBytes : ChildBytes);
        node.Header->MaxEntries = (uint)MaxEntries((int)node.Header->ValueBytes);
        return node;
    }

    /// <summary>A key.</summary>
    public ulong Key(int index) => Keys[index];

    /// <summary>All keys; to be changed where the node was.</summary>
    public ulong* Keys => (ulong*)(bytes + BTreeNodeHeader.Bytes);

    /// <summary>A value.</summary>
    public byte* Value(int index) =>
        bytes + BTreeNodeHeader.Bytes + KeyBytes * (int)Header->MaxEntries + index * (int)Header->ValueBytes;

    /// <summary>A child of an internal node.</summary>
    public long Child(int index) => *(long*)Value(index);

    /// <summary>The last entry whose key is not above <paramref name="key"/>; -1: none.</summary>
    public int Find(ulong key)
    {
        int low = -1, high = Count;
        while (high - low > 1)
        {
            int middle = (low + high) >> 1;
            if (Keys[middle] <= key) low = middle;
            else high = middle;
        }
        return low;
    }

    /// <summary>Throws when it can be none of a tree with values of <paramref name="valueBytes"/> bytes.</summary>
    public void Check(long block, int valueBytes)
    {
        BTreeNodeHeader head = *Header;
        if (head.Flags is not (Internal or Leaf)) throw Damaged(block, $"flags {head.Flags}, expected 1 or 2");
        int expected = head.Flags == Leaf ? valueBytes : ChildBytes;
        if (head.ValueBytes != expected)
            throw Damaged(block, $"values of {head.ValueBytes} bytes, expected {expected}");
        if (head.MaxEntries != MaxEntries(expected))
            throw Damaged(block, $"room for {head.MaxEntries} entries, expected {MaxEntries(expected)}");
        if (head.Entries > head.MaxEntries)
            throw Damaged(block, $"{head.Entries} entries, at most {head.MaxEntries}");
        if (head.Flags == Internal && head.Entries == 0) throw Damaged(block, "no children");
    }

    /// <summary>
    /// Throws when the keys do not ascend from <paramref name="low"/> to below <paramref name="high"/>.
    /// </summary>
    public void CheckKeys(long block, ulong low, ulong high)
    {
        for (int i = 0; i < Count; i++)
        {
            ulong least = i == 0 ? low : Keys[i - 1] + 1;
            if (Keys[i] < least || Keys[i] >= high || least == 0 && i > 0)
                throw Damaged(block, $"key {i} is {Keys[i]}, expected {least} to {high - 1}");
        }
    }

    private static DamagedMetadataException Damaged(long block, string found) => new(block, BlockKind.Node.Name, found);
}
