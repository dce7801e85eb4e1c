using Weir.Core.Base;

namespace Weir.Core.Writeboost.Writeback;

/// <content>After the backing device has it all: the mark. The segments are clean then and go on serving
/// reads.</content>
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

    private bool EndMark()
    {
        if (_superblocks.Result < 0)
        {
            _phase = Phase.Stuck;
            _volume.Health.Worsen(
                VolumeState.Failed, $"cache device: superblock write failed with errno {-_superblocks.Result}");
            _volume.WakeQueues();
            return false;
        }
        for (int i = 0; i < _batch.PlaceCount; i++) MarkClean(_batch.Places[i]);
        for (int i = 0; i < _batch.CoveredCount; i++) MarkClean(_batch.Covered[i]);
        _volume.CountWrittenBack(_batch.BlockCount, _batch.Count);
        _log.CleanBefore(_batch.First + _batch.Count);
        _phase = Phase.Idle;
        return false;
    }

    private void MarkClean(int place) => _volume.Index.MarkClean(_log.Geometry.PhysicalSlot(_batch.PositionOf(place)));
}
