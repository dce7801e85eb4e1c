using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// The cache device has failed. When RAM still holds everything that the backing devices lack, it is written there, in
/// log order, flushed, and a durable note is left with each backing device: the log on the cache device is older from
/// now on and must never be replayed (R11). Then the volume is pass-through. One operation at a time, on the first
/// queue's thread; nothing is hurried, and nobody else changes anything meanwhile.
/// </summary>
internal sealed unsafe class Rescue : IIoHandler, IBackgroundTask, IDisposable
{
    private struct RescueOp
    {
        // The backing device's number.
        public int Device;
    }

    private readonly RescueParts _parts;
    private readonly SegmentLog _log;
    private readonly BlockIndex _index;
    private readonly RangeMap _ranges;
    private readonly BackingTable _devices;
    private readonly LogPort _port;
    private readonly BackingQueues _backings;
    private readonly ushort _handler;
    private readonly DeviceFlusher _flusher;
    private readonly Func<bool> _isLeft;
    private readonly List<BackingDevice> _touched = [];
    private readonly AlignedMemory _scratch = new(Geometry.BlockBytes);
    private Step _step;
    private bool _busy;
    private int _cursor;
    private long _position;
    private byte _sectors;
    private bool _filled;
    private int _attempts;
    private bool _waits;
    private int _flushError;
    private long _failuresBefore;

    /// <summary>Of the volume; <paramref name="isLeft"/>: nobody uses the cache device any more.</summary>
    public Rescue(RescueParts parts, LogPort port, BackingQueues backings, Func<bool> isLeft)
    {
        _isLeft = isLeft;
        _parts = parts;
        (_log, _index, _ranges, _devices) = (parts.Log, parts.Index, parts.Ranges, parts.Backings);
        _port = port;
        _backings = backings;
        _handler = port.Io.AddHandler(this);
        _flusher = new DeviceFlusher(parts.FlushLock, port.Io) { Failed = FailFlush, Ended = EndFlush };
    }

    private enum Step
    {
        Waiting,
        Ranges,
        Blocks,
        Flush,
        Done,
        GivenUp,
    }

    /// <summary>Nothing more will happen.</summary>
    public bool IsOver => _step >= Step.Done;

