using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>Flush and FUA: wait until D has passed a position, and what went round the log is durable (R6).</content>
internal sealed unsafe partial class WriteboostQueue
{
    private FlushForesight _foresight;
    private bool _flushIsForeseen;
    private bool _answerIsOut;

    private void SubmitFlush(Request* request)
    {
        _foresight.NoteFlush();
        if (!Base.Mutant.Is(WriteboostMutant.R6AroundNotFlushed)) Own(request)->WaitAround = _around.Written;
        WaitFor(request, _log.ReservedEnd);
    }

    private void NoteForesight()
    {
        if (!_foresight.NoteChange()) return;
        (_flushIsForeseen, _answerIsOut) = (true, false);
    }

    // In the turn after the change: its answer goes out with the end of this one, and its client is on the way to the
    // flush while the log goes to the device. While the log has nothing else to do, and only where a record may end
    // early: a layout with one record for each segment would pay with the rest of the segment.
    private void StartForeseenFlush()
    {
        if (_flushIsForeseen && _answerIsOut)
        {
            _flushIsForeseen = false;
            SegmentLog log = _log;
            if (log.IsIdle && _options.Layout.HasManyRecords) log.RequestDurable(_port, log.ReservedEnd);
        }
        _answerIsOut = true;
    }

    private void WaitFor(Request* request, long position)
    {
        // Nobody waits for what nobody has reserved: it would never come.
        Invariant.Check(position <= _log.ReservedEnd);
        Own(request)->WaitPosition = position;
        if (_health.CacheHasFailed)
        {
            Complete(request, -Errno.EIO);
            return;
        }
        if (TryAnswer(request)) return;
        Interleaving.Step();
        _waiting.Add(request);
        if (_log.Durable < position) _log.RequestDurable(_port, position);
    }

    // What is lost does not become durable. It is looked at last: flushes may count again by then.
    private bool TryAnswer(Request* request)
    {
        bool isDurable = _log.Durable >= Own(request)->WaitPosition && _flusher.Ensure(Own(request)->WaitAround);
        bool isLost = _around.IsLost(Own(request)->WaitAround);
        if (isDurable || isLost) Complete(request, isLost ? -Errno.EIO : 0);
        return isDurable || isLost;
    }

    // Those that wait are nearly in order of position; one pass keeps it simple and touches each once.
    private void CheckWaiting()
    {
        if (_waiting.IsEmpty) return;
        bool failed = _health.CacheHasFailed;
        RequestList still = default;
        while (_waiting.Take() is var request && request != null)
        {
            if (TryAnswer(request)) continue;
            if (failed) Complete(request, -Errno.EIO);
            else still.Add(request);
        }
        _waiting = still;
    }
}
