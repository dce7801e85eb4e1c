using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// The next batch is read while this one is written, so that the backing device does not wait for the cache device. A
/// durable segment that is dirty does not change: what was read of it stays good until it is its turn.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    private long _aheadFirst;
    private int _aheadCount;
    private int _aheadUnderWay;
    private bool _aheadFailed;

    private bool ReadAhead()
    {
        (_aheadFirst, _aheadFailed) = (_batch.First + _batch.Count, false);
        // As many as there was reason for last time: what is read and not taken is read twice.
        _aheadCount = CountReadable(_aheadFirst, Math.Min(_batch.Count, LargestBatch));
        for (int i = 0; i < _aheadCount; i++)
        {
            IoOp* op = ReadOf(_aheadFirst + i, _batch.Ahead(i));
            op->Step = AheadStep;
            _aheadUnderWay++;
            _cache.Submit(op);
        }
        return true;
    }

    private void EndAhead(IoOp* op)
    {
        Invariant.Check(_aheadUnderWay > 0);
        _aheadFailed |= op->Result < 0;
        _io.Release(op);
        _aheadUnderWay--;
    }

    // Segments of the batch that need not be read any more. What failed is read again, and its error counts then.
    private int TakeAhead()
    {
        int count = _aheadFirst == _batch.First ? Math.Min(_aheadCount, _batch.Count) : 0;
        _aheadCount = 0;
        if (count > 0) _batch.TakeAhead();
        return count;
    }
}
