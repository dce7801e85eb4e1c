using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// A drain keeps what it has done while a batch is under way, so that an interrupted one goes on there, however slow
/// the disk: the batch stays as large as it is, sorted and joined. When it is time, nothing more is begun; then, as at
/// a batch's end (R7, R8), the backing devices are flushed, what was skipped for something newer is durable there, and
/// the superblock says below which key the blocks of this batch are written.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Bytes of one write of a slow disk: at the beginning, and at least.</summary>
    private const long FirstWriteBytes = 256 << 10, FewestWriteBytes = 64 << 10;

    private bool _mayKeep;
    private bool _keeping;
    private long _keptUs;
    private long _keptAhead;
    private long _keptEnd;
    private bool _seesPoison;
    private long _writeEndUs;
    private long _writeUs = FirstWriteUs;
    private long _mostWriteBytes = FirstWriteBytes;

    // A slow disk's, until it is known.
    private const long FirstWriteUs = 60_000;

    private long KeepIntervalUs => _options.KeepIntervalUs;

    private bool Keeps => _mayKeep && (_drains.IsUnderWay || KeepIntervalUs == 0);

    private bool IsKeepDue(long nowUs) =>
        Keeps && _phase == Phase.Write && _progress.BlocksAhead > _keptAhead && _cursor > 0
        && _cursor < _batch.BlockCount && nowUs - _keptUs >= KeepIntervalUs;

    private long MostWriteBytes => Keeps && KeepIntervalUs > 0 ? _mostWriteBytes : MaxWriteBytes;

    // What is under way must end soon when it is time to keep it: a quarter of the interval's work.
    private int WindowToKeep(int window) => Keeps && KeepIntervalUs > 0
        ? (int)Math.Clamp(KeepIntervalUs / 4 / Math.Max(1, _writeUs), Math.Min(1, window), window)
        : window;

    // The time from one end to the next is what a write costs, however many are under way.
    private void NoteWritten(IoOp* op)
    {
        if (op->Result >= 0) _progress.BlocksAhead += op->Own<WritebackOp>().Work;
        long nowUs = _io.NowUs, passedUs = nowUs - _writeEndUs;
        _writeEndUs = nowUs;
        if (passedUs > 60_000_000) return;
        _writeUs = ((7 * _writeUs) + passedUs) / 8;
        if (passedUs > KeepIntervalUs / 4) _mostWriteBytes = Math.Max(FewestWriteBytes, _mostWriteBytes / 2);
        else if (passedUs < KeepIntervalUs / 16) _mostWriteBytes = Math.Min(MaxWriteBytes, _mostWriteBytes * 2);
    }

    private bool StartKeep()
    {
        _keeping = true;
        _phase = Phase.Flush;
        return true;
    }

    private bool KeepMark()
    {
        // What is kept ends before the mark of the whole batch, and at a block that is not written.
        Invariant.Check(_cursor > 0);
        Invariant.Check(_cursor < _batch.BlockCount);
        Invariant.Check(_batch.Blocks[_cursor - 1].Key < _batch.Blocks[_cursor].Key);
        Invariant.Check(BatchEnd > _superblock.Now.MarkPosition);
        _superblock.Now.KeptPosition = BatchEnd;
        _superblock.Now.KeptKey = _batch.Blocks[_cursor].Key;
        _superblocks.Begin(ref _superblock.Now);
        return true;
    }

    // A batch that was called off is as long again: the mark must not come to lie in what is kept of it, where a range
    // that is zeroed again may be on one side and what lies over it on the other.
    private int AtLeastKept(int count) =>
        (int)Math.Clamp(_log.Geometry.SegmentOf(_keptEnd) - _log.DirtySegment, count, _batch.MaxSegments);

    private bool EndKeep()
    {
        _keptEnd = BatchEnd;
        _keeping = false;
        _keptAhead = _progress.BlocksAhead;
        _keptUs = _io.NowUs;
        _phase = Phase.Write;
        return true;
    }
}
