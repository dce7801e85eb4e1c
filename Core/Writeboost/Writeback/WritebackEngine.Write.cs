using System;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Writeback;

/// <content>Range by range, block by block to the backing device: neighbours in one write.</content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Bytes of one write: large enough that a disk streams.</summary>
    private const long MaxWriteBytes = 1 << 20;

    /// <summary>
    /// Bytes of one zeroing: where they are written one by one, a stop waits for less than a second for each.
    /// </summary>
    private const long MaxRangeBytes = 16 << 20;

    private readonly BufferPool _scratch = new(CleaningGovernor.MostWrites, WriteCoalescer.BufferBytes);
    private readonly bool[] _flushed = new bool[BackingTable.MaxId + 1];
    private int _cursor;
    private readonly DeviceFlusher _flusher;
    private long _failuresBefore;

    // A list has been worked through, and nothing of it is under way.
    private bool EndList(Phase next)
    {
        if (_cursor < ListLength()) return false;
        Invariant.Check(_cursor == ListLength());
        Invariant.Check(_outstanding == 0);
        _cursor = 0;
        _phase = next;
        return true;
    }

    private ulong KeyAtCursor =>
        _phase == Phase.Zero ? _batch.Ranges[_cursor].Key : _batch.Blocks[_cursor].Key;

    private int ListLength() => _phase == Phase.Zero ? _batch.RangeCount : _batch.BlockCount;

    private void SubmitMore(long nowUs)
    {
        bool more = _cursor < ListLength();
        BackingDevice? device = more ? _devices.Find(BackingTable.IdOf(KeyAtCursor)) : null;
        int window = _governor.Window(nowUs, device?.ThresholdOr(_options.WritebackThreshold));
        if (IsKeepDue(nowUs)) return;
        window = WindowToKeep(window);
        while (_cursor < ListLength() && _outstanding < window && _error == 0 && !_isCalledOff && _io.FreeCount > 0)
        {
            if (_phase == Phase.Zero && _cursor == _batch.HoleCount && _outstanding > 0) return;
            if (_phase == Phase.Zero) SubmitRange(ref _batch.Ranges[_cursor]);
            else if (_phase == Phase.Fill) SubmitFill(_cursor++);
            else SubmitBlocks();
        }
    }

    // A piece of it; the last one goes on to the next range.
    private void SubmitRange(ref DirtyRange range)
    {
        bool isLast = range.Blocks <= MaxRangeBytes >> Geometry.BlockShift || _devices.IsAbsent(range.Key);
        if (isLast) _cursor++;
        if (_devices.IsAbsent(range.Key)) return;
        IoOp* op = Acquire(range.Kind == EntryKind.Discard ? IoKind.Discard : IoKind.WriteZeroes);
        op->Step = RangeStep;
        op->Own<WritebackOp>().Work = isLast ? 1 : 0;
        op->IsPressing = _log.IsStarved || _throttle.IsHolding;
        op->OffsetBytes = BackingTable.OffsetOf(range.Key);
        long rest = _devices.Of(range.Key).SizeBytes - op->OffsetBytes;
        op->LengthBytes = isLast ? Math.Min(range.Blocks << Geometry.BlockShift, rest) : MaxRangeBytes;
        Submit(op, BackingTable.IdOf(range.Key));
        if (isLast) return;
        range.Key += MaxRangeBytes >> Geometry.BlockShift;
        range.Blocks -= MaxRangeBytes >> Geometry.BlockShift;
    }

    // A device with 4 KiB sectors takes whole blocks only: fetch what the log does not have (R14).
    private void SubmitFill(int index)
    {
        ulong key = _batch.Blocks[index].Key;
        bool whole = _batch.Blocks[index].Sectors == SectorMask.Full || _devices.IsAbsent(key);
        if (whole || _devices.Of(key).Device.LogicalBlockBytes <= Geometry.SectorBytes) return;
        int buffer = _scratch.Take();
        IoOp* op = Acquire(IoKind.Read);
        op->Step = FillStep;
        op->OffsetBytes = BackingTable.OffsetOf(key);
        op->LengthBytes = Geometry.BlockBytes;
        op->Buffer = _scratch.At(buffer);
        op->Own<WritebackOp>() = new WritebackOp { Buffer = buffer, Index = index };
        Submit(op, BackingTable.IdOf(key));
    }

    private void EndFill(IoOp* op)
    {
        ref DirtyBlock block = ref _batch.Blocks[op->Own<WritebackOp>().Index];
        Invariant.Check(block.Sectors != SectorMask.Full);
        if (!Mutant.Is(WriteboostMutant.R14FillLost))
            SectorMask.Copy(_batch.Data(block.BatchSlot), (byte*)op->Buffer, (byte)~block.Sectors);
        block.Sectors = SectorMask.Full;
    }

    private void SubmitBlocks()
    {
        if (_cursor == 0) _hole = default;
        while (_cursor < _batch.BlockCount && NeedsNoWrite(_batch.Blocks[_cursor])) _cursor++;
        if (_cursor == _batch.BlockCount) return;
        int buffer = _scratch.Take();
        WriteCoalescer bytes = new(_scratch.At(buffer));
        long start = -1, end = -1;
        int first = _cursor;
        ulong key = _batch.Blocks[_cursor].Key;
        while (IsOnDeviceOf(key) && TryAppendBlock(ref bytes, ref start, ref end)) _cursor++;
        // Each write leaves less to be written.
        Invariant.Check(_cursor > first || _batch.Blocks[first].Sectors != 0);
        Invariant.Check(end > start);
        Invariant.Check(bytes.Length == end - start);
        IoOp* op = Acquire(IoKind.Write);
        op->Step = BlocksStep;
        op->OffsetBytes = start;
        op->LengthBytes = end - start;
        op->Buffer = bytes.Start;
        op->Own<WritebackOp>() = new WritebackOp { Buffer = buffer, Work = _cursor - first };
        Submit(op, BackingTable.IdOf(key));
    }

    private bool NeedsNoWrite(in DirtyBlock block) => _devices.IsAbsent(block.Key) || IsHoleAlready(block);

    // A block joins the write if its first sector follows the write's last one; a block with a gap inside goes alone,
    // run by run.
    private bool TryAppendBlock(ref WriteCoalescer bytes, ref long start, ref long end)
    {
        ref DirtyBlock block = ref _batch.Blocks[_cursor];
        // Of the first it is known: asked again, the device might say something else.
        if (start >= 0 && IsHoleAlready(block)) return false;
        byte sectors = block.Sectors;
        SectorMask.TakeRun(ref sectors, out int within, out int length);
        long offset = BackingTable.OffsetOf(block.Key) + within;
        bool joins = start < 0 || (offset == end && end - start < MostWriteBytes);
        if (!joins || !bytes.TryAdd(_batch.Data(block.BatchSlot) + within, length)) return false;
        if (start < 0) start = offset;
        end = offset + length;
        block.Sectors = sectors;
        // More runs behind a gap: this write ends here, the block stays first for the next one.
        return sectors == 0;
    }

    private bool IsOnDeviceOf(ulong key) =>
        _cursor < _batch.BlockCount && BackingTable.IdOf(_batch.Blocks[_cursor].Key) == BackingTable.IdOf(key);

    // Nobody else's flush is under way beside these, and none has failed since the batch was read (R8).
    private bool FlushMore()
    {
        // A flush covers what the device has answered.
        Invariant.Check(_outstanding == 0);
        bool skips = Mutant.Is(WriteboostMutant.R8NoBackingFlush)
            || (_keeping && Mutant.Is(WriteboostMutant.R8KeptUnflushed));
        if (skips) return StartAwaitDurable();
        if (!_flusher.HasLock)
        {
            if (!_flusher.TryTake()) return false;
            Array.Clear(_flushed);
            for (int i = 0; i < _batch.BlockCount; i++) FlushDeviceOf(_batch.Blocks[i].Key);
            for (int i = 0; i < _batch.RangeCount; i++) FlushDeviceOf(_batch.Ranges[i].Key);
            return !_flusher.IsUnderWay;
        }
        _flusher.GiveBack();
        bool hasNoneFailed =
            _flusher.FailuresOfAll == _failuresBefore || Mutant.Is(WriteboostMutant.R8OthersFailureIgnored);
        if (hasNoneFailed) return StartAwaitDurable();
        _error = -Errno.EIO;
        return true;
    }

    private void FailFlush(int id, int error)
    {
        (_error, _errorOf) = (error, id);
        _aroundLosses.ReportFlush(id, -error);
    }

    private void FlushDeviceOf(ulong key)
    {
        int id = BackingTable.IdOf(key);
        if (_flushed[id] || _devices.IsAbsent(key) || !_devices.Of(key).Device.CanFlush) return;
        _flushed[id] = true;
        _flusher.Flush(id, _backings[id]);
    }

    private bool StartAwaitDurable()
    {
        Invariant.Check(!_flusher.HasLock);
        _phase = Phase.AwaitDurable;
        if (_keeping && Mutant.Is(WriteboostMutant.R8KeptUndurable)) return StartMark();
        if (_log.Durable < _durableBefore) _log.RequestDurable(_port, _durableBefore);
        return true;
    }
}
