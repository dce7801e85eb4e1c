using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Migration;

// The copy of one block: from home, piece by piece, to its place, until requests find it there.
internal sealed unsafe partial class Promoter
{
    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int index = op->Own<PromotionOp>().Slot;
        (int result, long length) = (op->Result, op->LengthBytes);
        bool wasRead = op->Kind == IoKind.Read;
        _queues.Io.Release(op);
        if (!wasRead) _parts.Devices.Cache.NoteWrite();
        if (wasRead && result < 0) _parts.Failed.Add(_slots[index].Promotion.Home, _queues.Io.NowUs);
        if (_slots[index].Reader != null) Answer(index, result);
        if (result < 0) GiveUp(index);
        else if (wasRead) Submit(index, IoKind.Write, length);
        else GoOn(index, length);
    }

    private void Start(int index, long nowUs)
    {
        _rate.Take(nowUs, _parts.Geometry.BlockBytes, _parts.Options.MigrationRate);
        Slot* slot = &_slots[index];
        slot->IsZeroed = slot->Reader == null && _parts.Discards.IsDiscarded(slot->Promotion.Home);
        if (slot->IsZeroed) _parts.Moves.Count(MoveEvent.CopyAvoided);
        Continue(index);
    }

    private void Answer(int index, int result)
    {
        Request* reader = _slots[index].Reader;
        _slots[index].Reader = null;
        _reader!.BlockRead(reader, _buffers.At(index), result);
    }

    private void GoOn(int index, long length)
    {
        _slots[index].DoneBytes += length;
        if (_slots[index].DoneBytes < _parts.Geometry.BlockBytes) Continue(index);
        else LockAlone(index);
    }

    private void Continue(int index)
    {
        Slot* slot = &_slots[index];
        long left = _parts.Geometry.BlockBytes - slot->DoneBytes;
        if (!slot->IsZeroed) Submit(index, IoKind.Read, Math.Min(left, _pieceBytes));
        else if (Mutant.Is(DmCacheMutant.B10PlaceNotZeroed)) GoOn(index, left);
        else Submit(index, IoKind.WriteZeroes, left);
    }

    private void Submit(int index, IoKind kind, long length)
    {
        Slot* slot = &_slots[index];
        slot->Step = kind == IoKind.Read ? Step.Reading : Step.Writing;
        IoOp* op = _queues.Io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        long start = kind == IoKind.Read
            ? Map.Geometry.HomeOffset(slot->Promotion.Home) : Map.Geometry.PlaceOffset(slot->Place);
        op->OffsetBytes = start + slot->DoneBytes;
        op->LengthBytes = length;
        op->Buffer = _buffers.At(index);
        op->Own<PromotionOp>().Slot = index;
        (kind == IoKind.Read ? _queues.Backing : _queues.Cache).Submit(op);
    }

    // All bytes are there. Readers end; nobody has written since the copy began, because of the lock.
    private void LockAlone(int index)
    {
        Slot* slot = &_slots[index];
        slot->Step = Step.Locking;
        switch (Map.Locks.Promote(&slot->Lock, _grants))
        {
            case Promotion.Done: Publish(index); break;
            case Promotion.Refused: GiveUp(index); break;
        }
    }

    private void Publish(int index)
    {
        Slot* slot = &_slots[index];
        WantedBlock promotion = slot->Promotion;
        // A mode without a cache may have come, or the last commit gone.
        if (_parts.Residency.Changes.Failure != null || Map.Find(promotion.Home) >= 0)
        {
            GiveUp(index);
            return;
        }
        _parts.Residency.Enter(slot->Place, promotion.Home, PlaceState.None, promotion.Access, isUrgent: false);
        _parts.Moves.Count(MoveEvent.Promoted);
        End(index);
    }

    private void GiveUp(int index)
    {
        _parts.Moves.Count(MoveEvent.LeftFailed);
        Map.Free.Return(_slots[index].Place);
        End(index);
    }

    private void End(int index)
    {
        Map.Locks.Release(&_slots[index].Lock);
        _slots[index].Step = Step.Free;
        _underWay--;
    }
}
