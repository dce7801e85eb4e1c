using System;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// Layouts that have no place for how far a batch is get batches of about a second: the mark is all that an interrupted
/// drain goes on from. One segment at first, and at least; twice as many while that is short.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    private int _mostInTime = 1;
    private long _begunUs;

    private bool IsTimed => !_log.Layout.HasEpochs;

    private int MostInTime(int most) => IsTimed ? Math.Min(most, _mostInTime) : most;

    // A batch is through.
    private void NoteTime()
    {
        long tookUs = _io.NowUs - _begunUs;
        if (tookUs > KeepIntervalUs) _mostInTime = Math.Max(1, _batch.Count / 2);
        else if (tookUs < KeepIntervalUs / 2 && _batch.Count >= _mostInTime)
            _mostInTime = Math.Min(_batch.MaxSegments, 2 * _batch.Count);
    }

    // What came before was joined in few writes, and this is not. True: fewer segments are to be read again.
    private bool TryShorten()
    {
        if (!IsTimed || _batch.Count == 1 || _dirty.IsAnyAbsent) return false;
        long us = Math.Max(1, WritesToCome() * _writeUs);
        if (us / 2 <= KeepIntervalUs) return false;
        _mostInTime = (int)Math.Max(1, _batch.Count * KeepIntervalUs / us);
        _batch.Begin(_batch.First, _mostInTime);
        return true;
    }

    private long WritesToCome()
    {
        long writes = 0, bytes = 0;
        for (int i = 0; i < _batch.BlockCount; i++)
        {
            bytes += Geometry.BlockBytes;
            bool joins = i > 0 && _batch.Blocks[i].Key == _batch.Blocks[i - 1].Key + 1
                && _batch.Blocks[i].Sectors == SectorMask.Full && bytes <= MaxWriteBytes;
            if (joins) continue;
            (writes, bytes) = (writes + 1, Geometry.BlockBytes);
        }
        return writes;
    }
}
