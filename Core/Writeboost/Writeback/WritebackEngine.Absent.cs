using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// Blocks and ranges of absent devices (R13) are not written back but moved forward in the log, and durable there
/// before the mark passes the place they come from. Only what still counts moves: what is logged behind the batch is
/// newer, and so is not overtaken. Nobody writes to an absent device meanwhile, and none is attached while a batch is
/// under way.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Entries, and blocks of ranges, looked at in one turn while moving; some tens of microseconds.</summary>
    private const int MovesPerTurn = 64, RangeBlocksPerTurn = 4096;

    /// <summary>Segments: what one segment's entries fill, wherever they begin.</summary>
    private const int ReservedForMoves = 2;

    private ulong _moveKey;
    private ulong _scannedKey;
    private int _scansLeft;
    private long _holdSegment = long.MaxValue;
    private bool _hasMoved;
    private bool _moveWaits;
    private int _fruitless;

    // Moving costs log space and gains none: not for idle time's sake, nor when nothing else is there to be written.
    private bool IsRoomWanted =>
        _mustMove || _log.IsStarved || _pressure.IsOn || _drains.IsUnderWay
        || _throttle.IsHolding
        || (_dirty.PresentBlocks > 0
            && (_options.ForceMigrate || _log.IsUsedAbove(_options.HighWatermark)));

    // While absent devices have data in the log, batches are small: what they move must find room.
    private int MostSegmentsNow(int most)
    {
        if (!_dirty.IsAnyAbsent) return most;
        long held = IsRoomWanted || _holdSegment <= _log.DirtySegment ? most : _holdSegment - _log.DirtySegment;
        return (int)Math.Min(held, Math.Min(most, AbsentBatch));
    }

    private int AbsentBatch => Math.Clamp(Math.Min(_log.Geometry.SegmentCount / 16, (int)_log.FreeSegments - 1), 1, 4);

    // Whether a batch may begin: segments from the hold on have data of absent devices and wait until room is wanted.
    private bool IsHeld()
    {
        // Any of several devices may be absent in the next life: its data needs room to move then.
        _log.ReservedSegments = _devices.Count > 1 ? ReservedForMoves : _log.Layout.HasRanges ? 1 : 0;
        return _dirty.IsAnyAbsent && _holdSegment <= _log.DirtySegment && !IsRoomWanted;
    }

    // The plan has met an absent device's entry. False: the batch ends here for now.
    private bool MayMove(int batchSlot)
    {
        if (IsRoomWanted) return true;
        _holdSegment = _log.Geometry.SegmentOf(_batch.PositionOf(batchSlot));
        _phase = Phase.Idle;
        return false;
    }

    private bool StartMove()
    {
        _phase = Phase.Move;
        _holdSegment = long.MaxValue;
        _cursor = 0;
        _moveKey = 0;
        _scannedKey = 0;
        _hasMoved = false;
        _poisonNext = 0;
        bool moves = _dirty.IsAnyAbsent && !Mutant.Is(WriteboostMutant.R13NotMoved);
        if (!moves) _moveKey = ulong.MaxValue;
        if (!moves) _cursor = _batch.BlockCount;
        if (!moves) return true;
        long most = _log.Geometry.SlotCount * _options.AbsentQuota / 100;
        DirtyData dirty = _dirty;
        if (dirty.AbsentBlocks > most)
            return GetStuck($"devices that are not given hold {dirty.AbsentBlocks} dirty blocks, more than the "
                + $"{most} that absent_quota lets them keep while others need room");
        // Moving gives back no more than it takes: whoever waits for a range's room would wait for ever.
        if (_pressure.IsOn && dirty.AbsentRanges is int ranges && ranges >= _ranges.Budget)
            return GetStuck($"devices that are not given hold {ranges} discarded and zeroed ranges, all of the "
                + $"{_ranges.Budget} that the log has room for");
        if (_fruitless > _log.Geometry.SegmentCount && _log.IsStarved)
            return GetStuck("devices that are not given have dirty blocks in every segment, and none is gained by "
                + "moving them");
        return true;
    }

    // Ranges first: a newer block of this batch over one of them comes behind it.
    private bool MoveMore()
    {
        _moveWaits = false;
        _scansLeft = RangeBlocksPerTurn;
        if (!MovePoison()) return false;
        for (int left = MovesPerTurn; left > 0; left--)
        {
            if (_moveKey != ulong.MaxValue)
            {
                if (!MoveRange()) return false;
            }
            else if (_cursor == _batch.BlockCount)
            {
                return EndMove();
            }
            else if (!MoveBlock(_batch.Blocks[_cursor]))
            {
                return false;
            }
            else
            {
                _cursor++;
            }
        }
        return false;
    }

    private bool EndMove()
    {
        Invariant.Check(_poisonNext == _poisonCount);
        if (_hasMoved) _durableBefore = _log.ReservedEnd;
        Invariant.Check(_durableBefore <= _log.ReservedEnd);
        // Where a segment is one record, what moves out of one segment fills another.
        bool gains = _log.Layout.HasManyRecords || !_hasMoved || _batch.Count > 1;
        _fruitless = gains ? 0 : _fruitless + 1;
        _cursor = 0;
        _phase = Phase.Flush;
        return true;
    }

    private long BatchEnd => _log.Geometry.Position(_batch.First + _batch.Count, 0);

    private bool MoveBlock(in DirtyBlock block)
    {
        if (!_devices.IsAbsent(block.Key) || _ranges.PositionOver(block.Key) >= BatchEnd) return true;
        byte sectors = (byte)(block.Sectors & ~_index.SectorsFrom(block.Key, BatchEnd));
        return sectors == 0 || TryMove(block.Key, sectors, _batch.Data(block.BatchSlot));
    }

    // A part of a range that still counts, up to the next block with something newer.
    private bool MoveRange()
    {
        long first = _log.Geometry.Position(_batch.First, 0);
        if (!_ranges.TryFind(_moveKey, first, BatchEnd, out RangeMap.Interval range))
        {
            _moveKey = ulong.MaxValue;
            return true;
        }
        (ulong start, long position) = (range.Start, range.Position);
        if (!_devices.IsAbsent(start))
        {
            _moveKey = range.End;
            return true;
        }
        ulong most = Math.Min(range.End, start + (ulong)LogEntry.MaxRangeBlocks);
        ulong at = ScanRun(Math.Max(start, _scannedKey), most, position, out bool isWhole);
        if (!isWhole) return false;
        if (at == start) return MoveEdge(start, position);
        if (!TryMoveRange(start, (uint)(at - start), range.KeepsSpace)) return false;
        _moveKey = at;
        return true;
    }

    // The end of the run without anything newer, as far as one turn goes: a range as long as the device shall neither
    // become thousands nor hold up this thread. Goes on where the last turn has stopped.
    private ulong ScanRun(ulong from, ulong most, long position, out bool isWhole)
    {
        ulong at = from;
        for (; at < most && _scansLeft > 0 && _index.SectorsFrom(at, position) == 0; at++) _scansLeft--;
        _scannedKey = at;
        isWhole = at == most || _scansLeft > 0;
        return at;
    }

    // A block of the range with something newer: the rest of its sectors is zero, as far as the device goes.
    private bool MoveEdge(ulong key, long position)
    {
        long rest = _devices.Of(key).SizeBytes - BackingTable.OffsetOf(key);
        byte there = SectorMask.Of(0, (int)Math.Clamp(rest, 0, Geometry.BlockBytes));
        byte sectors = (byte)(there & ~_index.SectorsFrom(key, position));
        if (sectors != 0 && !TryMove(key, sectors, null)) return false;
        _moveKey = key + 1;
        return true;
    }

    private bool TryMoveRange(ulong key, uint blocks, bool keepsSpace)
    {
        Invariant.Check(blocks > 0);
        Invariant.Check(blocks <= LogEntry.MaxRangeBlocks);
        if (!_ranges.TryTakeBudget(beyond: true))
            return GetStuck("devices that are not given hold more discarded and zeroed ranges than the log can move");
        if (!TryAppend(out LogSlot slot))
        {
            _ranges.ReturnBudget(1);
            return false;
        }
        new Span<byte>(_appender.Data(slot), Geometry.BlockBytes).Clear();
        Publish(slot, LogEntry.ForRange(key, blocks, keepsSpace ? EntryKind.Zeroes : EntryKind.Discard));
        return true;
    }

    private bool TryMove(ulong key, byte sectors, byte* data)
    {
        if (!TryAppend(out LogSlot slot)) return false;
        byte* target = _appender.Data(slot);
        if (data == null) new Span<byte>(target, Geometry.BlockBytes).Clear();
        else Buffer.MemoryCopy(data, target, Geometry.BlockBytes, Geometry.BlockBytes);
        Publish(slot, LogEntry.ForData(key, sectors, BlockSum.Compute(target)));
        return true;
    }

    // One slot, which the caller publishes at once.
    private bool TryAppend(out LogSlot slot)
    {
        if (_appender.TryTakeUrgent(out slot)) return true;
        _moveWaits = true;
        return IsFull && GetStuck("no room is left to move what the log holds for devices that are not given");
    }

    // Only of a cache that was full when its layout's own program let it go, or of a layout without a reserve.
    private bool IsFull => _log.FreeSegments == 0 && _log.TailSegment >= _log.DirtySegment;

    private void Publish(in LogSlot slot, in LogEntry entry)
    {
        _appender.Publish(slot, entry);
        _ = _versions.Enter(entry, slot.Position);
        _appender.Count(slot);
        _hasMoved = true;
    }
}
