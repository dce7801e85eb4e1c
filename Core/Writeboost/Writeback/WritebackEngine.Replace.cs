using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// Giving up in layouts without an entry for it (R11): what the backing device holds there is read, and logged as a new
/// version of the lost sectors, newer than the lost one for every reader of the log.
/// </content>
/// <remarks>
/// Clients write meanwhile, and a slot that one has taken before ours may come to the index after it. So ours is taken
/// first; then nobody may be at work on the block, for a moment; then the index has all that is older than ours and
/// newer than what is lost, and ours takes only what is left (R2).
/// </remarks>
internal sealed unsafe partial class WritebackEngine
{
    private readonly AlignedMemory _below = new(Geometry.BlockBytes);
    private bool _readsBelow;
    private bool _hasBelow;
    private int _belowResult;
    private Given _given;
    private GiveUpOrder? _belowOrder;
    private int _belowNext;
    private long _forgottenEnd;
    private long _forgetSetbacks;

    // True: the version is done with.
    private bool TryReplace(GiveUpOrder order, in LostVersion lost)
    {
        byte sectors = (byte)(lost.Sectors & ~_index.SectorsFrom(lost.Key, lost.Position + 1));
        if (sectors == 0) return true;
        if (_given.IsTaken || _readsBelow) return false;
        bool isRead = _hasBelow && _belowOrder == order && _belowNext == order.Next;
        if (!isRead) return ReadBelow(order, lost.Key);
        if (_belowResult < 0) return Refuse(order, lost.Key, Errno.Text(_belowResult));
        if (!_appender.TryTakeUrgent(out LogSlot slot)) return IsFull && TryForget(order);
        _hasBelow = false;
        _given = new Given { Lost = lost, Order = order, Slot = slot };
        PublishGiven();
        return !_given.IsTaken;
    }

    private bool ReadBelow(GiveUpOrder order, ulong key)
    {
        if (_devices.IsAbsent(key)) return Refuse(order, key, "the device is not given: attach it first");
        (_readsBelow, _hasBelow, _belowOrder, _belowNext) = (true, false, order, order.Next);
        new Span<byte>(_below.Pointer, Geometry.BlockBytes).Clear();
        IoOp* op = Acquire(IoKind.Read);
        op->Step = BelowStep;
        op->OffsetBytes = BackingTable.OffsetOf(key);
        op->LengthBytes = Math.Min(Geometry.BlockBytes, _devices.Of(key).SizeBytes - op->OffsetBytes);
        op->Buffer = _below.Pointer;
        op->Own<WritebackOp>().Device = BackingTable.IdOf(key);
        _backings[op->Own<WritebackOp>().Device].Submit(op);
        return false;
    }

    private void EndBelow(IoOp* op)
    {
        Invariant.Check(_readsBelow);
        if (op->Result < 0 && ++op->Attempts < LogPort.MaxAttempts)
        {
            _backings[op->Own<WritebackOp>().Device].Submit(op);
            return;
        }
        (_readsBelow, _hasBelow, _belowResult) = (false, true, op->Result);
        _io.Release(op);
    }

    private bool Refuse(GiveUpOrder order, ulong key, string why)
    {
        string name = _devices.Find(BackingTable.IdOf(key))?.Name ?? "?";
        string place = $"{name}:{BackingTable.OffsetOf(key)}+{Geometry.BlockBytes}";
        string what = $"give_up: reading {place} from the backing device failed: {why}; it stays lost";
        if (order.GivenUp > 0) what += $"; {LostRange.Count(order.GivenUp)} before it were given up";
        _giveUps.End(order, new UserErrorException(what));
        return false;
    }

    private void PublishGiven()
    {
        LostVersion lost = _given.Lost;
        Invariant.Check(_given.Slot.Position > lost.Position);
        bool isOthersTurn = _changes.SampleGranule(lost.Key) == StripedVersions.Busy;
        if (isOthersTurn && !Mutant.Is(WriteboostMutant.R2GivenUpOverNewer)) return;
        uint physical = _log.Geometry.PhysicalSlot(lost.Position);
        bool isLost = _index.TryGetLost(physical, out ulong key, out byte left) && key == lost.Key
            && _log.Table.PositionOf(physical) == lost.Position;
        left &= (byte)(lost.Sectors & ~_index.SectorsFrom(lost.Key, lost.Position + 1));
        bool counts = isLost && left != 0;
        byte* target = _appender.Data(_given.Slot);
        Buffer.MemoryCopy(_below.Pointer, target, Geometry.BlockBytes, Geometry.BlockBytes);
        LogEntry entry = counts ? LogEntry.ForData(lost.Key, left, BlockSum.Compute(target)) : default;
        Publish(_given.Slot, entry);
        _givenUpEnd = _log.ReservedEnd;
        if (counts) _given.Order.GivenUp++;
        if (counts) _giveUps.NoteGivenUp(lost);
        _given = default;
    }

    // No slot is to be had: the log is full, and write-back holds at a segment with something lost. Forgotten where it
    // is, that needs no entry, as long as the mark passes it before the order ends.
    private bool TryForget(GiveUpOrder order)
    {
        if (!_holdsForLost) return false;
        List<LostVersion> lost = _lost.FindIn(_log.DirtySegment);
        if (lost.Count == 0)
        {
            _ = IsForgotten(order);
            return false;
        }
        foreach (LostVersion version in lost)
        {
            if (Names(order, version)) continue;
            _giveUps.End(order, new UserErrorException("give_up: the log is full: what is lost in segment "
                + $"{_log.DirtySegment} can only be given up at once: {_lost.Describe(lost)}"));
            return false;
        }
        foreach (LostVersion version in lost)
        {
            uint slot = _log.Geometry.PhysicalSlot(version.Position);
            if (_index.GiveUp(version.Key, slot, version.Position, version.Sectors) == 0) continue;
            order.GivenUp++;
            _giveUps.NoteGivenUp(version);
        }
        _forgottenEnd = _log.Geometry.Position(_log.DirtySegment + 1, 0);
        LookAgain(_io.NowUs);
        _forgetSetbacks = _progress.Setbacks;
        return false;
    }

    private static bool Names(GiveUpOrder order, in LostVersion lost)
    {
        foreach (LostVersion version in order.Versions)
            if (version.Position == lost.Position && (lost.Sectors & ~version.Sectors) == 0) return true;
        return false;
    }

    // Until then the log would show it again after a crash.
    private bool IsForgotten(GiveUpOrder order)
    {
        if (_drains.IsWrittenBack(_forgottenEnd)) return true;
        if (_progress.Setbacks == _forgetSetbacks) return false;
        _forgetSetbacks = _progress.Setbacks;
        _giveUps.End(order, new UserErrorException($"give_up: given up until the next start only: "
            + $"write-back does not pass what was lost: {_progress.LastSetback}"));
        return false;
    }

    private struct Given
    {
        public LostVersion Lost;
        public GiveUpOrder Order;
        public LogSlot Slot;

        // Slot 0 is a header's.
        public readonly bool IsTaken => Slot.Index != 0;
    }
}
