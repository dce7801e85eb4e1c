using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Queue;

// What a piece meets in the directory, and what it waits for before its bytes may move. Its lock is held.
internal sealed unsafe partial class SsdCacheQueue
{
    /// <summary>What a piece has to wait for.</summary>
    [Flags]
    private enum Waits
    {
        Nothing = 0,
        /// <summary>A page that is closed.</summary>
        Page = 1,
        /// <summary>Write-back of a block that is to be written at home.</summary>
        Writeback = 2,
        /// <summary>A page that never will be open again.</summary>
        Never = 4,
    }

    private void Look(Request* request)
    {
        SsdCacheRequest* own = Own(request);
        Piece* piece = PieceOf(request);
        own->Step = RequestStep.Looking;
        piece->Count = 0;
        Waits waits = request->Kind is RequestKind.Read or RequestKind.Write ? LookAtAll(request, piece)
            : LookForCached(request, piece);
        if (waits == Waits.Nothing)
        {
            BeginMove(request, piece);
            return;
        }
        Unpin(piece);
        if (_parts.Health.CacheHasFailed) PassOn(request);
        else if ((waits & Waits.Never) != 0)
        {
            request->Result = -Errno.EIO;
            EndPiece(request);
        }
        else if ((waits & Waits.Page) != 0) AwaitOpen(request);
        else AwaitWriteback(request);
    }

    private Waits LookAtAll(Request* request, Piece* piece)
    {
        Waits waits = Waits.Nothing;
        uint last = (uint)((piece->End - 1) >> _geometry.BlockShift);
        for (uint block = piece->FirstBlock; block <= last; block++)
        {
            ref PieceBlock it = ref (*piece)[piece->Count++];
            it = new PieceBlock { Slot = _table.FindAndPin(block), Index = (ushort)(block - piece->FirstBlock) };
            if (request->Kind == RequestKind.Read) LookForRead(request, piece, ref it);
            else waits |= LookForWrite(request, block, ref it);
        }
        return waits;
    }

    // Of what becomes zero only what is cached counts. The piece ends where there is no more to remember.
    private Waits LookForCached(Request* request, Piece* piece)
    {
        Waits waits = Waits.Nothing;
        uint last = (uint)((piece->End - 1) >> _geometry.BlockShift);
        for (uint block = piece->FirstBlock; block <= last && piece->Count < Piece.MaxBlocks; block++)
        {
            int slot = _table.FindAndPin(block);
            if (slot < 0) continue;
            ref PieceBlock it = ref (*piece)[piece->Count++];
            it = new PieceBlock { Slot = slot, Index = (ushort)(block - piece->FirstBlock) };
            it.Result = LookupResult.WriteCancel;
            it.Action = LookupAction.WriteHome | LookupAction.Drop;
            waits |= BeginWriteOf(ref it);
            if (piece->Count == Piece.MaxBlocks)
                piece->Length = Math.Min(piece->End, (block + 1L) << _geometry.BlockShift) - piece->Offset;
        }
        return waits;
    }

    private void LookForRead(Request* request, Piece* piece, ref PieceBlock it)
    {
        RequestFacts facts = Own(request)->Facts;
        (int first, int count) = piece->SectorsOf(it, _geometry);
        bool isAll = it.Slot >= 0 && _table.IsValid((uint)it.Slot, first, count);
        it.Result = LookupTable.ResultOfRead(it.Slot >= 0, isAll, (facts & RequestFacts.HasWaited) != 0,
            (facts & RequestFacts.IsSequential) != 0);
        it.Action = LookupTable.ActionOf(it.Result, Own(request)->Mode, _options.DisableWriteback || _options.ReadOnly);
    }

