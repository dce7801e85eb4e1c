using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

// A request's bytes, to and from wherever its blocks are: neighbours that lie side by side are one operation.
internal sealed unsafe partial class DmCacheQueue
{
    /// <summary>A part of a request that is one operation, or none.</summary>
    private struct Run
    {
        public long VolumeOffset;
        public long LengthBytes;
        // Its first place; -1: at home.
        public long Place;
        public bool IsLeftOut;
    }

    private const int SectorBytes = CacheGeometry.SectorBytes;

    private void BeginRead(Request* request)
    {
        Own(request)->Step = RequestStep.Moving;
        NoteAccesses(request);
        bool mayReadAlong = (Own(request)->Facts & RequestFacts.ReadsAlong) != 0;
        if (!mayReadAlong || !TryReadAlong(request)) Move(request);
    }

    // A write: what it meets is discarded no more, whichever device gets it.
    private void MoveAll(Request* request)
    {
        BlockLock* it = &Own(request)->Lock;
        long end = it->FirstBlock + it->BlockCount;
        for (long home = it->FirstBlock; home < end; home++) NoteWrite(home);
        Own(request)->Step = RequestStep.Moving;
        Own(request)->Progress = 0;
        Move(request);
    }

    private void NoteWrite(long home)
    {
        _parts.Discards.NoteWrite(home);
        _parts.Failed.Forget(home);
    }

    // Submits what can be submitted. What is left waits for operations.
    private void Move(Request* request)
    {
        DmCacheRequest* own = Own(request);
        while (!IsSubmitted(request))
        {
            Run run = NextRun(request, request->OffsetBytes + ((long)own->Progress * SectorBytes));
            if (!run.IsLeftOut && !TrySubmit(request, run))
            {
                _starved.Add(request);
                return;
            }
            own->Progress += (uint)(run.LengthBytes / SectorBytes);
            if (own->Progress == request->LengthBytes / SectorBytes && IsWrittenThrough(request)) BeginCachePass(own);
        }
        if (own->Left == 0) Moved(request);
    }

    private static bool IsSubmitted(Request* request) =>
        Own(request)->Progress == request->LengthBytes / SectorBytes;

    private static bool IsWrittenThrough(Request* request) =>
        request->Kind == RequestKind.Write && Own(request)->Mode == CacheMode.Writethrough
        && Own(request)->Step == RequestStep.Moving;

    private static void BeginCachePass(DmCacheRequest* own)
    {
        own->Step = RequestStep.MovingToCache;
        own->Progress = 0;
    }

    // From a byte on, as far as it goes on at the same device without a gap.
    private Run NextRun(Request* request, long at)
    {
        long end = request->OffsetBytes + request->LengthBytes;
        long home = _map.Geometry.HomeAt(at);
        Run run = new() { VolumeOffset = at, Place = TargetOf(request, home) };
        run.IsLeftOut = Own(request)->Step == RequestStep.MovingToCache && run.Place < 0;
        long next = Math.Min(_map.Geometry.HomeOffset(home + 1), end);
        if (Own(request)->Step == RequestStep.MovingSingly) end = next;
        for (long place = run.Place; next < end; next = Math.Min(_map.Geometry.HomeOffset(home + 1), end))
        {
            long following = TargetOf(request, ++home);
            if (place < 0 ? following >= 0 : following != place + 1) break;
            place = following;
        }
        run.LengthBytes = next - at;
        return run;
    }

    // The place where the bytes of a block are to be found or put; -1: at home.
    private long TargetOf(Request* request, long home)
    {
        if (IsWrittenThrough(request)) return -1;
        long place = _map.Find(home);
        if (place < 0 || request->Kind != RequestKind.Read) return place;
        bool wantsHome = Own(request)->Mode == CacheMode.Passthrough || _devices.DistrustsClean;
        return wantsHome && IsClean((uint)place) ? -1 : place;
    }

    private bool IsClean(uint place) =>
        (_map.Table.StateOf(place) & (PlaceState.Dirty | PlaceState.Doubtful)) == 0;

    private bool TrySubmit(Request* request, in Run run)
    {
        IoOp* op = _io.Acquire(_handler, request->Kind == RequestKind.Read ? IoKind.Read : IoKind.Write);
        if (op == null) return false;
        bool isCache = run.Place >= 0;
        long within = run.VolumeOffset - _map.Geometry.HomeOffset(_map.Geometry.HomeAt(run.VolumeOffset));
        op->Request = request;
        op->OffsetBytes = isCache ? _map.Geometry.PlaceOffset((uint)run.Place) + within : run.VolumeOffset;
        op->LengthBytes = run.LengthBytes;
        op->Buffer = request->Data + (run.VolumeOffset - request->OffsetBytes);
        op->Own<DmCacheOp>() = new DmCacheOp { VolumeOffset = run.VolumeOffset, IsCache = isCache };
        if (request->Kind == RequestKind.Read) Request.TryZeroCopy(op, DeviceOf(op));
        Own(request)->Left++;
        DeviceOf(op).Submit(op);
        return true;
    }

