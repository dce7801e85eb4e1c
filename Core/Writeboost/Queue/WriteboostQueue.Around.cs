using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// Writes that go round the log, whole and in one piece: all of them in the write-around mode, or those of long
/// sequential streams. Only where the log holds nothing that must be written back (R10); else they are logged.
/// </content>
internal sealed unsafe partial class WriteboostQueue
{
    private const byte AroundStep = 3;

    /// <summary>Tries of one write, as for the log's.</summary>
    private const int MaxAroundAttempts = 3;

    private readonly SequentialDetector _writeStreams = new();
    private readonly BackingFlusher _flusher;

    private bool IsToGoAround(Request* request)
    {
        if (request->Kind != RequestKind.Write || !_layout.HasCleanPosition) return false;
        long threshold = _options.BypassSequentialWrites * (long)Geometry.BlockBytes;
        if (threshold != 0 && _writeStreams.Note(PlaceOf(request), request->LengthBytes) > threshold) return true;
        return _options.WriteAround;
    }

    // One with a ticket has its place among those that wait for room in the log.
    private static bool IsFreshAround(Request* request)
    {
        WriteboostRequest* own = Own(request);
        return own->Path == WritePath.Around && own->Progress == 0 && own->Ticket == 0;
    }

    // It is to go round, and over a sample of the device: that is dropped first, unless the cache device refuses that,
    // for nobody knows how long: then it is logged.
    private bool AwaitsSamples(Request* request)
    {
        if (!IsFreshAround(request)) return false;
        if (_samples.Result < 0) return false;
        ulong first = KeyOf(request, request->OffsetBytes);
        ulong end = KeyOf(request, request->OffsetBytes + request->LengthBytes - 1) + 1;
        if (!_samples.MustWait(first, end, out bool isNew)) return false;
        if (isNew) _queues.WakeFirst();
        return true;
    }

    // False: the request is to be logged.
    private bool TryGoAround(Request* request)
    {
        if (!IsFreshAround(request)) return false;
        if (_refusals.IsRefusing(IdOf(request))) return false;
        // A start believes that the backing device has them as they are in the log.
        if (_clean.HasKeptBlocks) return false;
        int id = IdOf(request);
        int unit = _devices.Of(KeyOf(request, 0)).Device.LogicalBlockBytes;
        bool aligned = ((request->OffsetBytes | request->LengthBytes | (long)request->Data) & (unit - 1)) == 0;
        if (!aligned || _io.FreeCount <= IoContext.Reserve) return false;
        ulong first = KeyOf(request, request->OffsetBytes);
        ulong end = KeyOf(request, request->OffsetBytes + request->LengthBytes - 1) + 1;
        if (_samples.Covers(first, end) || !_around.TryEnter(first, end, out int place))
            return false;
        Interleaving.Step();
        if (_changes.BeginAround(first, (int)(end - first)) || !TryLeaveLog(first, end))
        {
            _changes.EndAround(first, (int)(end - first));
            _around.Leave(place, 0, 0);
            return false;
        }
        Request.FetchAll(request);
        IoOp* op = _io.Acquire(_handler, IoKind.Write);
        Invariant.Check(op != null);
        op->Step = AroundStep;
        op->OffsetBytes = request->OffsetBytes;
        op->LengthBytes = request->LengthBytes;
        op->Buffer = request->Data;
        op->Request = request;
        op->Own<AroundOp>().Place = place;
        _backings[id].Submit(op);
        return true;
    }

    // True when the log has nothing of the blocks that is not on the backing device, and the index nothing at all.
    private bool TryLeaveLog(ulong first, ulong end)
    {
        bool outdates = false;
        for (ulong key = first; key < end; key++)
        {
            if (Mutant.Is(WriteboostMutant.R10AroundDirty)) return true;
            if (_ranges.PositionOver(key) != 0) return false;
            if (!_blocks.TryDropClean(key, out bool dropped)) return false;
            // Before the write: the next start must not believe in what the log holds of it.
            if (dropped && !outdates) _clean.Outdate();
            outdates |= dropped;
        }
        return true;
    }

    private void EndAround(IoOp* op)
    {
        Request* request = op->Request;
        if (op->Result < 0 && ++op->Attempts < MaxAroundAttempts)
        {
            _backings[IdOf(request)].Submit(op);
            return;
        }
        ulong first = KeyOf(request, request->OffsetBytes);
        ulong end = KeyOf(request, request->OffsetBytes + request->LengthBytes - 1) + 1;
        Invariant.Check(end > first);
        Invariant.Check(Own(request)->Path == WritePath.Around);
        int result = Math.Min(0, op->Result);
        _changes.EndAround(first, (int)(end - first));
        // A failed one may be there in part.
        _around.Leave(op->Own<AroundOp>().Place, IdOf(request), result < 0 ? 0 : request->LengthBytes);
        _io.Release(op);
        _queues.NoteChange(_index);
        if (result < 0 && !Mutant.Is(WriteboostMutant.R10RefusedForgotten))
        {
            LogInstead(request, result);
            return;
        }
        _counters.Add(QueueCounters.AroundBytes, request->LengthBytes);
        bool durable = (request->Flags & RequestFlags.Fua) != 0 && !Mutant.Is(WriteboostMutant.R6AroundNotFlushed);
        Own(request)->WaitAround = durable ? _around.Written : 0;
        if (!durable) Complete(request, 0);
        else WaitFor(request, 0);
    }

    // All of its bytes are still there, and the log is newer than what the device may have of them. It has its turn
    // with those that wait for nothing but a turn.
    private void LogInstead(Request* request, int result)
    {
        Invariant.Check(result < 0);
        Invariant.Check(Own(request)->Progress == 0);
        _refusals.Refused(IdOf(request), -result);
        (Own(request)->Path, Own(request)->RefusedWith) = (WritePath.Refused, result);
        _parkedAside.Add(request);
        _waker.Wake();
    }
}