    private Waits LookForWrite(Request* request, uint block, ref PieceBlock it)
    {
        SsdCacheRequest* own = Own(request);
        bool hasWaited = (own->Facts & RequestFacts.HasWaited) != 0;
        bool isCached = own->Mode is CacheMode.Writeback or CacheMode.Writethrough
            && (!hasWaited || _options.QueueBusy);
        bool isNew = false;
        if (it.Slot < 0 && isCached && MayInsert(request))
        {
            TakeResult taken = TakeWay(block, out it.Slot);
            isNew = taken is TakeResult.Free or TakeResult.Evicted;
            if (taken == TakeResult.Closed && _options.AsyncLookup)
            {
                (it.Result, it.Action) = (LookupResult.WriteDone, LookupAction.WriteHome);
                return Waits.Nothing;
            }
            if (taken == TakeResult.Closed) return Waits.Page;
        }
        it.Result = LookupTable.ResultOfWrite(it.Slot >= 0, isNew, hasWaited, own->Mode, _options.QueueBusy);
        it.Action = LookupTable.ActionOf(it.Result, own->Mode, _options.DisableWriteback);
        return it.Slot < 0 ? Waits.Nothing : BeginWriteOf(ref it);
    }

    private bool MayInsert(Request* request) => !_options.SkipWriteInsert && _tickets.Failure == null
        && (Own(request)->Facts & RequestFacts.IsSequential) == 0;

    private TakeResult TakeWay(uint block, out int slot)
    {
        TakeResult result = _table.TryTake(block, _options.EvictOnWrite, _pages, Tick, out uint taken);
        bool isTaken = result is TakeResult.Found or TakeResult.Free or TakeResult.Evicted;
        slot = isTaken ? (int)taken : -1;
        if (result == TakeResult.Evicted) _counters.Add(QueueCounters.Evictions, 1);
        if (result == TakeResult.Closed) WantPage(_geometry.PageOf(_geometry.SetOf(block, 0)));
        return result;
    }

    // The way is pinned: what is looked at now stays so.
    private Waits BeginWriteOf(ref PieceBlock it)
    {
        uint slot = (uint)it.Slot;
        int page = _geometry.PageOf(slot / SsdGeometry.Ways);
        bool isOpen = _pages.IsOpen(page) || Mutant.Is(SsdCacheMutant.B1ClosedPageChanged);
        Interleaving.Step();
        if (!isOpen && _tickets.Failure != null) return Waits.Never;
        if (!isOpen) WantPage(page);
        if (!isOpen) return Waits.Page;
        _pages.Touch(page, NowSecond);
        bool goesHome = (it.Action & LookupAction.WriteHome) != 0;
        if (!_table.BeginWrite(slot, goesHome)) return Waits.Writeback;
        it.IsWriter = true;
        return Waits.Nothing;
    }

    private void WantPage(int page) => _pages.Want(page);

    private uint NowSecond => (uint)(_io.NowUs / 1_000_000);

    // Somebody waits for a block that is written back: it goes on at once.
    private void AwaitWriteback(Request* request)
    {
        _starved.Add(request);
        _parts.Drains.Hurry();
        if (_index != 0) _parts.Queues.WakeFirst();
    }

    private void AwaitOpen(Request* request)
    {
        Own(request)->Step = RequestStep.Opening;
        Own(request)->Ticket = _tickets.AskOpen();
        _opening.Add(request);
        _counters.Add(QueueCounters.OpenWaits, 1);
        if (_index != 0) _parts.Queues.WakeFirst();
    }

    // The wake of a commit that fails comes once; one that begins to wait later in a turn ends in the next.
    private bool AwaitsNothing => _tickets.Failure != null && (!_opening.IsEmpty || !_flushing.IsEmpty);

    private void RetryOpening()
    {
        RequestList waiting = _opening;
        _opening = default;
        while (!waiting.IsEmpty)
        {
            Request* request = waiting.Take();
            if (_tickets.AreOpen(Own(request)->Ticket) || _tickets.Failure != null) Look(request);
            else _opening.Add(request);
        }
    }

    // What the piece has pinned, and what it has begun to write.
    private void Unpin(Piece* piece)
    {
        for (int i = 0; i < piece->Count; i++)
        {
            ref PieceBlock it = ref (*piece)[i];
            if (it.Slot < 0) continue;
            if (it.IsWriter) _table.EndWrite((uint)it.Slot);
            _table.Unpin((uint)it.Slot);
        }
        piece->Count = 0;
    }

    private void Release(Request* request, Piece* piece)
    {
        Unpin(piece);
        if ((Own(request)->Facts & RequestFacts.IsLocked) == 0) return;
        Own(request)->Facts &= ~RequestFacts.IsLocked;
        _parts.Locks.Release(&Own(request)->Lock);
    }
}
