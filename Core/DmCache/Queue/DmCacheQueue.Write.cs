using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Queue;

// What a write needs before its bytes may move: marks (B1), order (B7), or its blocks out of the cache (B9).
internal sealed unsafe partial class DmCacheQueue
{
    // Writes to both devices that can be under way on one thread; more wait.
    private const int OrderLocks = 128, OrderShift = 12;

    private readonly BlockLock* _orders = (BlockLock*)NativeMemory.AllocZeroed(OrderLocks, (nuint)sizeof(BlockLock));
    private readonly FreeNumbers _freeOrders = new(OrderLocks);

    private void BeginWrite(Request* request)
    {
        DmCacheRequest* own = Own(request);
        NoteAccesses(request);
        if (own->Mode == CacheMode.Passthrough)
        {
            BeginAround(request);
            return;
        }
        long ticket = Mark(request, out bool anyCached);
        if (ticket < 0) End(request, -Errno.EIO);
        else if (ticket > 0)
        {
            _counters.Add(QueueCounters.MarkWaits, 1);
            Await(request, RequestStep.Marking, ticket);
        }
        else if (!anyCached && TryEnterAlone(request)) return;
        else if (anyCached && own->Mode == CacheMode.Writethrough) TakeOrder(request);
        else MoveAll(request);
    }

    // 0: all its cached blocks are marked; else the number of the commit that will do it; -1: none will.
    private long Mark(Request* request, out bool anyCached)
    {
        long ticket = 0;
        anyCached = false;
        BlockLock* it = &Own(request)->Lock;
        for (long home = it->FirstBlock; home < it->FirstBlock + it->BlockCount; home++)
        {
            long place = _map.Find(home);
            if (place < 0 && _map.IsLeaving(home)) ticket = System.Math.Max(ticket, _parts.Residency.Changes.Urge());
            if (place < 0) continue;
            anyCached = true;
            if (IsMarked(request, (uint)place) || Mutant.Is(DmCacheMutant.B1MarkNotAwaited)) continue;
            if (_parts.Residency.Changes.Failure != null) return -1;
            ticket = ticket == 0 ? _all.MarkAhead.Want((uint)place, _io.NowUs)
                : System.Math.Max(ticket, _parts.Residency.Changes.WantMarks((uint)place >> PlaceTable.GroupShift, 1));
        }
        return ticket;
    }

    private bool IsMarked(Request* request, uint place)
    {
        if (Own(request)->Mode == CacheMode.Writeback) return _map.Table.BeginWrite(place);
        return _map.Table.BeginWriteThrough(place) || Mutant.Is(DmCacheMutant.B1ThroughUnmarked);
    }

    // Of two writes of the same bytes to both devices, one is first on both.
    private void TakeOrder(Request* request)
    {
        DmCacheRequest* own = Own(request);
        own->Step = RequestStep.Ordering;
        if (Mutant.Is(DmCacheMutant.B7ThroughUnordered))
        {
            MoveAll(request);
            return;
        }
        if (_freeOrders.IsEmpty)
        {
            _starved.Add(request);
            return;
        }
        int number = _freeOrders.Take();
        own->Order = (byte)(number + 1);
        long first = request->OffsetBytes >> OrderShift;
        long last = (request->OffsetBytes + request->LengthBytes - 1) >> OrderShift;
        _orders[number] = new BlockLock
        {
            FirstBlock = first, BlockCount = last - first + 1, Owner = request, Mode = BlockLockMode.Exclusive,
        };
        if (_all.Order.Take(&_orders[number], _grants)) MoveAll(request);
    }

    private void Ordered(Request* request) => MoveAll(request);

    private void ReturnOrder(DmCacheRequest* own)
    {
        if (own->Order == 0) return;
        _all.Order.Release(&_orders[own->Order - 1]);
        _freeOrders.Return(own->Order - 1);
        own->Order = 0;
    }

