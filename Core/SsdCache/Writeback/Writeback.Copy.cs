using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Writeback;

// The bytes of a batch, run by run, and what a flush makes of them.
internal sealed unsafe partial class Writeback
{
    // Bytes lie in memory as on the devices: sectors of 4 KiB want that.
    private byte* BufferOf(int run) => _buffers.Pointer + ((long)run * (BufferBytes + SsdGeometry.UnitBytes))
        + (_segments[_runs[run].First].HomeOffset % SsdGeometry.UnitBytes);

    private void BeginRuns(long nowUs)
    {
        int window = Math.Min(_governor.Window(nowUs), MaxRuns);
        while (_runsUnderWay < window && _nextSegment < _segmentCount) BeginRun();
        _governor.NoteBusy(nowUs, _runsUnderWay > 0);
        _nextUs = _governor.ResumeUs;
    }

    // Segments that follow each other at home, in a buffer together.
    private void BeginRun()
    {
        int index = 0;
        while (_runs[index].IsUsed) index++;
        ref Run run = ref _runs[index];
        run = new Run { First = _nextSegment, IsUsed = true };
        do run.LengthBytes += _segments[run.First + run.Count++].LengthBytes;
        while (MayFollow(run));
        _nextSegment += run.Count;
        _runsUnderWay++;
        // Counted before any is submitted.
        run.Left = run.Count;
        int at = 0;
        for (int i = run.First; i < run.First + run.Count; i++)
        {
            Submit(index, i, _queues.Cache, IoKind.Read, _segments[i].CacheOffset, BufferOf(index) + at,
                _segments[i].LengthBytes);
            at += _segments[i].LengthBytes;
        }
    }

    private bool MayFollow(in Run run)
    {
        int next = run.First + run.Count;
        if (next == _segmentCount || run.Count == MaxRunSegments) return false;
        return _segments[next].HomeOffset == _segments[run.First].HomeOffset + run.LengthBytes
            && run.LengthBytes + _segments[next].LengthBytes <= BufferBytes;
    }

    private void Submit(
        int run, int segment, DeviceQueue device, IoKind kind, long offset, byte* buffer, long length)
    {
        IoOp* op = _queues.Io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = offset;
        op->LengthBytes = length;
        op->Buffer = buffer;
        op->Own<RunOp>() = new RunOp { Run = run, Segment = segment };
        device.Submit(op);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        (int index, int result, bool isRead) = (op->Own<RunOp>().Run, op->Result, op->Kind == IoKind.Read);
        _queues.Io.Release(op);
        ref Run run = ref _runs[index];
        if (!isRead) _parts.Devices.Backing.NoteWrite();
        if (result < 0 && !run.HasFailed) FailRun(ref run, isRead, result);
        if (--run.Left > 0) return;
        if (isRead && !run.HasFailed) WriteRun(index);
        else EndRun(ref run);
    }

    private void WriteRun(int index)
    {
        ref Run run = ref _runs[index];
        run.Left = 1;
        Submit(index, run.First, _queues.Backing, IoKind.Write, _segments[run.First].HomeOffset, BufferOf(index),
            run.LengthBytes);
    }

    private void EndRun(ref Run run)
    {
        if (!run.HasFailed) _parts.Counters.CountWrite(run.LengthBytes);
        run.IsUsed = false;
        _runsUnderWay--;
    }

    // Its blocks stay dirty, and are tried again after a while.
    private void FailRun(ref Run run, bool isRead, int error)
    {
        run.HasFailed = true;
        for (int i = run.First; i < run.First + run.Count; i++) _blocks[_segments[i].Block].HasFailed = true;
        DataDevice device = isRead ? _parts.Devices.Cache : _parts.Devices.Backing;
        _parts.Health.Hold(Trouble.Writeback, $"{device.Name}: block {_blocks[_segments[run.First].Block].Number} "
            + $"cannot be {(isRead ? "read" : "written")} for write-back: {Errno.Text(error)}"
            + VolumeHealth.TriedAgain);
        _pause.Begin(_queues.Io.NowUs);
    }

    private void TryFlush()
    {
        if (!_flusher.TryTake()) return;
        _isFlushing = true;
        _flushError = _parts.Devices.FlushError;
        bool mustFlush = _flushError == 0 && _parts.Devices.Backing.TakeUnflushed();
        if (mustFlush && !Mutant.Is(SsdCacheMutant.B4HomeUnflushed)) _flusher.Flush(1, _queues.Backing);
        else Settle();
    }

    private void FlushFailed(int device, int error)
    {
        _flushError = error;
        _parts.Devices.FailFlush(_parts.Devices.Backing, error);
    }

    // What is clean now the device still names dirty: its ways are free for others after the next commit (B3).
    private void Settle()
    {
        bool anyFailed = false;
        for (int i = 0; i < _blockCount; i++) SettleOne(&_blocks[i], ref anyFailed);
        _blockCount = 0;
        _isFlushing = false;
        _parts.Drains.EndHurry();
        _flusher.GiveBack();
        if (_flushError == 0) _parts.Tickets.AskFlush();
        if (!anyFailed && _flushError == 0)
        {
            _pause.End();
            _parts.Health.Pass(Trouble.Writeback);
        }
        // Who wants to write such a block at home has waited, and who wants nothing dirty looks.
        _parts.Queues.WakeAll();
    }

    private void SettleOne(Block* block, ref bool anyFailed)
    {
        anyFailed |= block->HasFailed;
        int page = _parts.Geometry.PageOf(block->Slot / SsdGeometry.Ways);
        if (block->HasFailed || _flushError < 0)
        {
            _parts.Table.CancelClean(block->Slot);
            return;
        }
        bool isClean = _parts.Table.EndClean(block->Slot, block->Units);
        _parts.Counters.CountBlock(isClean);
        if (isClean) _parts.Pages.NoteChange(page, _parts.Pages.TouchedAt(page));
    }
}
