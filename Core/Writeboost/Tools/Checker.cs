using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// <c>weir check</c>: reads everything that counts, and says what is fine, what is torn and what is rotten (R5). The
/// log's end is found by recovery itself, so that what this says is what <c>serve</c> would do; then every record is
/// read again with its data. Memory: the index that serving needs. Writes nothing.
/// </summary>
public sealed partial class Checker : IDisposable
{
    private readonly OfflineCache _cache;
    private readonly IItemWriter _items;
    private readonly SegmentTable _table;
    private readonly BlockIndex _index;
    private readonly RangeMap _ranges;
    private long _problems;
    private long _notes;
    private long _blocks;
    private long _currentBlocks;
    private long _rottenBlocks;
    private long _recordsProved;
    private long _rangeEntries;
    private long _lostBlocks;
    private readonly DeviceTable? _devices;
    private readonly Replay _replay;

    /// <summary>A check of <paramref name="cache"/>, reported to <paramref name="items"/>.</summary>
    public Checker(OfflineCache cache, IItemWriter items)
    {
        _cache = cache;
        _items = items;
        _table = new SegmentTable(cache.Geometry);
        _index = new BlockIndex(cache.Geometry, _table, keepChecksums: false);
        _ranges = new RangeMap(new WriteboostOptions().RangeBudget);
        _devices = cache.Layout.HasDeviceTable ? SuperblockItems.ReadTable(cache) : null;
        _replay = ReplayOf(cache.Superblock);
    }

    /// <summary>
    /// Checks, and returns how many problems there are; <paramref name="ram"/> is where a killed process left data.
    /// </summary>
    public long Run(IRamStore ram)
    {
        int damagedCopies = SuperblockItems.Report(_cache, _items);
        if (!SuperblockItems.ReportDevices(_cache, _items, out bool equal, out bool hasLostSamples))
            Problem("both copies of the device table are damaged: repair makes an empty one");
        else if (!equal && _cache.Superblock.Epoch > 0)
            Problem("a copy of the device table is damaged, or was just being written: the next start mends it");
        if (hasLostSamples)
            Problem("both copies of the samples are damaged: which device is which is told by their names alone");
        if (damagedCopies > 0) Problem("a superblock copy is damaged: the next start mends it from the other one");
        using ILogScan scan = LogScans.New(
            _cache.Layout, _cache.Superblock, _cache.Geometry, _cache.Io, _cache.Queue, _cache.Device,
            _replay, readsData: false, _cache.Progress);
        bool isComplete = TryScan(scan);
        LogWalk walk = new(_cache);
        walk.Begin(_cache.Geometry.Position(scan.TailSegment, 0), FirstSequence(scan), _cache.Superblock.MarkChecksum);
        walk.Run(scan.EndPosition, CheckRecord);
        if (isComplete && walk.NextSequence != scan.NextSequence)
            Problem($"the log was read to record {scan.NextSequence - 1}, then only to {walk.NextSequence - 1}");
        CheckIndex(isComplete);
        if (_cache.UnreadBlocks > 0)
            Problem($"{LostRange.Count(_cache.UnreadBlocks)} of the log cannot be read: the cache device fails");
        ReportLost();
        LookBehind(scan);
        LookIntoMemory(ram, scan);
        LookAtSegments(scan);
        Summarise(scan, walk);
        return _problems;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _devices?.Dispose();
        _ranges.Dispose();
        _index.Dispose();
        _table.Dispose();
    }

    private Replay ReplayOf(in Superblock superblock) => new(_cache.Geometry, _table, _index, _ranges)
    {
        KeptPosition = superblock.HasKept ? superblock.KeptPosition : 0,
        KeptKey = superblock.KeptKey,
        FirstPositions = _devices?.FirstPositions(),
    };

    private bool TryScan(ILogScan scan)
    {
        try
        {
            scan.Run();
            CheckEnd(scan);
            return true;
        }
        catch (UserErrorException rot)
        {
            Problem(rot.Message);
            return false;
        }
    }

    // A log that ends before what was durable has lost something.
    private void CheckEnd(ILogScan scan)
    {
        if (_cache.Layout.HasDeviceTable) return;
        Superblock superblock = _cache.Superblock;
        using SampleTable samples =
            TableReader.ReadSegmentSamples(_cache.Io, _cache.Queue, _cache.Device, ref superblock, out _);
        scan.ProveDurable(samples);
        scan.CheckEnd();
    }

    private long FirstSequence(ILogScan scan) =>
        _cache.Layout is SegmentLayout ? scan.TailSegment : _cache.Superblock.MarkSequence;

    private void CheckRecord(int slot, in RecordInfo info)
    {
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        entries = _cache.ReadEntries(slot, info, entries);
        bool isWhole = _cache.IsWhole(slot, info);
        if (!isWhole && !_cache.Layout.HasBlockChecksums)
            Problem($"the record of segment {info.Sequence} is damaged: the log ends before it");
        CheckSeal(slot, info);
        for (int i = 0; i < entries.Length; i++) CheckEntry(slot + 1 + i, info.Position + 1 + i, entries[i]);
    }

