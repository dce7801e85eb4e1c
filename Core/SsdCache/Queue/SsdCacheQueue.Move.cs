using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Queue;

// A piece's bytes, to and from wherever its blocks are: neighbours that lie side by side are one operation. A write
// goes home first, as far as it goes there, and then to the cache; both are under way together.
internal sealed unsafe partial class SsdCacheQueue
{
    /// <summary>A part of a piece that is one operation, or none.</summary>
    private struct Run
    {
        public long VolumeOffset;
        public long LengthBytes;
        // Its first byte on the cache device; -1: at home.
        public long CacheOffset;
        public bool IsLeftOut;
        // A unit of which the cache has some of the sectors wanted: home's are read, and these laid over them.
        public bool IsMixed;
    }

    private const int SectorBytes = SsdGeometry.SectorBytes, UnitSectors = SsdGeometry.UnitBytes / SectorBytes;

    private void BeginMove(Request* request, Piece* piece)
    {
        Own(request)->Step = RequestStep.Moving;
        piece->Cursor = 0;
        piece->IsCachePass = false;
        if (request->Kind == RequestKind.Read) NoteReads(piece);
        else BeginEffects(request, piece);
        Move(request);
    }

    // Submits what can be submitted. What is left waits for operations.
    private void Move(Request* request)
    {
        Piece* piece = PieceOf(request);
        while (true)
        {
            for (; piece->Cursor < piece->Length;)
            {
                Run run = NextRun(request, piece, piece->Offset + piece->Cursor);
                if (!run.IsLeftOut && !TrySubmit(request, run))
                {
                    _starved.Add(request);
                    return;
                }
                piece->Cursor += run.LengthBytes;
            }
            if (!HasCachePass(request, piece)) break;
            piece->IsCachePass = true;
            piece->Cursor = 0;
        }
        if (Own(request)->Left == 0) Moved(request);
    }

    private static bool HasCachePass(Request* request, Piece* piece) =>
        request->Kind == RequestKind.Write && !piece->IsCachePass && Own(request)->Step == RequestStep.Moving;

    private bool IsSubmitted(Request* request, Piece* piece) =>
        piece->Cursor == piece->Length && !HasCachePass(request, piece);

    private Run NextRun(Request* request, Piece* piece, long at) =>
        request->Kind == RequestKind.Read ? NextRead(request, piece, at)
        : request->Kind == RequestKind.Write ? NextWrite(request, piece, at)
        : new Run { VolumeOffset = at, LengthBytes = piece->End - at, CacheOffset = -1 };

    private Run NextRead(Request* request, Piece* piece, long at)
    {
        Run run = SourceOf(request, piece, at);
        while (at + run.LengthBytes < piece->End && !run.IsMixed)
        {
            Run next = SourceOf(request, piece, at + run.LengthBytes);
            bool follows = next.IsMixed ? false : run.CacheOffset < 0 ? next.CacheOffset < 0
                : next.CacheOffset == run.CacheOffset + run.LengthBytes;
            if (!follows) break;
            run.LengthBytes += next.LengthBytes;
        }
        return run;
    }

    // Where the bytes from there on are read, as far as that is so and the block goes.
    private Run SourceOf(Request* request, Piece* piece, long at)
    {
        ref PieceBlock it = ref BlockAt(piece, at);
        long blockStart = BlockStart(piece, it);
        long end = Math.Min(blockStart + _geometry.BlockBytes, piece->End);
        Run run = new() { VolumeOffset = at, LengthBytes = end - at, CacheOffset = -1 };
        if (it.Slot < 0) return run;
        int from = (int)((at - blockStart) / SectorBytes), limit = (int)((end - blockStart) / SectorBytes);
        bool wantsClean = (it.Action & LookupAction.ReadCache) != 0 && !_devices.DistrustsClean;
        int first = NextCached((uint)it.Slot, from, limit, wantsClean, out int count);
        if (first == from) run.CacheOffset = _geometry.PlaceOffset((uint)it.Slot) + (at - blockStart);
        run.LengthBytes = (long)(first == from ? count : first - from) * SectorBytes;
        if (_mixesUnits) CutAtMixed(ref run, (uint)it.Slot, from, limit, wantsClean);
        return run;
    }

