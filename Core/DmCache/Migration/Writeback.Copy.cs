using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Migration;

// The bytes of a run, piece by piece, and what a flush makes of it.
internal sealed unsafe partial class Writeback
{
    private byte* BufferOf(int index) => _buffers.At(index);

    private void Start(int index)
    {
        _underWay++;
        Read(index);
    }

    // Bytes of a piece: the whole run; of a block that is larger than the buffer, a part. One in doubt shares its
    // buffer with what home has.
    private long PieceBytes(Slot* slot)
    {
        long left = (slot->Count * _parts.Geometry.BlockBytes) - slot->DoneBytes;
        return Math.Min(left, slot->IsDoubtful ? BufferBytes / 2 : BufferBytes);
    }

    private void Read(int index)
    {
        Slot* slot = &_slots[index];
        slot->Step = Step.Reading;
        long length = slot->Count == 1 ? PieceBytes(slot) : _parts.Geometry.BlockBytes;
        // Counted before any is submitted.
        slot->Left = slot->Count;
        for (int i = 0; i < slot->Count; i++)
        {
            long offset = Map.Geometry.PlaceOffset(slot->Places[i]) + slot->DoneBytes;
            Submit(index, _queues.Cache, IoKind.Read, offset, BufferOf(index) + (i * length), length, slot->Places[i]);
        }
    }

    private void Compare(int index)
    {
        Slot* slot = &_slots[index];
        slot->Step = Step.Comparing;
        slot->Left = 1;
        Submit(index, _queues.Backing, IoKind.Read, HomeOffset(slot), BufferOf(index) + (BufferBytes / 2),
            PieceBytes(slot));
    }

    private void Write(int index)
    {
        Slot* slot = &_slots[index];
        slot->Step = Step.Writing;
        slot->Left = 1;
        Submit(index, _queues.Backing, IoKind.Write, HomeOffset(slot), BufferOf(index), PieceBytes(slot));
    }

    private long HomeOffset(Slot* slot) => Map.Geometry.HomeOffset(slot->Lock.FirstBlock) + slot->DoneBytes;

    private void Submit(
        int index, DeviceQueue device, IoKind kind, long offset, byte* buffer, long length, uint place = 0)
    {
        IoOp* op = _queues.Io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = offset;
        op->LengthBytes = length;
        op->Buffer = buffer;
        op->Own<WritebackOp>() = new WritebackOp { Slot = index, Place = place };
        device.Submit(op);
    }

    // All operations of a step have ended.
    private void Next(int index)
    {
        Slot* slot = &_slots[index];
        if (slot->Result < 0) Refuse(index);
        else if (slot->Step == Step.Reading && slot->IsDoubtful) Compare(index);
        else if (slot->Step == Step.Comparing && IsEqual(index)) Advance(index);
        else if (slot->Step == Step.Writing) Advance(index);
        else Write(index);
    }

    private bool IsEqual(int index)
    {
        int length = (int)PieceBytes(&_slots[index]);
        byte* cached = BufferOf(index);
        return new ReadOnlySpan<byte>(cached, length)
            .SequenceEqual(new ReadOnlySpan<byte>(cached + (BufferBytes / 2), length));
    }

    private void Advance(int index)
    {
        Slot* slot = &_slots[index];
        if (slot->Step == Step.Writing) slot->HasWritten = true;
        slot->DoneBytes += PieceBytes(slot);
        if (slot->DoneBytes < slot->Count * _parts.Geometry.BlockBytes)
        {
            Read(index);
            return;
        }
        slot->Step = Step.Written;
        _written++;
        if (!Mutant.Is(DmCacheMutant.B4HomeUnflushed)) return;
        for (int i = 0; i < slot->Count; i++) Map.Table.TryClean(slot->Places[i]);
    }

    // It stays dirty, and is tried again after a while; whichever device it was. What cannot be read holds up nobody.
    private void Refuse(int index)
    {
        Slot* slot = &_slots[index];
        DataDevice device = slot->FailedDevice == 0 ? _parts.Devices.Cache : _parts.Devices.Backing;
        string what = slot->FailedDevice == 0 ? "read" : "written";
        _parts.Health.Hold(Trouble.Writeback, $"{device.Name}: block {slot->Lock.FirstBlock} cannot be {what} for "
            + $"write-back: {Errno.Text(slot->Result)}{VolumeHealth.TriedAgain}");
        (slot->FailedDevice == 0 ? _unreadablePause : _pause).Begin(_queues.Io.NowUs);
        Unmark(slot);
        End(slot);
    }

    private void End(Slot* slot)
    {
        Map.Locks.Release(&slot->Lock);
        slot->Step = Step.Free;
        _underWay--;
    }

    private void TryFlush()
    {
        if (_isFlushing || !_flusher.TryTake()) return;
        _isFlushing = true;
        _flushResult = 0;
        for (int i = 0; i < MaxSlots; i++)
            if (_slots[i].Step == Step.Written) _slots[i].IsFlushing = true;
        if (_parts.Devices.FlushError < 0) _flushResult = _parts.Devices.FlushError;
        if (_flushResult == 0 && _parts.Devices.Backing.TakeUnflushed()) _flusher.Flush(0, _queues.Backing);
        else FlushEnded();
    }

    private void FlushFailed(int device, int error)
    {
        _flushResult = error;
        _parts.Devices.FailFlush(_parts.Devices.Backing, error);
    }

    private void FlushEnded()
    {
        _isFlushing = false;
        for (int i = 0; i < MaxSlots; i++)
            if (_slots[i].IsFlushing) Settle(&_slots[i]);
        _flusher.GiveBack();
        if (_flushResult < 0) return;
        _pause.End();
        if (Map.Unreadable.Count > 0) return;
        _unreadablePause.End();
        _parts.Health.Pass(Trouble.Writeback);
    }

    private void Settle(Slot* slot)
    {
        slot->IsFlushing = false;
        _written--;
        if (_flushResult < 0) Unmark(slot);
        else Clean(slot);
        End(slot);
    }

    private void Clean(Slot* slot)
    {
        _parts.Residency.Policy.Enter();
        for (int i = 0; i < slot->Count; i++)
        {
            if (!Map.Table.TryClean(slot->Places[i])) continue;
            Map.Unreadable.Remove(slot->Places[i]);
            _parts.Residency.Policy.Host.SetDirty(slot->Places[i], isDirty: false);
            if (slot->HasWritten) _parts.Moves.Count(MoveEvent.WrittenBack);
            else _parts.Moves.Count(MoveEvent.WasEqual);
        }
        _parts.Residency.Policy.Exit();
        if (Map.Table.DirtyCount == 0) _parts.Queues.WakeAll();
    }
}