    /// <inheritdoc/>
    public bool IsQuiet => !_busy;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_busy || IsOver) return;
        if (_step == Step.Waiting && !Begin()) return;
        while (!_busy && !IsOver && !_waits) Advance();
        _waits = false;
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int result = op->Result;
        if (result < 0 && ++op->Attempts < LogPort.MaxAttempts)
        {
            _backings[op->Own<RescueOp>().Device].Submit(op);
            return;
        }
        _busy = false;
        _port.Io.Release(op);
        if (result < 0) GiveUp($"a backing device failed: {Errno.Text(result)}");
    }

    /// <inheritdoc/>
    public void Dispose() => _scratch.Dispose();

    // The log takes nothing more, and whoever was filling a slot has filled it.
    private bool Begin()
    {
        if (_parts.Options.Fallback == null)
        {
            GiveUp("there is nothing to go on with");
            return false;
        }
        _log.Shut(_port);
        if (!_isLeft() || !_log.IsAllSealed) return false;
        if (_index.RottenCount > 0)
        {
            GiveUp("some blocks are rotten, which only the log says");
            return false;
        }
        if (HasAbsent())
        {
            GiveUp("the cache device alone holds data of a backing device that is not here");
            return false;
        }
        if (!IsAllInRam() && !Mutant.Is(WriteboostMutant.R11DirtyForgotten))
        {
            GiveUp("the cache device alone holds dirty data");
            return false;
        }
        Restart();
        return true;
    }

    private bool IsAllInRam()
    {
        long first = _log.Geometry.Position(_log.DirtySegment, 0);
        long end = _log.Geometry.Position(_log.FirstSegmentInRam, 0);
        for (long position = first; position < end; position++)
            if (_index.TryGetDirty(_log.Geometry.PhysicalSlot(position), out _, out _)) return false;
        for (int i = 0; _ranges.TryGet(i, out RangeMap.Interval range); i++)
            if (range.Position >= first && range.Position < end) return false;
        return true;
    }

    private bool HasAbsent()
    {
        foreach (BackingDevice backing in _devices.ToList())
            if (backing.IsAbsent && _index.DirtyOf(backing.Id) > 0) return true;
        long first = _log.Geometry.Position(_log.DirtySegment, 0);
        for (int i = 0; _ranges.TryGet(i, out RangeMap.Interval range); i++)
            if (range.Position >= first && _devices.IsAbsent(range.Start)) return true;
        return false;
    }

    private void Advance()
    {
        switch (_step)
        {
            case Step.Ranges: ZeroNext(); break;
            case Step.Blocks: WriteNext(); break;
            case Step.Flush: FlushNext(); break;
        }
    }

    private void ZeroNext()
    {
        if (!_ranges.TryGet(_cursor, out RangeMap.Interval range))
        {
            _step = Step.Blocks;
            return;
        }
        _cursor++;
        ulong key = range.Start;
        if (range.Position < _position || _devices.IsAbsent(key)) return;
        IoOp* op = Start(range.KeepsSpace ? IoKind.WriteZeroes : IoKind.Discard, key);
        op->OffsetBytes = BackingTable.OffsetOf(key);
        long lengthBytes = (long)(range.End - key) << Geometry.BlockShift;
        op->LengthBytes = Math.Min(lengthBytes, _devices.Of(key).SizeBytes - op->OffsetBytes);
        Submit(op);
    }

    // Versions in log order, so that the newest is written last; those below a newer range are not.
    private void WriteNext()
    {
        if (_sectors == 0 && !FindNext())
        {
            _step = Step.Flush;
            _cursor = 0;
            return;
        }
        uint slot = _log.Geometry.PhysicalSlot(_position);
        ulong key = _index.KeyOf(slot);
        int ram = _log.Table.RamOf(_log.Geometry.Physical(_log.Geometry.SegmentOf(_position)));
        byte* data = _log.Ram.Data(ram, _log.Geometry.SlotOf(_position));
        if (_devices.Of(key).Device.LogicalBlockBytes > Geometry.SectorBytes && _sectors != SectorMask.Full)
            WriteMerged(key, data);
        else WriteRun(key, data);
        if (_sectors == 0) _position++;
    }

    private bool FindNext()
    {
        for (; _position < _log.Geometry.Position(_log.HeadSegment + 1, 0); _position++)
        {
            uint slot = _log.Geometry.PhysicalSlot(_position);
            if (!_index.TryGetDirty(slot, out ulong key, out _sectors)) continue;
            if (_position < _log.Geometry.Position(_log.FirstSegmentInRam, 0)) continue;
            if (_ranges.PositionOver(key) < _position) return true;
        }
        _sectors = 0;
        return false;
    }

    private void WriteRun(ulong key, byte* data)
    {
        SectorMask.TakeRun(ref _sectors, out int within, out int length);
        IoOp* op = Start(IoKind.Write, key);
        op->OffsetBytes = BackingTable.OffsetOf(key) + within;
        op->LengthBytes = length;
        op->Buffer = data + within;
        Submit(op);
    }

    // A device with 4 KiB sectors: first the read, then the write of the whole block.
    private void WriteMerged(ulong key, byte* data)
    {
        if (_filled) SectorMask.Copy(_scratch.Pointer, data, _sectors);
        IoOp* op = Start(_filled ? IoKind.Write : IoKind.Read, key);
        op->OffsetBytes = BackingTable.OffsetOf(key);
        op->LengthBytes = Geometry.BlockBytes;
        op->Buffer = _scratch.Pointer;
        if (_filled) _sectors = 0;
        _filled = !_filled;
        Submit(op);
    }

    private void FlushNext()
    {
        if (_cursor == _touched.Count)
        {
            Finish();
            return;
        }
        BackingDevice device = _touched[_cursor];
        _waits = device.Device.CanFlush && !_flusher.TryTake();
        if (_waits) return;
        _cursor++;
        if (!device.Device.CanFlush) return;
        (_busy, _flushError) = (true, 0);
        _flusher.Flush(device.Id, _backings[device.Id]);
    }

    private void FailFlush(int id, int error)
    {
        _flushError = error;
        _parts.AroundLosses.ReportFlush(id, -error);
    }

    // What a failed flush may have forgotten is still in RAM, and written again, a bounded number of times.
    private void EndFlush()
    {
        _busy = false;
        _flusher.GiveBack();
        if (_flushError == 0) return;
        if (++_attempts == LogPort.MaxAttempts) GiveUp($"a backing device's flush failed: {Errno.Text(_flushError)}");
        else Restart();
    }

    private void Restart()
    {
        _failuresBefore = _flusher.FailuresOfAll;
        _position = _log.Geometry.Position(_log.DirtySegment, 0);
        _cursor = 0;
        _step = Step.Ranges;
    }

    // No write reaches a backing device beside the log before its note is durable.
    private void Finish()
    {
        if (_flusher.FailuresOfAll != _failuresBefore)
        {
            Restart();
            return;
        }
        if (_parts.Around.HasFailed)
        {
            GiveUp("a backing device has lost writes that went round the log");
            return;
        }
        string? reason = LeaveMarkers();
        if (reason != null)
        {
            GiveUp(reason);
            return;
        }
        _step = Step.Done;
        _parts.Memory.Forget();
        _parts.Health.Worsen(VolumeState.PassThrough, _parts.Health.Reason);
        _parts.Queues.WakeAll();
    }

    private string? LeaveMarkers()
    {
        if (Mutant.Is(WriteboostMutant.R11NoNote)) return null;
        foreach (BackingDevice backing in _devices.ToList())
        {
            if (backing.IsAbsent) continue;
            string? reason = _parts.Marker.Leave(backing.Device, _parts.Superblock.Now.Epoch);
            if (reason != null) return reason;
        }
        return null;
    }

    private void GiveUp(string reason)
    {
        _step = Step.GivenUp;
        _parts.Options.Log($"not going on without the cache: {reason}; 'weir message dirty_ranges' lists what it "
            + "alone holds");
    }

    private IoOp* Start(IoKind kind, ulong key)
    {
        IoOp* op = _port.Io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        op->Own<RescueOp>().Device = BackingTable.IdOf(key);
        BackingDevice device = _devices.Of(key);
        if (!_touched.Contains(device)) _touched.Add(device);
        return op;
    }

    private void Submit(IoOp* op)
    {
        _busy = true;
        _backings[op->Own<RescueOp>().Device].Submit(op);
    }
}
