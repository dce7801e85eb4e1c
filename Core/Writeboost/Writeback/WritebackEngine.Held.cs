using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// A dirty block is lost, and the layout has no entry that says so in its place: write-back waits at its segment, which
/// stays as it is, until the user has overwritten the block or given it up (R11). What lies before it is written back;
/// writers go on while there is room.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Writers of other threads wake nobody when they overwrite what is lost.</summary>
    private const long LostLookUs = 1_000_000;

    private bool _holdsForLost;
    private long _lostWhenHeld;
    private long _nextLookUs;
    private string? _said;

    private long LookAtLostUs => _holdsForLost ? _io.NowUs + LostLookUs : long.MaxValue;

    // Something there is lost no more, or something else is: the segment is read again.
    private void LookAtLost(long nowUs)
    {
        if (!_holdsForLost) return;
        if (_index.RottenCount != _lostWhenHeld) LookAgain(nowUs);
        else if (_lost.HeldSegment != 0 && nowUs >= _nextLookUs) SayWhy(nowUs);
    }

    private void LookAgain(long nowUs)
    {
        (_lostWhenHeld, _lost.HeldSegment) = (_index.RottenCount, 0);
        _retry.TryNow(nowUs);
    }

    private void LetGoOfLost()
    {
        (_holdsForLost, _said) = (false, null);
        _lost.HeldSegment = 0;
    }

    // The plan has met it. Always false: this batch ends here, or begins anew without that segment.
    private bool HoldForLost()
    {
        int index = _recordBatchSlot >> _log.Geometry.SlotShift;
        if (Mutant.Is(WriteboostMutant.R11LostPassed)) return true;
        NameLost(index);
        if (index > 0)
        {
            _batch.Begin(_batch.First, index);
            StartRead();
            return false;
        }
        (_phase, _holdsForLost, _lostWhenHeld) = (Phase.Pause, true, _index.RottenCount);
        HeldUpBy = Errno.EIO;
        _retry.Refused(_io.NowUs);
        (_lost.HeldSegment, _said) = (_batch.First, null);
        if (SayWhy(_io.NowUs) is { } reason) _progress.NoteSetback(reason);
        // Somebody has just written over it.
        else LookAgain(_io.NowUs);
        return false;
    }

    // What is lost of a block may become less.
    private string? SayWhy(long nowUs)
    {
        _nextLookUs = nowUs + LostLookUs;
        string? reason = _lost.Hold;
        if (reason != null && reason != _said) _health.Hold(Trouble.Writeback, reason);
        return _said = reason;
    }

    // All of the segment at once, so that it can be mended at once.
    private void NameLost(int index)
    {
        for (int slot = 1; slot < _log.Geometry.SlotsPerSegment; slot++)
        {
            int batchSlot = (index << _log.Geometry.SlotShift) + slot;
            uint physical = _log.Geometry.PhysicalSlot(_batch.PositionOf(batchSlot));
            if (!_index.TryGetDirty(physical, out _, out _)) continue;
            bool isRead = !_unread.Has(batchSlot);
            if (!isRead || !IsIntact(default, physical, batchSlot)) _rot.Report(physical, isUnread: !isRead);
        }
    }

    // In these layouts a segment is one record. What its header says is known without it, and so is each block where
    // checksums are kept; where they are not, a record that is not whole vouches for none of its blocks.
    private bool TryTakeByIndex(long segment)
    {
        bool judges = _index.KeepsChecksums || (_unreadSegments & (1u << _segment)) == 0;
        if (_log.Layout.HasRanges || !judges || _unread.Has(_segment << _log.Geometry.SlotShift)) return false;
        int count = _log.Geometry.SlotsPerSegment - 1;
        for (int i = 0; i < count; i++)
        {
            uint physical = _log.Geometry.PhysicalSlot(_log.Geometry.Position(segment, i + 1));
            bool isDirty = _index.TryGetDirty(physical, out ulong key, out byte sectors);
            _entries[i] = isDirty ? LogEntry.ForData(key, sectors, 0) : default;
        }
        long position = _log.Geometry.Position(segment, 0);
        _record = new RecordInfo { Position = position, Sequence = segment, EntryCount = count };
        (_recordBatchSlot, _recordIsRotten) = (_segment << _log.Geometry.SlotShift, true);
        (_entry, _sequence, _slot) = (0, segment + 1, _log.Geometry.SlotsPerSegment);
        // What is not dirty any more is perhaps not durable where it is now (R7).
        _skipped = true;
        return true;
    }
}
