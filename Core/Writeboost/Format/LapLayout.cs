using System;
using System.Runtime.CompilerServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>A block's entry in the header of a layout whose headers carry laps.</summary>
internal interface ILapEntry
{
    /// <summary>How often the log had gone round the device when this was written, from 1.</summary>
    uint Lap { get; }

    /// <summary>As an entry of the log.</summary>
    LogEntry ToEntry();

    /// <summary>Takes an entry of the log.</summary>
    void Set(in LogEntry entry, uint lap);
}

/// <summary>
/// The layouts of the seeds: 1 MiB segments, no checksum. A header is whole when every entry carries the header's lap;
/// data is whole because it is flushed before its header is written. Rot goes unseen but for the last 32 bytes of the
/// header's 4 KiB: a <see cref="SegmentSeal"/> of ours.
/// <code>
///  0        8       9      13
///  | id     | length| lap  | entry | entry | ...      up to 255 entries, packed, little endian
///  | u64    | u8    | u32  |
/// </code>
/// id: from 1; length: entries that count; lap: (id - 1) / segments + 1.
/// </summary>
internal abstract unsafe class LapLayout<TEntry> : SegmentLayout
    where TEntry : unmanaged, ILapEntry
{
    private const int LengthOffset = 8, LapOffset = 9, EntriesOffset = 13, MaxEntries = 255;

    static LapLayout()
    {
        int end = EntriesOffset + (MaxEntries * sizeof(TEntry));
        Invariant.Check(end <= Geometry.BlockBytes - SegmentSeal.Bytes);
    }

    /// <inheritdoc/>
    public override int SegmentBytes => 1 << 20;

    /// <inheritdoc/>
    public override bool WritesHeaderLast => true;

    /// <inheritdoc/>
    public override string Limits => "no checksums but Weir's seals: what a module wrote and has rotted before a start "
        + "is taken as it is; discards do nothing; a flush takes a segment";

    /// <summary>Lap of a segment.</summary>
    public static uint LapOf(long id, int segmentCount) => (uint)((id - 1) / segmentCount) + 1;

    /// <inheritdoc/>
    public override bool TryReadUnsealed(byte* header, in Geometry geometry, long position, out RecordInfo info)
    {
        int length = header[LengthOffset];
        info = new RecordInfo { Position = position, Sequence = geometry.SegmentOf(position), EntryCount = length };
        return IsConsistent(header, geometry, position);
    }

    // Asked of what was read, asserted of what is to be written.
    private static bool IsConsistent(byte* header, in Geometry geometry, long position)
    {
        int length = header[LengthOffset];
        return Fits(header, geometry, position, length, MaxEntries) && LapsAgree(header, length);
    }

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
        uint lap = LapOf(info.Sequence, geometry.SegmentCount);
        Unsafe.WriteUnaligned(header, info.Sequence);
        header[LengthOffset] = (byte)info.EntryCount;
        Unsafe.WriteUnaligned(header + LapOffset, lap);
        for (int i = 0; i < info.EntryCount; i++) Entries(header)[i].Set(entries[i], lap);
        Invariant.Check(IsConsistent(header, geometry, info.Position));
        Seal(header, geometry, info, SegmentSeal.DataSumOf(header, info.EntryCount));
        return 0;
    }

    /// <inheritdoc/>
    public override uint HeaderSum(byte* header) =>
        Crc32C.Compute(header, EntriesOffset + (header[LengthOffset] * (long)sizeof(TEntry)));

    /// <inheritdoc/>
    public override RecordProof ProofOf(byte* record, in RecordInfo info)
    {
        if (!TryReadSeal(record, out SegmentSeal seal)) return RecordProof.None;
        bool isWhole = seal.DataSum == SegmentSeal.DataSumOf(record, info.EntryCount);
        return isWhole ? RecordProof.Whole : RecordProof.HeaderOnly;
    }

    /// <inheritdoc/>
    public override int SealOffset => Geometry.BlockBytes - SegmentSeal.Bytes;

    /// <inheritdoc/>
    protected override uint SealedSum(byte* header) => HeaderSum(header);

    private static bool LapsAgree(byte* header, int length)
    {
        uint lap = Unsafe.ReadUnaligned<uint>(header + LapOffset);
        for (int i = 0; i < length; i++)
            if (Entries(header)[i].Lap != lap) return false;
        return true;
    }

    private static TEntry* Entries(byte* header) => (TEntry*)(header + EntriesOffset);
}
