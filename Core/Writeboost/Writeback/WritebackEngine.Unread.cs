using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// What the cache device does not give. A segment that cannot be read in one piece is read block by block. A block that
/// only the cache has is tried again as long as a cache device that refuses writes; then it counts as rotten (R11), and
/// holds up nobody. Where not one block of a segment can be read, it is the device that does not answer: all of it is
/// tried again, without an end.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Reads of single blocks under way.</summary>
    private const int SinglesAtOnce = 16;

    private readonly UnreadPlaces _unread;
    private uint _unreadSegments;
    private int _unreadResult;
    private long _unreadSinceUs = -1;
    private ulong _unreadKey;

    // A new batch, or the same once more.
    private void ForgetUnread()
    {
        _unread.Clear();
        (_unreadSegments, _unreadKey) = (0, 0);
    }

    // True: the operation goes on.
    private bool TryReadAgain(IoOp* op)
    {
        _unreadResult = op->Result;
        if (op->Step == SegmentStep)
        {
            _unreadSegments |= 1u << op->Own<WritebackOp>().Index;
            return false;
        }
        if (++op->Attempts < LogPort.MaxAttempts)
        {
            _cache.Submit(op);
            return true;
        }
        _unread.Add(op->Own<WritebackOp>().Index);
        return false;
    }

    private bool EndSegments()
    {
        if (_unreadSegments == 0) return EndRead();
        (_phase, _cursor) = (Phase.ReadSingly, 0);
        return true;
    }

    // Nothing is under way.
    private bool ReadMoreSingly()
    {
        int slots = _log.Geometry.SlotsPerSegment;
        for (; _cursor < _batch.Count * slots && _outstanding < SinglesAtOnce; _cursor++)
        {
            int segment = _cursor / slots;
            if ((_unreadSegments & (1u << segment)) == 0)
            {
                _cursor = ((segment + 1) * slots) - 1;
                continue;
            }
            IoOp* op = Acquire(IoKind.Read);
            op->Step = SingleStep;
            op->Own<WritebackOp>().Index = _cursor;
            op->OffsetBytes = _log.Geometry.OffsetOf(_batch.PositionOf(_cursor));
            op->LengthBytes = Geometry.BlockBytes;
            op->Buffer = _batch.Data(_cursor);
            Submit(op, _cache);
        }
        return _outstanding == 0 && EndSingly();
    }

    private bool EndSingly()
    {
        int slots = _log.Geometry.SlotsPerSegment;
        for (int i = 0; i < _batch.Count && _error == 0; i++)
            if (_unread.HasAll(i * slots, slots)) _error = _unreadResult;
        return _error != 0 || EndRead();
    }

    // A record of the batch's segment number index is missing, and perhaps only because it could not be read.
    private bool IsSegmentUnread(int index)
    {
        if ((_unreadSegments & (1u << index)) == 0 || _unread.Count == 0) return false;
        _error = _unreadResult;
        return true;
    }

    // An error may pass, and what is given up too early is lost. Layouts without poison only name it, and wait on.
    private bool MayBeReadLater(ulong key)
    {
        if (_unreadSinceUs < 0) _unreadSinceUs = _io.NowUs;
        bool isOver = _io.NowUs - _unreadSinceUs >= _options.CacheRetryUs || _holdsForLost;
        if (isOver || Mutant.Is(WriteboostMutant.R11UnreadLost)) return false;
        (_error, _unreadKey) = (_unreadResult, key);
        return true;
    }

    private string NameOfUnread => _unreadKey == 0 ? "what is to be written back"
        : $"{_devices.Of(_unreadKey).Name}:{BackingTable.OffsetOf(_unreadKey)}+{Geometry.BlockBytes}, which "
            + "only the cache has,";
}
