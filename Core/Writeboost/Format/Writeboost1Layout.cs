using System;
using System.Runtime.InteropServices;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// An entry of layout <c>writeboost1</c>: <c>struct metablock_device</c> of seed 003.
/// <code>
///  0        8            9      13
///  | sector | dirty bits | lap  |
///  | u64    | u8         | u32  |
/// </code>
/// sector: first of the block on the backing device; dirty bits: bit i = sector i, 0 = nothing to recover.
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal struct Writeboost1Entry : ILapEntry
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 13;

    [FieldOffset(0)] private ulong _sector;
    [FieldOffset(8)] private byte _dirtyBits;
    [FieldOffset(9)] private uint _lap;

    /// <inheritdoc/>
    public readonly uint Lap => _lap;

    /// <inheritdoc/>
    public readonly LogEntry ToEntry() =>
        SegmentLayout.EntryOf(_sector, Layout.OnlyDevice, _dirtyBits, EntryKind.Void);

    /// <inheritdoc/>
    public void Set(in LogEntry entry, uint lap) =>
        (_sector, _dirtyBits, _lap) = (SegmentLayout.SectorOf(entry), SegmentLayout.DirtyBitsOf(entry), lap);
}

/// <summary>
/// Layout <c>writeboost1</c>: dm-writeboost of September 2013 (seed 003). Magic in sector 0, the mark in the last
/// sector of the superblock region.
/// </summary>
internal sealed class Writeboost1Layout : LapLayout<Writeboost1Entry>
{
    /// <inheritdoc/>
    public override string Name => "writeboost1";

    /// <inheritdoc/>
    public override bool HasDevices => false;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Magic => WriteboostMagic;

    /// <inheritdoc/>
    public override long MarkOffset => Geometry.SuperblockRegionBytes - Geometry.SectorBytes;
}
