using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Queue;

/*
 * A discard, or a write of zeroes, in pieces of so many blocks. Nobody else is in the range.
 *
 *   whole block, clean          leaves the cache, durably, before home is zeroed (B9)
 *   whole block, dirty          its place is zeroed, like a write; home too, which nobody sees
 *   part of a cached block      the same
 *   not cached                  home is zeroed
 */
internal sealed unsafe partial class DmCacheQueue
{
    // So many blocks at a time: a discard of the whole volume keeps nobody waiting long.
    private const int PieceBlocks = 1024;

    private long PieceStart(Request* request)
    {
        long first = Own(request)->Lock.FirstBlock + Own(request)->Progress;
        return Math.Max(request->OffsetBytes, _map.Geometry.HomeOffset(first));
    }

    private long PieceEnd(Request* request)
    {
        long next = Own(request)->Lock.FirstBlock + Own(request)->Progress + PieceBlocks;
        return Math.Min(request->OffsetBytes + request->LengthBytes, _map.Geometry.HomeOffset(next));
    }

    // What is cached of the piece leaves, or is marked.
    private void BeginZero(Request* request)
    {
        long ticket = 0;
        long end = PieceEnd(request);
        for (long at = PieceStart(request); at < end; at = _map.Geometry.HomeOffset(_map.Geometry.HomeAt(at) + 1))
        {
            long home = _map.Geometry.HomeAt(at);
            NoteWrite(home);
            long place = _map.Find(home);
            if (place >= 0) ticket = Math.Max(ticket, BeginZeroOf(request, (uint)place, home));
            else if (_map.IsLeaving(home)) ticket = Math.Max(ticket, _parts.Residency.Changes.Urge());
        }
        bool fails = ticket > 0 && _parts.Residency.Changes.Failure != null;
        if (fails) End(request, -Errno.EIO);
        else if (ticket > 0 && !Mutant.Is(DmCacheMutant.B9RemovalNotAwaited))
            Await(request, RequestStep.AwaitingRemoval, ticket);
        else Zero(request);
    }

    // The number of the commit that it needs first; 0: none.
    private long BeginZeroOf(Request* request, uint place, long home)
    {
        long start = _map.Geometry.HomeOffset(home);
        bool isWhole = request->OffsetBytes <= start
            && request->OffsetBytes + request->LengthBytes >= start + _map.Geometry.BlockBytes;
        if ((isWhole || Own(request)->Mode == CacheMode.Passthrough) && IsClean(place))
            return _parts.Residency.Leave(place, isEvicted: false, isUrgent: true);
        bool isMarked = IsMarked(request, place);
        return isMarked ? 0 : _all.MarkAhead.Want(place, _io.NowUs);
    }

    private void Zero(Request* request)
    {
        DmCacheRequest* own = Own(request);
        own->Step = RequestStep.Zeroing;
        // Held until all of the piece is submitted; home is first.
        if (!TrySubmitZeroes(request))
        {
            _starved.Add(request);
            return;
        }
        _counters.Add(QueueCounters.ZeroPieces, 1);
        if (own->Left == 0) PieceEnded(request);
    }

    // All of its operations, or none.
    private bool TrySubmitZeroes(Request* request)
    {
        (long start, long end) = (PieceStart(request), PieceEnd(request));
        int count = 1;
        for (long at = start; at < end; at = _map.Geometry.HomeOffset(_map.Geometry.HomeAt(at) + 1))
            if (_map.Find(_map.Geometry.HomeAt(at)) >= 0) count++;
        if (_io.FreeCount - IoContext.Reserve < count) return false;
        SubmitZeroes(request, KindOf(request), start, end - start, start, isCache: false);
        for (long at = start; at < end && !Mutant.Is(DmCacheMutant.B10CachedKept);)
        {
            long home = _map.Geometry.HomeAt(at);
            long next = Math.Min(end, _map.Geometry.HomeOffset(home + 1));
            long place = _map.Find(home);
            long within = at - _map.Geometry.HomeOffset(home);
            if (place >= 0)
                SubmitZeroes(request, IoKind.WriteZeroes, _map.Geometry.PlaceOffset((uint)place) + within, next - at,
                    at, isCache: true);
            at = next;
        }
        return true;
    }

    private void SubmitZeroes(Request* request, IoKind kind, long offset, long length, long volumeOffset, bool isCache)
    {
        IoOp* op = _io.Acquire(_handler, kind);
        Invariant.Check(op != null);
        op->Request = request;
        op->OffsetBytes = offset;
        op->LengthBytes = length;
        op->Own<DmCacheOp>() = new DmCacheOp { VolumeOffset = volumeOffset, IsCache = isCache };
        Own(request)->Left++;
        DeviceOf(op).Submit(op);
    }

    private IoKind KindOf(Request* request)
    {
        bool keepsSpace = (request->Flags & RequestFlags.NoHole) != 0;
        bool passesDown = _options.DiscardPassdown && !keepsSpace;
        return passesDown ? IoKind.Discard : IoKind.WriteZeroes;
    }

    private void PieceEnded(Request* request)
    {
        (long start, long end) = (PieceStart(request), PieceEnd(request));
        if (request->Result >= 0) _parts.Discards.Mark(start, end - start);
        if (request->Result < 0) MakeDirty(request, start, end);
        else if ((Own(request)->Facts & RequestFacts.CacheFailed) == 0) NoteOverwritten(start, end);
        Own(request)->Progress += PieceBlocks;
        if (end < request->OffsetBytes + request->LengthBytes && request->Result >= 0) BeginZero(request);
        else if (request->Result >= 0 && HasLost(Own(request))) BeginLoss(request);
        else EndChange(request);
    }

    // Nothing tells what home has: what is still cached goes there later.
    private void MakeDirty(Request* request, long start, long end)
    {
        for (long at = start; at < end; at = _map.Geometry.HomeOffset(_map.Geometry.HomeAt(at) + 1))
        {
            long place = _map.Find(_map.Geometry.HomeAt(at));
            if (place >= 0) _map.Table.Change((uint)place, PlaceState.Dirty | PlaceState.Written, 0);
        }
    }

    /// <inheritdoc/>
    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        const uint hole = 1, zero = 2;
        long end = offsetBytes + lengthBytes;
        // What it looks at may be growing.
        if (_parts.Mode.IsHeld)
        {
            extents[0] = new Extent { LengthBytes = lengthBytes };
            return 1;
        }
        int count = 0;
        while (offsetBytes < end && count < extents.Length)
        {
            long next = Math.Min(_map.Geometry.HomeOffset(_map.Geometry.HomeAt(offsetBytes) + 1), end);
            bool isHole = false;
            // Without a lock: what comes or goes meanwhile may be told either way, but never as a hole when it is data.
            if (_map.Find(_map.Geometry.HomeAt(offsetBytes)) < 0)
                next = Math.Min(_devices.Backing.Device.ExtentEnd(offsetBytes, out isHole), next);
            uint flags = isHole ? hole | zero : 0;
            if (count > 0 && extents[count - 1].Flags == flags) count--;
            else extents[count].LengthBytes = 0;
            extents[count].LengthBytes += next - offsetBytes;
            extents[count++].Flags = flags;
            offsetBytes = next;
        }
        return count;
    }
}
