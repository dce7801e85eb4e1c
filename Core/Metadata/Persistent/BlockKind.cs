using System.Runtime.CompilerServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// What a metadata block is used as. The first four bytes are a checksum of the others, salted so that a block of one
/// kind is none of another; somewhere behind stands the block's own number.
/// </summary>
/// <param name="name">For people.</param>
/// <param name="salt">Mixed into the checksum.</param>
/// <param name="numberOffset">Where its own number stands, a u64.</param>
internal sealed unsafe class BlockKind(string name, uint salt, int numberOffset)
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockBytes = 4096;

    /// <summary>A node of a B-tree.</summary>
    public static BlockKind Node { get; } = new("btree node", 121107, 8);

    /// <summary>A block of an array.</summary>
    public static BlockKind Array { get; } = new("array block", 595846735, 16);

    /// <summary>The index of a space map.</summary>
    public static BlockKind Index { get; } = new("space map index", 160478, 8);

    /// <summary>Counts of a space map.</summary>
    public static BlockKind Bitmap { get; } = new("space map bitmap", 240779, 8);

    /// <summary>For people.</summary>
    public string Name => name;

    /// <summary>Makes it whole, as block <paramref name="number"/>.</summary>
    public void Seal(byte* bytes, long number)
    {
        Unsafe.WriteUnaligned(bytes + numberOffset, number);
        *(uint*)bytes = Checksum(bytes);
    }

    /// <summary>Why it is none of this kind, as block <paramref name="number"/>; null: it is one.</summary>
    public string? Fault(byte* bytes, long number)
    {
        uint found = *(uint*)bytes, expected = Checksum(bytes);
        if (found != expected) return $"checksum {found:x8}, expected {expected:x8}";
        long own = Unsafe.ReadUnaligned<long>(bytes + numberOffset);
        return own == number ? null : $"its own number is {own}, expected {number}";
    }

    /// <summary>What its first four bytes should be: CRC-32C from all ones, not inverted, with the salt.</summary>
    public uint Checksum(byte* bytes) => Crc32C.Append(~0u, bytes + sizeof(uint), BlockBytes - sizeof(uint)) ^ salt;
}
