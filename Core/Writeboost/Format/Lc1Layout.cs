using System;
using System.Runtime.InteropServices;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// An entry of layout <c>lc1</c>: <c>struct metablock_device</c> of seeds 000 and 001.
/// <code>
///  0        8        9            10     14
///  | sector | device | dirty bits | lap  |
///  | u64    | u8     | u8         | u32  |
/// </code>
/// device: the number its user gave the backing device, from 1.
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal struct Lc1Entry : ILapEntry
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 14;

    [FieldOffset(0)] private ulong _sector;
    [FieldOffset(8)] private byte _device;
    [FieldOffset(9)] private byte _dirtyBits;
    [FieldOffset(10)] private uint _lap;

    /// <inheritdoc/>
    public readonly uint Lap => _lap;

    /// <inheritdoc/>
    public readonly LogEntry ToEntry() => SegmentLayout.EntryOf(_sector, _device, _dirtyBits, EntryKind.Void);

    /// <inheritdoc/>
    public void Set(in LogEntry entry, uint lap)
    {
        (_sector, _device) = (SegmentLayout.SectorOf(entry), entry.Device);
        (_dirtyBits, _lap) = (SegmentLayout.DirtyBitsOf(entry), lap);
    }
}

/// <summary>
/// Layout <c>lc1</c>: dm-lc and dm-writeboost of August 2013 (seeds 000 and 001). No magic: nothing tells a cache of
/// this layout from anything else; the mark is in sector 0. One cache for many devices, whose numbers are given on the
/// command line.
/// </summary>
internal sealed class Lc1Layout : LapLayout<Lc1Entry>
{
    /// <inheritdoc/>
    public override string Name => "lc1";

    /// <inheritdoc/>
    public override bool HasDevices => true;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Magic => [];

    /// <inheritdoc/>
    public override long MarkOffset => 0;
}
