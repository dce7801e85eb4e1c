using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>Layout <c>native</c>; its structures are <see cref="RecordHeader"/> and <see cref="LogEntry"/>.</summary>
internal sealed unsafe class NativeLayout : Layout
{
    /// <inheritdoc/>
    public override string Name => "native";

    /// <inheritdoc/>
    public override bool HasRanges => true;

    /// <inheritdoc/>
    public override bool HasCleanPosition => true;

    /// <inheritdoc/>
    public override bool HasBlockChecksums => true;

    /// <inheritdoc/>
    public override bool HasManyRecords => true;

    /// <inheritdoc/>
    public override bool WritesHeaderLast => false;

    /// <inheritdoc/>
    public override bool HasDeviceTable => true;

    /// <inheritdoc/>
    public override bool HasDevices => true;

    /// <inheritdoc/>
    public override bool HasEpochs => true;

    /// <inheritdoc/>
    public override int PlacementOffset(in Superblock superblock) => superblock.PlacementOffset;

    /// <inheritdoc/>
    public override int MinSegmentBytes => Geometry.MinSegmentBytes;

    /// <inheritdoc/>
    public override int MaxSegmentBytes => Geometry.MaxSegmentBytes;

    /// <inheritdoc/>
    public override int DefaultSegmentBytes => 1 << 20;

    /// <inheritdoc/>
    public override string Limits => "";

    /// <inheritdoc/>
    public override int SuperblockCopies => 2;

    /// <inheritdoc/>
    public override long SuperblockOffset(int copy) => copy == 0 ? 0 : Superblock.CopyBOffset;

    /// <inheritdoc/>
    public override void WriteSuperblock(in Superblock superblock, byte* block)
    {
        Invariant.Check(superblock.IsConsistent);
        *(Superblock*)block = superblock;
        Superblock.Seal((Superblock*)block);
    }

    /// <inheritdoc/>
    public override Superblock NewSuperblock(int segmentBytes, int segmentCount, Func<Guid> newGuid)
    {
        Superblock superblock = new()
        {
            Magic = Superblock.MagicValue,
            Version = Superblock.VersionValue,
            CacheId = newGuid(),
            Secret = newGuid(),
            SegmentBytes = segmentBytes,
            SegmentCount = segmentCount,
            MarkSequence = 1,
        };
        superblock.MarkPosition = GeometryOf(superblock).Position(1, 0);
        superblock.Settle(superblock.MarkPosition, superblock.MarkSequence, 0);
        return superblock;
    }

    /// <inheritdoc/>
    public override bool TryReadHeader(
        byte* header, in Superblock superblock, in Geometry geometry, long position, out RecordInfo info)
    {
        RecordHeader* record = (RecordHeader*)header;
        info = default;
        if (!RecordHeader.IsValid(record, superblock, position)) return false;
        info.Position = record->Position;
        info.Sequence = record->Sequence;
        info.EntryCount = record->EntryCount;
        info.Epoch = record->Epoch;
        info.DurablePosition = record->DurablePosition;
        info.MarkPosition = record->MarkPosition;
        info.PreviousChecksum = record->PreviousChecksum;
        info.Checksum = record->Checksum;
        return true;
    }

    /// <inheritdoc/>
    public override void ReadEntries(byte* header, in RecordInfo info, LogEntry* entries) =>
        RecordHeader.EntriesOf((RecordHeader*)header).CopyTo(new Span<LogEntry>(entries, info.EntryCount));

    /// <inheritdoc/>
    public override uint WriteHeader(
        byte* header, in Superblock superblock, in Geometry geometry, in RecordInfo info, LogEntry* entries)
    {
        Invariant.Check(info.EntryCount is > 0 and <= RecordHeader.MaxEntries);
        RecordHeader* record = (RecordHeader*)header;
        new Span<byte>(header, RecordHeader.Bytes).Clear();
        record->Magic = RecordHeader.MagicValue;
        record->Version = RecordHeader.VersionValue;
        record->EntryCount = (ushort)info.EntryCount;
        record->CacheId = superblock.CacheId;
        record->Nonce = superblock.NonceOf(superblock.Epoch);
        record->Epoch = superblock.Epoch;
        record->Sequence = info.Sequence;
        record->Position = info.Position;
        record->DurablePosition = info.DurablePosition;
        record->PreviousChecksum = info.PreviousChecksum;
        (record->SegmentCount, record->PlacementOffset) = geometry.Placement;
        record->SegmentBytes = superblock.SegmentBytes;
        record->MarkPosition = info.MarkPosition;
        record->Secret = superblock.Secret;
        ReadOnlySpan<LogEntry> list = new(entries, info.EntryCount);
        foreach (ref readonly LogEntry entry in list) Invariant.Check(entry.IsConsistent);
        list.CopyTo(new Span<LogEntry>(RecordHeader.Entries(record), info.EntryCount));
        Invariant.Check(record->IsConsistent);
        record->Checksum = RecordHeader.ComputeChecksum(record);
        return record->Checksum;
    }

    /// <inheritdoc/>
    public override bool IsWhole(byte* record, in RecordInfo info)
    {
        LogEntry* entries = RecordHeader.Entries((RecordHeader*)record);
        for (int i = 0; i < info.EntryCount; i++)
        {
            byte* data = record + ((long)(i + 1) << Geometry.BlockShift);
            bool isData = entries[i].Kind == EntryKind.Data;
            if (isData && BlockSum.Compute(data) != entries[i].Value) return false;
        }
        return true;
    }
}
