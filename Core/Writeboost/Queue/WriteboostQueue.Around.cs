using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.ReadCache;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// Writes that go round the log, whole and in one piece: all of them in the write-around mode, or those of long
/// sequential streams. Only where the log holds nothing that must be written back (R10); else they are logged.
/// </content>
public sealed unsafe partial class WriteboostQueue
{
    private const byte AroundStep = 3;

    /// <summary>Tries of one write, as for the log's.</summary>
    private const int MaxAroundAttempts = 3;

    private readonly StreamTable _writeStreams = new();
    private readonly BackingFlusher _flusher;

    private bool IsToGoAround(Request* request)
    {
        if (request->Kind != RequestKind.Write || !_volume.Layout.HasCleanPosition) return false;
        long threshold = _volume.Options.BypassSequentialWrites * (long)Geometry.BlockBytes;
        if (threshold != 0 && _writeStreams.Note(PlaceOf(request), request->LengthBytes) > threshold) return true;
        return _volume.Options.WriteAround;
    }

    // It is to go round, and over a sample of the device: that is dropped first.
    private bool AwaitsSamples(Request* request)
    {
        if (request->EngineList == 0 || request->Progress != 0 || request->Ticket != 0) return false;
        ulong first = KeyOf(request, request->OffsetBytes);
        ulong end = KeyOf(request, request->OffsetBytes + request->LengthBytes - 1) + 1;
        if (!_volume.Fingerprints!.MustWait(first, end, out bool isNew)) return false;
        if (isNew) _volume.WakeCaretaker();
        return true;
    }

    // False: the request is to be logged.
    private bool TryGoAround(Request* request)
    {
        // One with a ticket has its place among those that wait for room in the log.
        if (request->EngineList == 0 || request->Progress != 0 || request->Ticket != 0) return false;
        // A start believes that the backing device has them as they are in the log.
        if (_volume.HasKeptBlocks) return false;
        int id = IdOf(request);
        int unit = _volume.Backings.Of(KeyOf(request, 0)).Device.LogicalBlockBytes;
        bool aligned = ((request->OffsetBytes | request->LengthBytes | (long)request->Data) & (unit - 1)) == 0;
        if (!aligned || _io.FreeCount <= IoContext.Reserve) return false;
        ulong first = KeyOf(request, request->OffsetBytes);
        ulong end = KeyOf(request, request->OffsetBytes + request->LengthBytes - 1) + 1;
        if (_volume.Fingerprints!.Covers(first, end) || !_volume.Around.TryEnter(first, end, out int place))
            return false;
        Interleaving.Step();
        if (_volume.Changes.BeginAround(first, (int)(end - first)) || !TryLeaveLog(first, end))
        {
            _volume.Changes.EndAround(first, (int)(end - first));
            _volume.Around.Leave(place, 0);
            return false;
        }
        Request.BringIn(request);
        IoOp* op = _io.Acquire(_handler, IoKind.Write);
        Invariant.Check(op != null);
        op->Step = AroundStep;
        op->OffsetBytes = request->OffsetBytes;
        op->LengthBytes = request->LengthBytes;
        op->Buffer = request->Data;
        op->Request = request;
        op->UserA = place;
        _counters.AroundBytes += request->LengthBytes;
        _backings[id].Submit(op);
        return true;
    }

    // True when the log has nothing of the blocks that is not on the backing device, and the index nothing at all.
    private bool TryLeaveLog(ulong first, ulong end)
    {
        bool outdates = false;
        for (ulong key = first; key < end; key++)
        {
            if (Mutant.Is(MutantId.R10AroundDirty)) return true;
            if (_volume.Ranges.PositionOver(key) != 0) return false;
            if (!_volume.Index.TryDropClean(key, out bool dropped)) return false;
            // Before the write: the next start must not believe in what the log holds of it.
            if (dropped && !outdates) _volume.OutdateClean();
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
        int result = op->Result < 0 ? -Errno.EIO : 0;
        _volume.Changes.EndAround(first, (int)(end - first));
        // A failed one may be there in part.
        _volume.Around.Leave((int)op->UserA, IdOf(request));
        _io.Release(op);
        NoteChange();
        bool durable = (request->Flags & RequestFlags.Fua) != 0 && !Mutant.Is(MutantId.R6AroundNotFlushed);
        request->WaitAround = durable ? _volume.Around.Written : 0;
        if (result < 0 || !durable) Complete(request, result);
        else WaitFor(request, 0);
    }
}
