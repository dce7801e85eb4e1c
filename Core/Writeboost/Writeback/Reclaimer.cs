using System;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// Makes clean segments free, oldest first, a little ahead of the writers: until then their blocks are read from the
/// cache. The last steps of R8: out of the index, readers gone, then free. No device I/O. One thread.
/// </summary>
internal sealed class Reclaimer(WriteboostVolume volume) : IBackgroundTask
{
    private const long ReaderPollUs = 200;

    private readonly SegmentLog _log = volume.Log;
    private readonly BlockIndex _index = volume.Index;
    private long _forgottenEnd;
    private long _readersUs;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => _forgottenEnd > _log.TailSegment ? _readersUs : IsWanted() ? 0 : long.MaxValue;

    /// <summary>Oldest segment that is still in the index: the tail, or behind it while readers hold that up.</summary>
    public long FirstKept => Math.Max(_forgottenEnd, _log.TailSegment);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_forgottenEnd <= _log.TailSegment)
        {
            if (!IsWanted()) return;
            // One at a time: some tens of microseconds of this thread's turn.
            _forgottenEnd = _log.TailSegment + 1;
            Forget(_log.TailSegment, _forgottenEnd);
        }
        if (HasReaders())
        {
            _readersUs = nowUs + ReaderPollUs;
            return;
        }
        _log.FreeBefore(_forgottenEnd);
        if (volume.RangePressure.IsOn) volume.RangePressure.End();
    }

    // An eighth of the cache, but not more than the RAM segments can fill in one go.
    private bool IsWanted()
    {
        if (_log.TailSegment >= _log.DirtySegment) return false;
        int ahead = Math.Min(_log.Ram.Count, _log.Geometry.SegmentCount / 8);
        return _log.IsStarved || volume.RangePressure.IsOn || volume.Drains.IsDropping || _log.FreeSegments < ahead;
    }

    // A reader looks at ranges first, then at versions. So: versions under a range, then the ranges, then (when every
    // reader that saw a range has looked at its versions) the other versions.
    private void Forget(long first, long end)
    {
        volume.Versions.NoteRemoval();
        int ranges = 0;
        for (long segment = first; segment < end; segment++)
            ranges += _log.Table.RangesIn(_log.Geometry.Physical(segment));
        if (volume.Ranges.Entries > 0) RemoveVersions(first, end, coveredOnly: true);
        if (ranges > 0)
        {
            volume.Ranges.RemoveBelow(_log.Geometry.Position(end, 0));
            volume.Gate.Quiesce();
            Interleaving.Step();
            volume.Ranges.ReturnBudget(ranges);
        }
        RemoveVersions(first, end, coveredOnly: false);
    }

    private void RemoveVersions(long first, long end, bool coveredOnly)
    {
        for (long position = _log.Geometry.Position(first, 0); position < _log.Geometry.Position(end, 0); position++)
        {
            uint slot = _log.Geometry.PhysicalSlot(position);
            if (!_index.IsLinked(slot)) continue;
            Interleaving.Step();
            if (!coveredOnly || volume.Ranges.PositionOver(_index.KeyOf(slot)) > position) _index.Remove(slot);
        }
    }

    private bool HasReaders()
    {
        if (Mutant.Is(WriteboostMutant.R8ReadersIgnored)) return false;
        for (long segment = _log.TailSegment; segment < _forgottenEnd; segment++)
            if (_log.Table.IsPinned(_log.Geometry.Physical(segment))) return true;
        return false;
    }
}
