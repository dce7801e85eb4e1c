using System;

namespace Weir.Core.Writeboost.Backings;

/// <summary>A block to write: where it belongs, where its merged bytes are, which sectors of them count.</summary>
internal struct DirtyBlock
{
    /// <summary>Device and block.</summary>
    public ulong Key;
    /// <summary>Slot in the batch: segment times slots per segment, plus slot.</summary>
    public int BatchSlot;
    /// <summary>Sectors to write.</summary>
    public byte Sectors;
}

/// <summary>What is about to be written to the backing devices and zeroed there. One thread.</summary>
internal unsafe interface IWriteSet
{
    /// <summary>The blocks to write, by address.</summary>
    ReadOnlySpan<DirtyBlock> Sorted { get; }

    /// <summary>Bytes of a slot that <see cref="Sorted"/> names.</summary>
    byte* Data(int batchSlot);

    /// <summary>Something of the block <paramref name="key"/> is going to be written or zeroed.</summary>
    bool Changes(ulong key);
}
