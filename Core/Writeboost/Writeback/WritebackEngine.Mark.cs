using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <content>After the backing device has it all: the mark. The segments are clean then and go on serving
/// reads.</content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Slots marked clean in one turn: some tens of microseconds.</summary>
    private const int SlotsPerTurn = 512;

    private long _oldMark, _oldSequence;
    private uint _oldChecksum;
    private bool _isMarkInDoubt;

    private bool StartMark()
    {
        if (_superblocks.IsBusy) return false;
        _phase = Phase.Mark;
        Superblock old = _superblock.Now;
        (_oldMark, _oldSequence, _oldChecksum) = (old.MarkPosition, old.MarkSequence, old.MarkChecksum);
        if (_keeping) return KeepMark();
        // The mark only grows, over what is durable in the log, and over nothing that the batch did not hold.
        Invariant.Check(_batch.Count > 0);
        Invariant.Check(_batch.First == _log.DirtySegment);
        Invariant.Check(BatchEnd > _oldMark);
        Invariant.Check(BatchEnd <= _log.Durable);
        Invariant.Check(_sequence >= _oldSequence);
        _superblock.Now.MarkPosition = _log.Geometry.Position(_batch.First + _batch.Count, 0);
        _superblock.Now.MarkSequence = _sequence;
        _superblock.Now.MarkChecksum = _checksum;
        if (Mutant.Is(WriteboostMutant.R8ReuseBeforeMark)) return true;
        _superblocks.Begin(ref _superblock.Now);
        return true;
    }

    private bool EndMark()
    {
        if (_superblocks.Result < 0)
        {
            // One copy may say so, and that is true: until both do, nothing is freed. It stays true only as long as
            // nothing of the batch is zeroed again, see StartSettle.
            _superblock.Now.MarkPosition = _oldMark;
            _superblock.Now.MarkSequence = _oldSequence;
            _superblock.Now.MarkChecksum = _oldChecksum;
            if (_keeping) _keptEnd = BatchEnd;
            else _isMarkInDoubt = !Mutant.Is(WriteboostMutant.R8MarkInDoubt);
            _error = _superblocks.Result;
            return true;
        }
        if (_keeping) return EndKeep();
        _cursor = 0;
        Invariant.Check(_superblock.Now.MarkPosition == BatchEnd);
        bool notes = _samples.EndBatch(_io.NowUs);
        _phase = notes ? Phase.Sample : Phase.Clean;
        return true;
    }

    // A mark that may be durable says that the batch's blocks lie over its ranges. Before these are zeroed once more,
    // both copies say again that nothing of it has been written back.
    private bool StartSettle()
    {
        if (_superblocks.IsBusy) return false;
        _phase = Phase.Settle;
        _workDone = 0;
        _superblocks.Begin(ref _superblock.Now);
        return true;
    }

    private bool EndSettle()
    {
        _error = _superblocks.Result;
        if (_error < 0) return true;
        _isMarkInDoubt = false;
        return StartRead();
    }

    // The samples of the devices are durable as they are from now on.
    private bool EndSamples(Phase next)
    {
        Fingerprints samples = _samples;
        if (samples.IsBusy) return false;
        // Samples that this batch changes must be gone before it is written. New ones may come with a later batch.
        if (samples.Result < 0 && _phase == Phase.Drop) _error = samples.Result;
        else _phase = next;
        return true;
    }

    private bool CleanMore()
    {
        int end = Math.Min(_cursor + SlotsPerTurn, _batch.SlotCount + _batch.SupersededCount);
        for (; _cursor < end; _cursor++)
        {
            int superseded = _cursor - _batch.SlotCount;
            MarkClean(superseded < 0 ? _batch.Slots[_cursor] : _batch.Superseded[superseded]);
        }
        if (_cursor < _batch.SlotCount + _batch.SupersededCount) return false;
        Invariant.Check(_log.DirtySegment == _batch.First);
        _progress.BlocksAhead = 0;
        _progress.Count(_batch.BlockCount, _batch.Count);
        _log.CleanBefore(_batch.First + _batch.Count);
        _drains.EndReached();
        NotePassed();
        NoteTime();
        _finishedSlots += (long)_batch.Count << _log.Geometry.SlotShift;
        _phase = Phase.Idle;
        return false;
    }

    private void MarkClean(int batchSlot)
    {
        bool wasDirty = _index.MarkClean(_log.Geometry.PhysicalSlot(_batch.PositionOf(batchSlot)));
        if (wasDirty && _progress.BlocksAhead > 0) _progress.BlocksAhead--;
    }
}
