using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Puts records into the structures that serve: index, ranges, segment table.</summary>
public sealed class Replay(Geometry geometry, SegmentTable table, BlockIndex index, RangeMap ranges)
{
    private const int Ahead = 16;
    private readonly VersionMap _versions = new(geometry, table, index, ranges);
    private readonly long[] _endBlocks = new long[256];

    /// <summary>
    /// Clean blocks count from here on; after a crash none does, because what the backing device held then may be gone.
    /// </summary>
    public long CleanPosition { get; init; } = long.MaxValue;

    /// <summary>Data that had been written back counts from here on, in what is warm.</summary>
    public long AroundPosition { get; init; }

    /// <summary>What lies there in the log of this device may be read instead of the device. Null: of all.</summary>
    public Func<int, long, bool>? IsHere { get; init; }

    /// <summary>
    /// Data below this position of blocks below <see cref="KeptKey"/> is on its backing device: an interrupted drain
    /// has written it, from this position's batch, and flushed (R8).
    /// </summary>
    public long KeptPosition { get; init; }

    /// <summary>See <see cref="KeptPosition"/>.</summary>
    public ulong KeptKey { get; init; }

    /// <summary>
    /// By number of device: entries below are another's that had the number before, and do not count (R13). Null: all
    /// count.
    /// </summary>
    public long[]? FirstPositions { get; init; }

    /// <summary>Entries that did not count, because their device has gone.</summary>
    public long ForeignCount { get; private set; }

    /// <summary>
    /// What is kept lies over a range, and was entered: once the mark is between the two, nobody could tell.
    /// </summary>
    public bool KeptLiesOverRange { get; private set; }

    /// <summary>Something was lost: what is older of its block may not be on the backing device.</summary>
    public bool HasPoison { get; private set; }

    /// <summary>Blocks and ranges replayed.</summary>
    public long EntryCount { get; private set; }

    /// <summary>The block behind the last one that an entry names on device <paramref name="id"/>.</summary>
    public long EndBlockOf(int id) => _endBlocks[id];

    /// <summary>Some record that was replayed has data for the block <paramref name="key"/>.</summary>
    public bool Names(ulong key) => index.NewestPosition(key) > 0;

    /// <summary>
    /// Replays the record at <paramref name="recordPosition"/>. In log order, though the index would take any.
    /// </summary>
    /// <exception cref="UserErrorException">An entry names a backing device that cannot be.</exception>
    public void Apply(long recordPosition, long sequence, ReadOnlySpan<LogEntry> entries)
    {
        long segment = geometry.SegmentOf(recordPosition);
        Invariant.Check(segment > 0);
        Invariant.Check(geometry.SlotOf(recordPosition) + entries.Length < geometry.SlotsPerSegment);
        int physical = geometry.Physical(segment);
        if (table.SequenceOf(physical) != segment) table.Assign(physical, segment, -1);
        table.SetLastRecord(physical, sequence);
        // The index is far larger than any cache of the processor: its misses overlap.
        foreach (ref readonly LogEntry entry in entries) index.Prefetch(entry.Key);
        for (int i = 0; i < Math.Min(Ahead, entries.Length); i++) index.PrefetchVersion(entries[i].Key);
        for (int i = 0; i < entries.Length; i++)
        {
            if (i + Ahead < entries.Length) index.PrefetchVersion(entries[i + Ahead].Key);
            Apply(entries[i], recordPosition + 1 + i);
        }
    }

    /// <summary>
    /// Replays the record at <paramref name="recordPosition"/> of a segment that has been written back, after all that
    /// is newer (R10): what still counts is clean. No block that was written may be left out while something older
    /// comes, a range most of all. Returns the blocks of it.
    /// </summary>
    public int ApplyWarm(long recordPosition, long sequence, ReadOnlySpan<LogEntry> entries)
    {
        long segment = geometry.SegmentOf(recordPosition);
        Invariant.Check(segment > 0);
        Invariant.Check(geometry.SlotOf(recordPosition) + entries.Length < geometry.SlotsPerSegment);
        int physical = geometry.Physical(segment), blocks = 0;
        if (table.SequenceOf(physical) != segment) table.Assign(physical, segment, -1);
        table.SetLastRecord(physical, sequence);
        foreach (ref readonly LogEntry entry in entries) index.Prefetch(entry.Key);
        for (int i = 0; i < entries.Length; i++)
        {
            long position = recordPosition + 1 + i;
            if (IsWarm(entries[i], position) && ApplyWarm(entries[i], position)) blocks++;
        }
        return blocks;
    }

