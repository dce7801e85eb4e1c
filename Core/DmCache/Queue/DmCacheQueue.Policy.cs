using System;
using Weir.Core.Caching;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Policies;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

// What the policy hears of requests: each block of each request once, in batches, and never while one waits for it.
internal sealed unsafe partial class DmCacheQueue
{
    private readonly AccessLog _log = new();
    private readonly SequentialDetector _detector = new();

    private void NoteAccesses(Request* request)
    {
        DmCacheRequest* own = Own(request);
        if ((own->Facts & RequestFacts.IsNoted) != 0) return;
        own->Facts |= RequestFacts.IsNoted;
        if (IsSequential(request)) own->Facts |= RequestFacts.IsSequential;
        for (long home = own->Lock.FirstBlock; home < own->Lock.FirstBlock + own->Lock.BlockCount; home++)
            Note(request, home);
    }

    private bool IsSequential(Request* request)
    {
        if (_options.SequentialThreshold == 0) return false;
        return _detector.IsLong((ulong)request->OffsetBytes, request->LengthBytes, _options.SequentialThreshold);
    }

    private void Note(Request* request, long home)
    {
        long place = _map.Find(home);
        bool isRead = request->Kind == RequestKind.Read;
        _counters.Add(
            place >= 0 ? isRead ? QueueCounters.ReadHits : QueueCounters.WriteHits
            : isRead ? QueueCounters.ReadMisses : QueueCounters.WriteMisses, 1);
        if (home >= _map.Geometry.Homes || Own(request)->Mode == CacheMode.Passthrough) return;
        // Whoever may bring its block in itself asks the policy itself.
        if (place < 0 && MayEnterAlone(request)) return;
        if (place < 0 && MayReadAlong(request)) Own(request)->Facts |= RequestFacts.ReadsAlong;
        else Log(request, home, place);
    }

    // Its miss is told to the policy; null: somebody else is at it, and it hears of the miss later.
    private bool? AskPolicy(Request* request, long home, in Access access)
    {
        PolicySlot policy = _parts.Residency.Policy;
        if (!policy.TryEnter())
        {
            Log(request, home, place: -1);
            return null;
        }
        bool isWanted = policy.Host.Miss(home, access);
        policy.Exit();
        if (!isWanted) _parts.Moves.Count(MoveEvent.LeftUnwanted);
        return isWanted;
    }

    private void Log(Request* request, long home, long place)
    {
        if (_log.IsFull) TellPolicy();
        if (_log.IsFull) _counters.Add(QueueCounters.Untold, _log.Records.Length);
        Access access = AccessOf(request, home);
        _log.Add(new AccessRecord
        {
            Home = home, Place = place < 0 ? PolicyInfo.NoPlace : (uint)place, Flags = access.Flags,
            Sectors = (ushort)Math.Min(access.Sectors, ushort.MaxValue),
        });
    }

    private Access AccessOf(Request* request, long home)
    {
        long start = Math.Max(request->OffsetBytes, _map.Geometry.HomeOffset(home));
        long end = Math.Min(request->OffsetBytes + request->LengthBytes, _map.Geometry.HomeOffset(home + 1));
        AccessFlags flags = request->Kind == RequestKind.Read ? 0 : AccessFlags.Write;
        if (flags != 0 && end - start == _map.Geometry.BlockBytes) flags |= AccessFlags.WholeBlock;
        if ((Own(request)->Facts & RequestFacts.IsSequential) != 0) flags |= AccessFlags.Sequential;
        if (_parts.Discards.IsDiscarded(home)) flags |= AccessFlags.Discarded;
        if (_map.Free.Count > 0) flags |= AccessFlags.PlaceIsFree;
        return new Access(flags, (int)((end - start) / SectorBytes));
    }

    private void TellPolicy()
    {
        PolicySlot policy = _parts.Residency.Policy;
        if (_log.IsEmpty || !policy.TryEnter()) return;
        policy.Host.Tell(_log.Records, _map.Table, _parts.Promotions, _parts.Moves);
        policy.Exit();
        _log.Clear();
        if (_index != 0 && _parts.Promotions.Count > 0) _parts.Queues.WakeFirst();
    }
}
