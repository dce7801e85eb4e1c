using System;

namespace Weir.Core.Traces;

/*
 * One access of a block, 64 bits:
 *
 *   63   56 55      32 31             0
 *   | flags | sectors | number of block |
 */

/// <summary>One block of a request, as simulators see it.</summary>
/// <param name="Bits">As in the picture.</param>
internal readonly record struct BlockAccess(ulong Bits)
{
    private const int SectorsAt = 32, FlagsAt = 56;

    /// <summary>Most sectors of one access: more than the largest block has.</summary>
    private const int SectorsMax = (1 << (FlagsAt - SectorsAt)) - 1;

    public BlockAccess(uint block, BlockAccessFlags flags, long sectors)
        : this(block | ((ulong)Math.Min(sectors, SectorsMax) << SectorsAt) | ((ulong)flags << FlagsAt))
    {
    }

    /// <summary>In the order in which blocks were met, from 0 on.</summary>
    public uint Block => (uint)Bits;

    /// <summary>What kind.</summary>
    public BlockAccessFlags Flags => (BlockAccessFlags)(Bits >> FlagsAt);

    /// <summary>Of this block.</summary>
    public int Sectors => (int)(Bits >> SectorsAt) & SectorsMax;
}

/// <summary>What is known of a <see cref="BlockAccess"/>.</summary>
[Flags]
internal enum BlockAccessFlags : byte
{
    /// <summary>A read inside a request.</summary>
    None = 0,
    /// <summary>It writes.</summary>
    Write = 1,
    /// <summary>It writes the whole block.</summary>
    WholeBlock = 2,
    /// <summary>Part of a long sequential stream.</summary>
    Sequential = 4,
    /// <summary>The first of its request.</summary>
    Begins = 8,
    /// <summary>A while has passed before it.</summary>
    Tick = 16,
}