    // Nothing is cached in this mode: what is cached of the blocks leaves first, and durably so (B9).
    private void BeginAround(Request* request)
    {
        DmCacheRequest* own = Own(request);
        bool isAlone = own->Lock.Mode == BlockLockMode.Exclusive;
        Meets meets = Look(request);
        if (isAlone && (meets & Meets.Dirty) != 0) BeginBesideDirty(request);
        else if (isAlone) LeaveAll(request, RequestStep.AwaitingRemoval);
        else if ((meets & Meets.Cached) != 0) LockAlone(request);
        else if ((meets & Meets.Leaving) != 0)
            Await(request, RequestStep.AwaitingRemoval, _parts.Residency.Changes.Urge());
        else MoveAll(request);
    }

    // Another mode has come while it waited, in which others write already: it is one of them. No third mode comes
    // before it has ended. Else home has refused the dirty block once: that goes there first.
    private void BeginBesideDirty(Request* request)
    {
        DmCacheRequest* own = Own(request);
        own->Mode = _parts.Mode.Current;
        if (own->Mode == CacheMode.Passthrough) End(request, -Errno.EIO);
        else BeginWrite(request);
    }

    /// <summary>What there is among the blocks of a request.</summary>
    [System.Flags]
    private enum Meets
    {
        Nothing = 0,
        Cached = 1,
        Dirty = 2,
        Leaving = 4,
    }

    private Meets Look(Request* request)
    {
        Meets meets = Meets.Nothing;
        BlockLock* it = &Own(request)->Lock;
        for (long home = it->FirstBlock; home < it->FirstBlock + it->BlockCount; home++)
        {
            long place = _map.Find(home);
            if (place >= 0) meets |= Meets.Cached;
            else if (_map.IsLeaving(home)) meets |= Meets.Leaving;
            if (place >= 0 && (_map.Table.StateOf((uint)place) & PlaceState.Dirty) != 0) meets |= Meets.Dirty;
        }
        return meets;
    }

    // Others may come between, so all begins anew.
    private void LockAlone(Request* request)
    {
        Unlock(request);
        TakeLock(request, BlockLockMode.Exclusive);
    }

    // The lock is exclusive.
    private void LeaveAll(Request* request, RequestStep step)
    {
        long ticket = 0;
        BlockLock* it = &Own(request)->Lock;
        for (long home = it->FirstBlock; home < it->FirstBlock + it->BlockCount; home++)
        {
            long place = _map.Find(home);
            if (place >= 0) ticket = _parts.Residency.Leave((uint)place, isEvicted: false, isUrgent: true);
            else if (_map.IsLeaving(home)) ticket = _parts.Residency.Changes.Urge();
        }
        bool waits = ticket != 0 && !Mutant.Is(DmCacheMutant.B9RemovalNotAwaited);
        if (waits) Await(request, step, ticket);
        else if (step == RequestStep.AwaitingRemoval) MoveAll(request);
        else EndChange(request);
    }

    // The cache device has refused bytes that home has: the blocks leave before the client is answered (B11). A dirty
    // one cannot, its other bytes are nowhere else: it stays, and what the client wrote is an error.
    private void BeginLoss(Request* request)
    {
        if (Own(request)->Lock.Mode != BlockLockMode.Exclusive)
        {
            Own(request)->Facts |= RequestFacts.IsLoss;
            _map.Table.BeginLoss();
            LockAlone(request);
        }
        else if ((Look(request) & Meets.Dirty) == 0)
        {
            LeaveAll(request, RequestStep.AwaitingLoss);
        }
        else
        {
            request->Result = -Errno.EIO;
            KeepInCache(request);
        }
    }

    // Home has refused bytes that the cache may have: they go home later.
    private void KeepInCache(Request* request)
    {
        BlockLock* it = &Own(request)->Lock;
        for (long home = it->FirstBlock; home < it->FirstBlock + it->BlockCount; home++)
        {
            long place = _map.Find(home);
            if (place >= 0) _map.Table.Change((uint)place, PlaceState.Dirty | PlaceState.Written, 0);
        }
        EndChange(request);
    }
}