    private DeviceQueue DeviceOf(IoOp* op) => op->Own<DmCacheOp>().IsCache ? _cache : _backing;

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Kind == IoKind.Flush) FlushCompleted(op);
        else if (op->Result < 0 && Request.FallBackToMemory(op)) DeviceOf(op).Submit(op);
        else if (op->Result < 0 && op->Kind == IoKind.Read && CanReadAtHome(op)) ReadAtHome(op);
        else EndOp(op);
    }

    private void EndOp(IoOp* op)
    {
        Request* request = op->Request;
        DmCacheRequest* own = Own(request);
        bool isCache = op->Own<DmCacheOp>().IsCache;
        if (op->Kind != IoKind.Read) (isCache ? _devices.Cache : _devices.Backing).NoteWrite();
        if (op->Result < 0 && isCache && IsWithoutCache(own)) own->Facts |= RequestFacts.CacheFailed;
        else if (op->Result < 0 && request->Result == 0) request->Result = op->Result;
        _io.Release(op);
        own->Left--;
        switch (own->Step)
        {
            case RequestStep.Filling: FillEnded(request); break;
            case RequestStep.Zeroing when own->Left == 0: PieceEnded(request); break;
            case RequestStep.Zeroing: break;
            default:
                if (own->Left == 0 && IsSubmitted(request)) Moved(request);
                break;
        }
    }

    // Home gets it all: what the cache device refuses costs the block its place, and the client nothing (B11).
    private static bool IsWithoutCache(DmCacheRequest* own) => own->Step == RequestStep.MovingToCache
        || (own->Step == RequestStep.Zeroing && own->Mode != CacheMode.Writeback);

    // A clean block is at home too, and leaves the cache when nobody needs it (B11). A dirty one is nowhere else.
    private bool CanReadAtHome(IoOp* op)
    {
        ref DmCacheOp own = ref op->Own<DmCacheOp>();
        if (!own.IsCache) return false;
        long home = _map.Geometry.HomeAt(own.VolumeOffset);
        if (_map.Geometry.HomeAt(own.VolumeOffset + op->LengthBytes - 1) != home)
        {
            Own(op->Request)->Facts |= RequestFacts.ReadsSingly;
            return false;
        }
        long place = _map.Find(home);
        if (place < 0) return false;
        _map.Unreadable.Add((uint)place);
        if (_index != 0) _parts.Queues.WakeFirst();
        return IsClean((uint)place) && !Mutant.Is(DmCacheMutant.B11CleanNotReadAtHome);
    }

    private void ReadAtHome(IoOp* op)
    {
        ref DmCacheOp own = ref op->Own<DmCacheOp>();
        _counters.Add(QueueCounters.ReadAtHome, 1);
        own.IsCache = false;
        op->OffsetBytes = own.VolumeOffset;
        _backing.Submit(op);
    }

    private static bool HasLost(DmCacheRequest* own) =>
        (own->Facts & RequestFacts.CacheFailed) != 0 && !Mutant.Is(DmCacheMutant.B11StaleKept);

    // All bytes have moved, or could not be.
    private void Moved(Request* request)
    {
        DmCacheRequest* own = Own(request);
        bool isOverwritten = request->Kind == RequestKind.Write && request->Result >= 0
            && (own->Facts & RequestFacts.CacheFailed) == 0;
        if (isOverwritten) NoteOverwritten(request->OffsetBytes, request->OffsetBytes + request->LengthBytes);
        if (request->Kind == RequestKind.Read) ReadEnded(request);
        else if (request->Result < 0 && own->Step == RequestStep.MovingToCache) KeepInCache(request);
        else if (HasLost(own)) BeginLoss(request);
        else EndChange(request);
    }

    private void ReadEnded(Request* request)
    {
        DmCacheRequest* own = Own(request);
        if ((own->Facts & RequestFacts.ReadsSingly) == 0 || own->Step == RequestStep.MovingSingly)
        {
            End(request, request->Result);
            return;
        }
        own->Step = RequestStep.MovingSingly;
        (own->Progress, request->Result) = (0, 0);
        Move(request);
    }

    // Blocks of which all is new, by who has them locked: whatever was unreadable there is gone.
    private void NoteOverwritten(long start, long end)
    {
        if (_map.Unreadable.Count == 0) return;
        long home = _map.Geometry.HomeAt(start + _map.Geometry.BlockBytes - 1);
        for (; _map.Geometry.HomeOffset(home + 1) <= end; home++)
            if (_map.Find(home) is >= 0 and var place) _map.Unreadable.Remove((uint)place);
    }
}