    // A device with sectors of 4 KiB gives whole units, so none comes from two: the run ends before one that would, or
    // is that one.
    private void CutAtMixed(ref Run run, uint slot, int from, int limit, bool wantsClean)
    {
        int end = from + (int)(run.LengthBytes / SectorBytes);
        int unit = end / UnitSectors * UnitSectors;
        if (unit == end || end == limit) return;
        if (unit > from)
        {
            run.LengthBytes = (long)(unit - from) * SectorBytes;
            return;
        }
        int unitEnd = Math.Min(unit + UnitSectors, limit);
        bool isMixed = run.CacheOffset >= 0 || NextCached(slot, from, unitEnd, wantsClean, out _) < unitEnd;
        run.IsMixed = isMixed;
        run.CacheOffset = -1;
        run.LengthBytes = (long)(unitEnd - from) * SectorBytes;
    }

    // The next sectors that the cache gives: all it has, or those that nobody else has. limit: none.
    private int NextCached(uint slot, int from, int limit, bool wantsClean, out int count)
    {
        if (wantsClean)
            return _table.TryNextValidRun(slot, from, limit, out int first, out count) ? first : limit;
        return _table.TryNextDirtyRun(slot, from, limit, out int dirty, out count) ? dirty : limit;
    }

    private Run NextWrite(Request* request, Piece* piece, long at)
    {
        LookupAction wanted = piece->IsCachePass ? LookupAction.WriteCache : LookupAction.WriteHome;
        if (Own(request)->Step == RequestStep.Rescuing) wanted = LookupAction.Rescue;
        Run run = TargetOf(piece, at, wanted);
        while (at + run.LengthBytes < piece->End)
        {
            Run next = TargetOf(piece, at + run.LengthBytes, wanted);
            bool follows = next.IsLeftOut == run.IsLeftOut
                && (run.CacheOffset < 0 || next.CacheOffset == run.CacheOffset + run.LengthBytes);
            if (!follows) break;
            run.LengthBytes += next.LengthBytes;
        }
        return run;
    }

    private Run TargetOf(Piece* piece, long at, LookupAction wanted)
    {
        ref PieceBlock it = ref BlockAt(piece, at);
        long blockStart = BlockStart(piece, it);
        long end = Math.Min(blockStart + _geometry.BlockBytes, piece->End);
        Run run = new() { VolumeOffset = at, LengthBytes = end - at, CacheOffset = -1 };
        run.IsLeftOut = (it.Action & wanted) == 0;
        if (wanted == LookupAction.WriteCache && !run.IsLeftOut)
            run.CacheOffset = _geometry.PlaceOffset((uint)it.Slot) + (at - blockStart);
        return run;
    }

    // Of a read or a write all blocks are remembered.
    private ref PieceBlock BlockAt(Piece* piece, long at) =>
        ref (*piece)[(int)((at >> _geometry.BlockShift) - piece->FirstBlock)];

    private long BlockStart(Piece* piece, in PieceBlock it) =>
        ((long)piece->FirstBlock + it.Index) << _geometry.BlockShift;

    private bool TrySubmit(Request* request, in Run run)
    {
        if (run.IsMixed && !TryOverlay(request, run)) return false;
        IoOp* op = _io.Acquire(_handler, KindOf(request));
        if (op == null) return false;
        bool isCache = run.CacheOffset >= 0;
        op->Request = request;
        op->OffsetBytes = isCache ? run.CacheOffset : run.VolumeOffset;
        op->LengthBytes = run.LengthBytes;
        if (request->Data != null) op->Buffer = request->Data + (run.VolumeOffset - request->OffsetBytes);
        op->Own<SsdCacheOp>() = new SsdCacheOp { VolumeOffset = run.VolumeOffset, IsCache = isCache };
        // What is filled in is taken from memory.
        if (request->Kind == RequestKind.Read && isCache) Request.TryZeroCopy(op, DeviceOf(op));
        Own(request)->Left++;
        DeviceOf(op).Submit(op);
        return true;
    }

    private IoKind KindOf(Request* request) => request->Kind switch
    {
        RequestKind.Read => IoKind.Read,
        RequestKind.Write => IoKind.Write,
        RequestKind.Discard => IoKind.Discard,
        _ when (request->Flags & RequestFlags.NoHole) != 0 => IoKind.WriteZeroes,
        _ => IoKind.Discard,
    };

