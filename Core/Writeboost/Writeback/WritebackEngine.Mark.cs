using Weir.Core.Base;

namespace Weir.Core.Writeboost.Writeback;

/// <content>After the backing device has it all: mark, forget, wait, free (R8).</content>
public sealed unsafe partial class WritebackEngine
{
    private bool StartMark()
    {
        if (_superblocks.IsBusy) return false;
        _phase = Phase.Mark;
        _volume.Superblock.MarkPosition = _log.Geometry.Position(_batch.First + _batch.Count, 0);
        _volume.Superblock.MarkSequence = _sequence;
        _volume.Superblock.MarkChecksum = _checksum;
        if (Mutant.Is(MutantId.R8ReuseBeforeMark)) return true;
        _superblocks.Begin(ref _volume.Superblock);
        return true;
    }

    private bool EndMark(long nowUs)
    {
        if (_superblocks.Result < 0)
        {
            _phase = Phase.Stuck;
            _volume.Health.Worsen(VolumeState.Failed, $"cache device: superblock write failed with errno {-_superblocks.Result}");
            _volume.WakeQueues();
            return false;
        }
        Forget();
        _phase = Phase.AwaitReaders;
        _resumeUs = nowUs;
        return true;
    }

    // A reader looks at ranges first, then at versions. So: versions under a range, then the ranges, then (when every
    // reader that saw a range has looked at its versions) the versions that count.
    private void Forget()
    {
        for (int i = 0; i < _batch.CoveredCount; i++) RemovePlace(_batch.Covered[i]);
        _volume.Ranges.RemoveBelow(_volume.Superblock.MarkPosition);
        if (_batch.RangeCount > 0)
        {
            _volume.Gate.Quiesce();
            _volume.Ranges.ReturnBudget(_batch.RangeCount);
        }
        for (int i = 0; i < _batch.PlaceCount; i++) RemovePlace(_batch.Places[i]);
        _volume.CountWrittenBack(_batch.BlockCount, _batch.Count);
    }

    private void RemovePlace(int place) => _volume.Index.Remove(_log.Geometry.PhysicalSlot(_batch.PositionOf(place)));

    private bool EndReaders(long nowUs)
    {
        for (int i = 0; i < _batch.Count; i++)
        {
            if (!_log.Table.IsPinned(_log.Geometry.Physical(_batch.First + i))) continue;
            _resumeUs = nowUs + ReaderPollUs;
            return false;
        }
        _phase = Phase.Idle;
        _log.FreeBefore(_batch.First + _batch.Count);
        return false;
    }
}