    private bool IsWarm(in LogEntry entry, long position)
    {
        if (entry.Kind == EntryKind.Void) return false;
        if (entry.Device is < BackingTable.MinId or > BackingTable.MaxId) return false;
        long since = entry.Kind == EntryKind.Clean ? CleanPosition : AroundPosition;
        return position >= since && !IsForeign(entry, position) && IsHere?.Invoke(entry.Device, position) != false;
    }

    private bool ApplyWarm(in LogEntry entry, long position)
    {
        uint slot = geometry.PhysicalSlot(position);
        bool isRange = entry.Kind is EntryKind.Zeroes or EntryKind.Discard;
        if (isRange && !Mutant.Is(WriteboostMutant.R10WarmRangeForgotten)) ApplyRange(entry, position);
        if (entry.Kind is not (EntryKind.Data or EntryKind.Clean)) return false;
        if (ranges.PositionOver(entry.Key) > position) return false;
        if (entry.Kind == EntryKind.Clean) return index.TryInsertClean(entry.Key, slot, entry.Value, null, 0, 0, 0);
        index.InsertClean(entry.Key, slot, entry.Sectors, entry.Value);
        return index.IsLinked(slot);
    }

    private void ApplyRange(in LogEntry entry, long position)
    {
        ranges.TakeRecovered();
        _ = _versions.Enter(entry, position);
    }

    private void Apply(in LogEntry entry, long position)
    {
        if (entry.Kind == EntryKind.Void) return;
        if (entry.Device is < BackingTable.MinId or > BackingTable.MaxId)
            throw new UserErrorException($"segment {geometry.SegmentOf(position)}, slot {geometry.SlotOf(position)} of "
                + $"the log: names backing device number {entry.Device}; expected {BackingTable.MinId} to "
                + $"{BackingTable.MaxId}; not serving");
        if (!entry.IsConsistent)
            throw new UserErrorException($"segment {geometry.SegmentOf(position)}, slot {geometry.SlotOf(position)} of "
                + $"the log: an entry of kind {(int)entry.Kind} with sectors {entry.Sectors:x2} and value "
                + $"{entry.Value} cannot be; not serving");
        if (IsForeign(entry, position))
        {
            ForeignCount++;
            return;
        }
        if (entry.Kind == EntryKind.Clean)
        {
            ApplyClean(entry, position);
            return;
        }
        _endBlocks[entry.Device] = Math.Max(_endBlocks[entry.Device], entry.Block + 1);
        EntryCount++;
        if (IsKept(entry, position)) return;
        if (entry.Kind == EntryKind.Data) _ = _versions.Enter(entry, position);
        else if (entry.Kind == EntryKind.Poison) ApplyPoison(entry, position);
        else ApplyRange(entry, position);
    }

    // A range is zeroed again before the rest of its batch is written: what lies over one is written again too.
    private bool IsKept(in LogEntry entry, long position)
    {
        if (position >= KeptPosition || entry.Kind != EntryKind.Data) return false;
        if (entry.Key >= KeptKey) return false;
        if (ranges.PositionOver(entry.Key) != 0 && !Mutant.Is(WriteboostMutant.R8KeptOverRange))
        {
            KeptLiesOverRange = true;
            return false;
        }
        // An older clean version is out of date.
        return index.TryDropClean(entry.Key, out _);
    }

    /// <summary>The entry at <paramref name="position"/> is of a device that has gone.</summary>
    public bool IsForeign(in LogEntry entry, long position) =>
        FirstPositions != null && position < FirstPositions[entry.Device]
        && !Mutant.Is(WriteboostMutant.R13NumberInherits);

    private void ApplyPoison(in LogEntry entry, long position)
    {
        HasPoison = true;
        bool isOver = !entry.IsGivenUp && ranges.PositionOver(entry.Key) > position - entry.Value;
        if (!isOver) _ = _versions.Enter(entry, position);
    }

    // Never over anything that was written, wherever it lies (R10).
    private void ApplyClean(in LogEntry entry, long position)
    {
        if (position < CleanPosition || ranges.PositionOver(entry.Key) != 0) return;
        if (IsHere?.Invoke(entry.Device, position) == false) return;
        EntryCount++;
        index.TryInsertClean(entry.Key, geometry.PhysicalSlot(position), entry.Value, null, 0, 0, 0);
    }
}