    private DeviceQueue DeviceOf(IoOp* op) => op->Own<SsdCacheOp>().IsCache ? _cache : _backing;

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result < 0 && Request.FallBackToMemory(op)) DeviceOf(op).Submit(op);
        else if (op->Result < 0 && op->Kind == IoKind.Read && CanReadAtHome(op)) ReadAtHome(op);
        else EndOp(op);
    }

    private void EndOp(IoOp* op)
    {
        Request* request = op->Request;
        SsdCacheRequest* own = Own(request);
        bool isCache = op->Own<SsdCacheOp>().IsCache;
        if (op->Kind != IoKind.Read) (isCache ? _devices.Cache : _devices.Backing).NoteWrite();
        if (op->Result < 0 && isCache && op->Kind != IoKind.Read) own->Facts |= RequestFacts.CacheFailed;
        else if (op->Result < 0 && request->Result == 0) request->Result = op->Result;
        _io.Release(op);
        own->Left--;
        if (own->Left == 0 && IsSubmitted(request, PieceOf(request))) Moved(request);
    }

    // Sectors that home has too leave the cache, which does not give them (B11). Others are nowhere else.
    private bool CanReadAtHome(IoOp* op)
    {
        ref SsdCacheOp own = ref op->Own<SsdCacheOp>();
        if (!own.IsCache || Mutant.Is(SsdCacheMutant.B11CleanNotReadAtHome)) return false;
        Piece* piece = PieceOf(op->Request);
        bool anyDirty = false;
        for (long at = own.VolumeOffset, end = at + op->LengthBytes; at < end;)
        {
            ref PieceBlock it = ref BlockAt(piece, at);
            long next = Math.Min(end, BlockStart(piece, it) + _geometry.BlockBytes);
            int first = (int)((at - BlockStart(piece, it)) / SectorBytes), count = (int)((next - at) / SectorBytes);
            bool isDirty = _table.AnyDirty((uint)it.Slot, first, count);
            if (!isDirty) _table.DropClean((uint)it.Slot, first, count);
            anyDirty |= isDirty;
            at = next;
        }
        if (anyDirty) _counters.Add(QueueCounters.LostReads, 1);
        return !anyDirty;
    }

    private void ReadAtHome(IoOp* op)
    {
        ref SsdCacheOp own = ref op->Own<SsdCacheOp>();
        _counters.Add(QueueCounters.ReadAtHome, 1);
        own.IsCache = false;
        op->OffsetBytes = own.VolumeOffset;
        _backing.Submit(op);
    }

    // All bytes have moved, or could not be.
    private void Moved(Request* request)
    {
        Piece* piece = PieceOf(request);
        if (request->Kind == RequestKind.Read) ReadEnded(request, piece);
        else if (MustRescue(request, piece)) Rescue(request, piece);
        else EndEffects(request, piece);
    }

    // The cache alone was to have it, and has refused it: home gets it (B11).
    private bool MustRescue(Request* request, Piece* piece)
    {
        bool failed = (Own(request)->Facts & RequestFacts.CacheFailed) != 0;
        if (!failed || Own(request)->Step == RequestStep.Rescuing || request->Result < 0) return false;
        for (int i = 0; i < piece->Count; i++)
            if (((*piece)[i].Action & (LookupAction.WriteHome | LookupAction.WriteCache)) == LookupAction.WriteCache)
                return true;
        return false;
    }

    // Home may be written when write-back of older bytes has ended.
    private void Rescue(Request* request, Piece* piece)
    {
        for (int i = 0; i < piece->Count; i++)
        {
            ref PieceBlock it = ref (*piece)[i];
            if ((it.Action & (LookupAction.WriteHome | LookupAction.Rescue)) != 0 || it.Slot < 0) continue;
            if (it.IsWriter) _table.EndWrite((uint)it.Slot);
            it.IsWriter = _table.BeginWrite((uint)it.Slot, goesHome: true);
            if (it.IsWriter) it.Action |= LookupAction.Rescue;
            else
            {
                Own(request)->Step = RequestStep.AwaitingRescue;
                AwaitWriteback(request);
                return;
            }
        }
        Own(request)->Step = RequestStep.Rescuing;
        piece->IsCachePass = false;
        piece->Cursor = 0;
        Move(request);
    }
}
