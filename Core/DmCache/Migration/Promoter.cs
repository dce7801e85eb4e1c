using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Brings blocks in, on the first queue's thread: reads them at home, writes them to a free place, and lets requests
/// find them there. Clients' reads of a block go on meanwhile, at home; its writes wait (B8).
/// </summary>
/// <remarks>
/// A block that is larger than a buffer comes piece by piece. One that is discarded is not read: its place is zeroed
/// (B10). The request that made the policy want it was answered long ago (D27), or takes its bytes from the read, see
/// <see cref="TryReadAlong"/>. No free place: the evictor is told.
/// </remarks>
internal sealed unsafe partial class Promoter : IBackgroundTask, IIoHandler, IDisposable
{
    /// <summary>Blocks on their way at a time, at most; and bytes of one that are in memory.</summary>
    private const int MaxSlots = 32, PieceBytes = 256 << 10;

    // Without a free place: whoever is in the way, on another thread, may be gone after this.
    private const long RoundUs = 1000;

    private enum Step : byte
    {
        Free,
        Waiting,
        Reading,
        Writing,
        Locking,
    }

    private struct Slot
    {
        public BlockLock Lock;
        public WantedBlock Promotion;
        // It waits for the read; null: nobody does.
        public Request* Reader;
        public long DoneBytes;
        public uint Place;
        public Step Step;
        public bool IsZeroed;
    }

    private struct PromotionOp
    {
        public int Slot;
    }

    private readonly MigrationParts _parts;
    private readonly DataQueues _queues;
    private readonly GrantQueue _grants;
    private readonly ushort _handler;
    private readonly Slot* _slots = (Slot*)NativeMemory.AllocZeroed(MaxSlots, (nuint)sizeof(Slot));
    private readonly BufferPool _buffers;
    private readonly int _pieceBytes;
    private readonly RateLimit _rate = new();
    private int _underWay;
    private int _waitsFor;
    private long _againUs;
    private bool _isServing;
    private IBlockReader? _reader;

    /// <summary>On the thread of <paramref name="queues"/>; locks that are parked come through
    /// <paramref name="grants"/>, and <see cref="TryTakeGrant"/> is told.</summary>
    public Promoter(MigrationParts parts, DataQueues queues, GrantQueue grants)
    {
        (_parts, _queues, _grants) = (parts, queues, grants);
        _pieceBytes = (int)Math.Min(parts.Geometry.BlockBytes, PieceBytes);
        _buffers = new BufferPool(MaxSlots, _pieceBytes);
        _handler = queues.Io.AddHandler(this);
    }

    /// <summary>Places that are wanted, and are not there: for the evictor.</summary>
    public int PlacesWanted => _waitsFor;

    /// <inheritdoc/>
    public bool IsQuiet => _underWay == 0;

    /// <inheritdoc/>
    public long DeadlineUs => _parts.Promotions.Count == 0 || !HasRoom ? long.MaxValue
        : _waitsFor > 0 && Map.Free.Count == 0 ? _againUs : _rate.ResumeUs;

    // The seed's limit: what is under way and one more stay below the threshold. The first may always go. Whatever ends
    // wakes this thread.
    private bool HasRoom => _underWay == 0 || (_underWay < MaxSlots
        && (_underWay + 1L) * _parts.Geometry.BlockSectors < _parts.Options.MigrationThreshold);

    private bool BringsIn => _isServing && !_parts.Mode.IsHeld && _parts.Residency.Changes.Failure == null;

    private CacheMap Map => _parts.Residency.Map;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        _waitsFor = 0;
        _isServing = state == BackgroundState.Serving;
        if (!BringsIn)
        {
            _parts.Promotions.Clear();
            return;
        }
        while (_parts.Promotions.Count > 0 && MayBegin(nowUs) && TryBegin())
        {
        }
        _againUs = nowUs + RoundUs;
    }

    /// <summary>
    /// Brings in a block that <paramref name="request"/> reads a part of, and holds the lock of:
    /// <paramref name="reader"/>, always the same, gets the bytes before they go to the cache. False: not now, and
    /// perhaps later.
    /// </summary>
    public bool TryReadAlong(in WantedBlock wanted, Request* request, IBlockReader reader)
    {
        long nowUs = _queues.Io.NowUs;
        if (IsRefused(wanted.Home, nowUs)) return false;
        if (BringsIn && MayBegin(nowUs) && TryRead(wanted, request, reader, nowUs)) return true;
        // Where all are busy, it is met again if it is worth anything: a copy later would read home twice.
        bool isCrowded = _underWay >= MaxSlots || !_parts.Promotions.TryAdd(wanted);
        if (isCrowded) _parts.Moves.Count(MoveEvent.LeftCrowded);
        return false;
    }

    /// <summary>A lock that was parked is exclusive now; false: it is another one's.</summary>
    public bool TryTakeGrant(BlockLock* it)
    {
        long index = (Slot*)it->Owner - _slots;
        if (it->Owner < _slots || index >= MaxSlots) return false;
        if (_slots[index].Step == Step.Waiting) Locked((int)index);
        else Publish((int)index);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buffers.Dispose();
        NativeMemory.Free(_slots);
    }

    private bool MayBegin(long nowUs) => HasRoom && _rate.MayGo(nowUs, _parts.Options.MigrationRate);

    private bool TryRead(in WantedBlock wanted, Request* request, IBlockReader reader, long nowUs)
    {
        int index = NewSlot(wanted);
        Slot* slot = &_slots[index];
        if (!Map.Locks.TryTake(&slot->Lock)) return false;
        _underWay++;
        if (IsThere(wanted.Home) || !Map.Free.TryTake(out slot->Place))
        {
            End(index);
            return false;
        }
        slot->Reader = request;
        _reader = reader;
        Start(index, nowUs);
        return true;
    }

    // False: there is no place for it.
    private bool TryBegin()
    {
        if (Map.Free.Count == 0)
        {
            _waitsFor = _parts.Promotions.Count;
            return false;
        }
        if (!_parts.Promotions.TryTake(out WantedBlock promotion)) return false;
        if (IsRefused(promotion.Home, _queues.Io.NowUs)) return true;
        int index = NewSlot(promotion);
        Slot* slot = &_slots[index];
        slot->Step = Step.Waiting;
        _underWay++;
        // The request that made the policy want it may not have ended yet.
        if (Map.Locks.Take(&slot->Lock, _grants)) Locked(index);
        else _parts.Moves.Count(MoveEvent.Clashed);
        return true;
    }

    // Home has refused a read of it lately: it would be long about it again.
    private bool IsRefused(long home, long nowUs)
    {
        bool isRefused = _parts.Failed.Has(home, nowUs);
        if (isRefused) _parts.Moves.Count(MoveEvent.LeftUnreadable);
        return isRefused;
    }

    private void Locked(int index)
    {
        Slot* slot = &_slots[index];
        if (IsThere(slot->Promotion.Home) || !Map.Free.TryTake(out slot->Place)) End(index);
        else Start(index, _queues.Io.NowUs);
    }

    private bool IsThere(long home) => Map.Find(home) >= 0 || Map.IsLeaving(home);

    private int NewSlot(in WantedBlock promotion)
    {
        int index = 0;
        while (_slots[index].Step != Step.Free) index++;
        Slot* slot = &_slots[index];
        *slot = new Slot { Promotion = promotion };
        slot->Lock = new BlockLock
        {
            FirstBlock = promotion.Home, BlockCount = 1, Owner = slot,
            Mode = Mutant.Is(DmCacheMutant.B8FillUnlocked) ? BlockLockMode.Read : BlockLockMode.Copy,
        };
        return index;
    }
}
