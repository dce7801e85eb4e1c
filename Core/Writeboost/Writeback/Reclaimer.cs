using System;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// Makes clean segments free, oldest first, a little ahead of the writers: until then their blocks are read from the
/// cache. The last steps of R8: out of the index, readers gone, then free. No device I/O. One thread.
/// </summary>
internal sealed class Reclaimer(
    SegmentLog log, BlockIndex index, RangeMap ranges, VersionMap versions, RangePressure pressure, Drains drains,
    ReaderEpoch readers) : IBackgroundTask
{
    private const long ReaderPollUs = 200;

    private long _forgottenEnd;
    private long _readersUs;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => _forgottenEnd > log.TailSegment ? _readersUs : IsWanted() ? 0 : long.MaxValue;

    /// <summary>Oldest segment that is still in the index: the tail, or behind it while readers hold that up.</summary>
    public long FirstKept => Math.Max(_forgottenEnd, log.TailSegment);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_forgottenEnd <= log.TailSegment)
        {
            if (!IsWanted()) return;
            // One at a time: some tens of microseconds of this thread's turn.
            _forgottenEnd = log.TailSegment + 1;
            Forget(log.TailSegment, _forgottenEnd);
        }
        if (HasReaders())
        {
            _readersUs = nowUs + ReaderPollUs;
            return;
        }
        log.FreeBefore(_forgottenEnd);
        Invariant.Check(log.TailSegment == _forgottenEnd);
        if (pressure.IsOn) pressure.End();
    }

    // An eighth of the cache, but not more than the RAM segments can fill in one go.
    private bool IsWanted()
    {
        if (log.TailSegment >= log.DirtySegment) return false;
        int ahead = Math.Min(log.Ram.Count, log.Geometry.SegmentCount / 8);
        return log.IsStarved || pressure.IsOn || drains.IsDropping || log.FreeSegments < ahead;
    }

    // A reader looks at ranges first, then at versions. So: versions under a range, then the ranges, then (when every
    // reader that saw a range has looked at its versions) the other versions.
    private void Forget(long first, long end)
    {
        Invariant.Check(first == log.TailSegment);
        Invariant.Check(end <= log.DirtySegment);
        versions.NoteRemoval();
        int count = 0;
        for (long segment = first; segment < end; segment++)
            count += log.Table.RangesIn(log.Geometry.Physical(segment));
        if (ranges.Entries > 0) RemoveVersions(first, end, coveredOnly: true);
        if (count > 0)
        {
            ranges.RemoveBelow(log.Geometry.Position(end, 0));
            readers.Synchronize();
            Interleaving.Step();
            ranges.ReturnBudget(count);
        }
        RemoveVersions(first, end, coveredOnly: false);
    }

    private void RemoveVersions(long first, long end, bool coveredOnly)
    {
        for (long position = log.Geometry.Position(first, 0); position < log.Geometry.Position(end, 0); position++)
        {
            uint slot = log.Geometry.PhysicalSlot(position);
            if (!index.IsLinked(slot)) continue;
            Interleaving.Step();
            if (!coveredOnly || ranges.PositionOver(index.KeyOf(slot)) > position) index.Remove(slot);
        }
    }

    private bool HasReaders()
    {
        if (Mutant.Is(WriteboostMutant.R8ReadersIgnored)) return false;
        for (long segment = log.TailSegment; segment < _forgottenEnd; segment++)
            if (log.Table.IsPinned(log.Geometry.Physical(segment))) return true;
        return false;
    }
}