    // Where no checksum of the layout's own covers the data, our seal may: not of a block, but of all of them.
    private void CheckSeal(int slot, in RecordInfo info)
    {
        RecordProof proof = _cache.ProofOf(slot, info);
        _recordsProved += proof == RecordProof.None ? 0 : 1;
        if (proof == RecordProof.HeaderOnly) _rottenSegments.Add(info.Sequence);
    }

    private void CheckEntry(int slot, long position, in LogEntry entry)
    {
        if (_replay.IsForeign(entry, position)) return;
        if (EntryKinds.IsRange(entry)) _rangeEntries++;
        if (entry.Kind == EntryKind.Poison && _index.IsLinked(_cache.Geometry.PhysicalSlot(position)))
            _currentBlocks++;
        if (entry.Kind != EntryKind.Data) return;
        _blocks++;
        bool isCovered = _ranges.PositionOver(entry.Key) > position;
        bool isLinked = _index.IsLinked(_cache.Geometry.PhysicalSlot(position));
        if (isLinked) _currentBlocks++;
        if (_cache.IsIntact(entry, slot)) return;
        _rottenBlocks++;
        string where = $"block {entry.Block} of device {entry.Device}, in segment "
            + $"{_cache.Geometry.SegmentOf(position)} slot {slot}, "
            + (_cache.IsUnread(slot) ? "cannot be read" : "is rotten");
        if (isLinked) _index.MarkRotten(_cache.Geometry.PhysicalSlot(position), out _);
        if (isLinked && !isCovered) Problem(where + ": it reads EIO");
        else Note(where + ": a newer version counts, the backing device has it, or it was given up");
    }

    // What is rotten now, and what was found so before: that has an entry of its own in the log.
    private void ReportLost()
    {
        List<LostVersion> lost = LostBlocks.Find(_index, _ranges, _table, _cache.Geometry);
        foreach (LostRange range in LostBlocks.RangesOf(lost, NameOf))
        {
            long blocks = (range.LengthBytes + Geometry.BlockBytes - 1) >> Geometry.BlockShift;
            _lostBlocks += blocks;
            Problem($"{range.LengthBytes} bytes of '{range.Device}' from {range.OffsetBytes} on are lost: they read "
                + $"EIO until they are overwritten, discarded or given up ({range})");
        }
        if (_replay.ForeignCount > 0)
            Note($"{_replay.ForeignCount} entries are of devices that have gone: they do not count");
    }

    private string NameOf(int id) =>
        _devices != null && _devices[id].Id != 0 ? _devices[id].Name : DoubtfulBlocks.NameOf(_cache.Layout, id);

    private void CheckIndex(bool isComplete)
    {
        if (isComplete && _currentBlocks != _index.DirtyCount)
            Problem($"the index names {_index.DirtyCount} dirty blocks, the log {_currentBlocks}");
    }

    // Records behind the end: torn by a crash before anybody was told that they are durable, or of an earlier life.
    private void LookBehind(ILogScan scan)
    {
        if (scan.HeadersBehindEnd is > 0 and int behind)
            Problem($"segment {scan.EndSegment + 1} is torn or rotten and ends the log: {behind} segments with "
                + "later ids do not count");
        Geometry geometry = _cache.Geometry;
        if (_cache.Layout is SegmentLayout) return;
        long segment = geometry.SegmentOf(scan.EndPosition);
        int physical = geometry.Physical(segment), found = 0;
        _cache.ReadSegment(physical);
        int slot = _cache.NextHeader(physical, geometry.SlotOf(scan.EndPosition), out RecordInfo info);
        for (; slot < geometry.SlotsPerSegment; slot = _cache.NextHeader(physical, slot + 1, out info))
            if (info.Position >= scan.EndPosition) found++;
        if (found > 0)
            Note($"{found} record headers behind the log's end in segment {segment}: torn, never promised, not used");
    }

    private void Summarise(ILogScan scan, LogWalk walk)
    {
        Invariant.Check(_rottenBlocks <= _blocks);
        Invariant.Check(_recordsProved <= walk.Records);
        Invariant.Check(scan.EndPosition >= _cache.Geometry.Position(scan.TailSegment, 0));
        _items.Begin("summary");
        _items.Text("verdict", _problems == 0 ? "sound" : "damaged");
        _items.Number("problems", _problems);
        _items.Number("notes", _notes);
        _items.Number("records", walk.Records);
        _items.Number("blocks", _blocks);
        _items.Number("ranges", _rangeEntries);
        _items.Number("dirty_blocks", _index.DirtyCount);
        _items.Number("rotten_blocks", _rottenBlocks);
        _items.Number("lost_blocks", _lostBlocks);
        _items.Number("log_end_position", scan.EndPosition);
        _items.Number("durable_position", scan.DurablePosition);
        _items.Text("data_checked", DataChecked(walk.Records));
        _items.End();
    }

    private string DataChecked(long records) => !_cache.Layout.WritesHeaderLast || _recordsProved == records ? "yes"
        : _recordsProved == 0 ? "no: this layout has no checksum, and no segment a seal of weir's"
        : $"in part: this layout has no checksum; {_recordsProved} of {records} segments have a seal of weir's";

    private void Problem(string text)
    {
        _problems++;
        Say("problem", text);
    }

    private void Note(string text)
    {
        _notes++;
        Say("note", text);
    }

    private void Say(string kind, string text)
    {
        _items.Begin(kind);
        _items.Text("text", text);
        _items.End();
    }
}
