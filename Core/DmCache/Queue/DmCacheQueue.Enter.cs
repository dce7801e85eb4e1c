using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

// A write whose block can come in without being read at home: because it writes all of it, or because it is discarded.
// It is acknowledged when the new entry is durable (B5).
internal sealed unsafe partial class DmCacheQueue
{
    // Promote speaks of one cell of locks.
    private bool TryEnterAlone(Request* request)
    {
        DmCacheRequest* own = Own(request);
        long home = own->Lock.FirstBlock;
        if (!MayEnterAlone(request) || !TryAskPolicy(request, home, out uint place)) return false;
        own->Ticket = place;
        own->Step = RequestStep.EnteringAlone;
        switch (_map.Locks.Promote(&own->Lock, _grants))
        {
            case Promotion.Done:
                Fill(request);
                return true;
            case Promotion.Parked:
                return true;
            default:
                _map.Free.Return(place);
                own->Facts |= RequestFacts.WasRefused;
                return false;
        }
    }

    private bool MayEnterAlone(Request* request)
    {
        DmCacheRequest* own = Own(request);
        bool isCheap = request->LengthBytes == _map.Geometry.BlockBytes
            || _parts.Discards.IsDiscarded(own->Lock.FirstBlock);
        return isCheap && request->Kind == RequestKind.Write && own->Mode == CacheMode.Writeback
            && own->Lock.BlockCount == 1 && own->Lock.Mode == BlockLockMode.Write
            && own->Lock.FirstBlock < _map.Geometry.Homes
            && (own->Facts & (RequestFacts.WasRefused | RequestFacts.IsSequential)) == 0;
    }

    // Its miss is told to the policy here, or noted for later.
    private bool TryAskPolicy(Request* request, long home, out uint place)
    {
        place = PolicyInfo.NoPlace;
        Own(request)->Facts |= RequestFacts.WasRefused;
        bool mayCome = _map.Free.Count > 0 && _parts.Residency.Changes.Failure == null;
        if (!mayCome)
        {
            Log(request, home, place: -1);
            return false;
        }
        return AskPolicy(request, home, AccessOf(request, home)) == true && _map.Free.TryTake(out place);
    }

    // Alone with the block. Others may have written it at home since the request came.
    private void Fill(Request* request)
    {
        DmCacheRequest* own = Own(request);
        long home = own->Lock.FirstBlock;
        bool isWhole = request->LengthBytes == _map.Geometry.BlockBytes;
        own->Step = RequestStep.Filling;
        own->Progress = isWhole ? 1u : 0u;
        bool isStill = isWhole || _parts.Discards.IsDiscarded(home) || Mutant.Is(DmCacheMutant.B10DiscardRemembered);
        if (isStill && _map.Find(home) < 0)
        {
            SubmitFill(request);
            return;
        }
        _map.Free.Return((uint)own->Ticket);
        BeginWrite(request);
    }

    // First zeroes, where the request does not write all of it (B10); then its bytes.
    private void SubmitFill(Request* request)
    {
        DmCacheRequest* own = Own(request);
        bool zeroes = own->Progress == 0 && !Mutant.Is(DmCacheMutant.B10PlaceNotZeroed);
        IoOp* op = _io.Acquire(_handler, zeroes ? IoKind.WriteZeroes : IoKind.Write);
        if (op == null)
        {
            _starved.Add(request);
            return;
        }
        long start = _map.Geometry.PlaceOffset((uint)own->Ticket);
        op->Request = request;
        op->OffsetBytes = zeroes ? start
            : start + request->OffsetBytes - _map.Geometry.HomeOffset(own->Lock.FirstBlock);
        op->LengthBytes = zeroes ? _map.Geometry.BlockBytes : request->LengthBytes;
        op->Buffer = request->Data;
        op->Own<DmCacheOp>() = new DmCacheOp { VolumeOffset = request->OffsetBytes, IsCache = true };
        own->Progress = zeroes ? 1u : 2u;
        own->Left++;
        _cache.Submit(op);
    }

    private void FillEnded(Request* request)
    {
        DmCacheRequest* own = Own(request);
        uint place = (uint)own->Ticket;
        long home = own->Lock.FirstBlock;
        if (request->Result < 0)
        {
            // The place is as free as before; home takes the bytes.
            request->Result = 0;
            _map.Free.Return(place);
            MoveAll(request);
            return;
        }
        if (own->Progress < 2)
        {
            SubmitFill(request);
            return;
        }
        _parts.Discards.NoteWrite(home);
        Access access = AccessOf(request, home);
        const PlaceState state = PlaceState.Dirty | PlaceState.Written;
        long ticket = _parts.Residency.Enter(place, home, state, access, isUrgent: true);
        _parts.Moves.Count(MoveEvent.Promoted);
        _parts.Moves.Count(MoveEvent.CopyAvoided);
        Unlock(request);
        if (Mutant.Is(DmCacheMutant.B5EntryNotAwaited)) EndChange(request);
        else Await(request, RequestStep.AwaitingEntry, ticket);
    }
}
