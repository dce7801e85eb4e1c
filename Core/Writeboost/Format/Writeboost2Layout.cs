using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// An entry of layout <c>writeboost2</c>.
/// <code>
///  0        8            9        16
///  | sector | dirty bits | zeroes |
///  | u64    | u8         |        |
/// </code>
/// dirty bits: bit i = sector i; 0 = a clean block with all eight.
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal unsafe struct Writeboost2Entry
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 16;

    [FieldOffset(0)] private ulong _sector;
    [FieldOffset(8)] private byte _dirtyBits;
    [FieldOffset(9)] private fixed byte _zero9[7];

    /// <summary>As an entry of the log.</summary>
    public readonly LogEntry ToEntry() =>
        SegmentLayout.EntryOf(_sector, Layout.OnlyDevice, _dirtyBits, EntryKind.Clean);

    /// <summary>Takes an entry of the log.</summary>
    public void Set(in LogEntry entry) =>
        (_sector, _dirtyBits) = (SegmentLayout.SectorOf(entry), SegmentLayout.DirtyBitsOf(entry));
}

/// <summary>
/// Layout <c>writeboost2</c>: dm-writeboost 2.2, today's kernel module. Segments of 512 KiB, one checksum over header
/// and data; id, length and mark have none.
/// <code>
///  0     8     12       13       480    512
///  | id  | crc | length | zeroes | seal | entry | entry | ...      127 entries of 16 bytes, then zeroes to 4 KiB
///  | u64 | u32 | u8     |
/// </code>
/// crc: CRC32C, usual form, over byte 512 of the header to the last block that counts.
/// </summary>
internal sealed unsafe class Writeboost2Layout : SegmentLayout
{
    private const int ChecksumOffset = 8, LengthOffset = 12, HeadBytes = 13, EntriesOffset = 512, MaxEntries = 127;

    /// <inheritdoc/>
    public override string Name => "writeboost2";

    /// <inheritdoc/>
    public override int SegmentBytes => 512 << 10;

    /// <inheritdoc/>
    public override bool HasDevices => false;

    /// <inheritdoc/>
    public override bool WritesHeaderLast => false;

    /// <inheritdoc/>
    public override string Limits => "one checksum a segment: a rotten one is refused as a whole; discards do nothing; "
        + "a flush takes a segment";

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Magic => WriteboostMagic;

    /// <inheritdoc/>
    public override long MarkOffset => Geometry.SuperblockRegionBytes - Geometry.SectorBytes;

    /// <inheritdoc/>
    public override bool TryReadUnsealed(byte* header, in Geometry geometry, long position, out RecordInfo info)
    {
        int length = header[LengthOffset];
        info = new RecordInfo { Position = position, Sequence = geometry.SegmentOf(position), EntryCount = length };
        return IsConsistent(header, geometry, position);
    }

    // Asked of what was read, asserted of what is to be written.
    private static bool IsConsistent(byte* header, in Geometry geometry, long position) =>
        Fits(header, geometry, position, header[LengthOffset], MaxEntries);

    /// <inheritdoc/>
    public override void ReadEntries(byte* header, in RecordInfo info, LogEntry* entries)
    {
        for (int i = 0; i < info.EntryCount; i++) entries[i] = Entries(header)[i].ToEntry();
    }

    /// <inheritdoc/>
    public override uint WriteHeader(
        byte* header, in Superblock superblock, in Geometry geometry, in RecordInfo info, LogEntry* entries)
    {
        Invariant.Check((uint)info.EntryCount <= MaxEntries);
        new Span<byte>(header, Geometry.BlockBytes).Clear();
        Unsafe.WriteUnaligned(header, info.Sequence);
        header[LengthOffset] = (byte)info.EntryCount;
        for (int i = 0; i < info.EntryCount; i++) Entries(header)[i].Set(entries[i]);
        Unsafe.WriteUnaligned(header + ChecksumOffset, ChecksumOf(header, info));
        Invariant.Check(IsConsistent(header, geometry, info.Position));
        Seal(header, geometry, info, dataSum: 0);
        return 0;
    }

    /// <inheritdoc/>
    public override bool IsWhole(byte* record, in RecordInfo info) =>
        Unsafe.ReadUnaligned<uint>(record + ChecksumOffset) == ChecksumOf(record, info);

    /// <inheritdoc/>
    public override RecordProof ProofOf(byte* record, in RecordInfo info) =>
        IsWhole(record, info) ? RecordProof.Whole : RecordProof.None;

    /// <inheritdoc/>
    public override int SealOffset => EntriesOffset - SegmentSeal.Bytes;

    // The checksum is a part of the head.
    /// <inheritdoc/>
    protected override uint SealedSum(byte* header) => Crc32C.Compute(header, HeadBytes);

    private static uint ChecksumOf(byte* record, in RecordInfo info) => Crc32C.Compute(
        record + EntriesOffset, ((1L + info.EntryCount) << Geometry.BlockShift) - EntriesOffset);

    private static Writeboost2Entry* Entries(byte* header) => (Writeboost2Entry*)(header + EntriesOffset);
}
