using System;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// Changes that become durable together. A block is never changed where it is: the first change in a transaction
/// goes to a copy in a free block, and the old one is free once the commit has ended well, not before. Trees share no
/// blocks: a count above 1 is one too many, and stays so.
/// </summary>
internal sealed unsafe class Transaction(BlockManager blocks, SpaceMap space)
{
    /// <summary>What is in memory.</summary>
    public BlockManager Blocks => blocks;

    /// <summary>What is in use.</summary>
    public SpaceMap Space => space;

    /// <summary>A new block, zeroed. Throws <see cref="MetadataFullException"/>.</summary>
    public byte* Allocate(BlockKind kind, out long block)
    {
        block = space.Allocate();
        return blocks.Add(block, kind);
    }

    /// <summary>
    /// The block, to be changed: this transaction's copy, whose number <paramref name="block"/> is then. False: it is
    /// missing.
    /// </summary>
    public bool TryShadow(ref long block, BlockKind kind, out byte* bytes)
    {
        if (!blocks.TryGet(block, kind, out bytes)) return false;
        if (blocks.IsChanged(block)) return true;
        if (space.Count(block) == 0)
            throw new DamagedMetadataException(block, kind.Name, "it is in use, and free by the space map");
        // The old one stays where it is meanwhile: it is in use by this operation.
        byte* copy = Allocate(kind, out long moved);
        new ReadOnlySpan<byte>(bytes, BlockKind.BlockBytes).CopyTo(new Span<byte>(copy, BlockKind.BlockBytes));
        Free(block);
        block = moved;
        bytes = copy;
        return true;
    }

    /// <summary>Nothing refers to the block any more.</summary>
    public void Free(long block)
    {
        space.Decrement(block);
        if (space.Count(block) == 0) blocks.Forget(block);
    }
}
