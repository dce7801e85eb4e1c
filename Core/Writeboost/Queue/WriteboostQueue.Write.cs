using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <content>Writes: each piece takes a log slot, is copied, then summed, published and indexed.</content>
internal sealed unsafe partial class WriteboostQueue
{
    // Of the reservation being filled: slots before the first are in memory already, the second ends it.
    private int _fetchedEnd;
    private int _takenEnd;

    private bool TryFillWrite(Request* request)
    {
        while (Own(request)->Progress < request->LengthBytes)
        {
            long first = request->OffsetBytes + Own(request)->Progress;
            long end = request->OffsetBytes + request->LengthBytes;
            long blocks = ((end - 1) >> Geometry.BlockShift) - (first >> Geometry.BlockShift) + 1;
            if (!TryAppend(request, (int)Math.Min(blocks, SegmentCursor.MaxTake))) return false;
        }
        return true;
    }

    // What changes is announced before a slot is taken (R10).
    private bool TryAppend(Request* request, int slots)
    {
        StripedVersions changes = _changes;
        ulong key = KeyOf(request, request->OffsetBytes + Own(request)->Progress);
        bool around = changes.BeginLogging(key, slots);
        Interleaving.Step();
        bool meets = around && _around.MustWait(key, key + (ulong)slots);
        _meetsAround |= meets;
        bool done = !meets && AppendTo(request, slots);
        changes.EndLogging(key, slots);
        return done;
    }

    private bool TryAppendRange(Request* request)
    {
        _changes.BeginRange();
        ulong key = KeyOf(request, request->OffsetBytes + Own(request)->Progress);
        bool meets = _around.MustWait(key, key + (ulong)RangeBlocks(request));
        _meetsAround |= meets;
        bool done = !meets && AppendTo(request, 1);
        _changes.EndRange();
        return done;
    }

    // All bytes are in memory before a slot is taken, or in a driver's request that gives them without fail (R3): every
    // slot that is taken is filled.
    private bool AppendTo(Request* request, int slots)
    {
        // Its bucket is on its way into the caches while the block is copied, its versions while it is summed.
        _blocks.Prefetch(KeyOf(request, request->OffsetBytes + Own(request)->Progress));
        if (!TryAdmit(request, slots) || !_appender.TryReserve(slots, out Reservation taken)) return false;
        Invariant.Check(taken.Count > 0);
        Invariant.Check(taken.Count <= slots);
        Own(request)->Ticket = 0;
        // A new segment: time to look how many are left.
        if (taken.First == 1 && _index != 0) _queues.WakeFirst();
        if (Mutant.Is(WriteboostMutant.R3SlotAbandoned) && slots > 8 && Own(request)->ReadState++ == 0) return false;
        Interleaving.Step();
        (_fetchedEnd, _takenEnd) = (0, taken.First + taken.Count);
        RequestFiller filler = new(this, request);
        _appender.Fill(taken, ref filler);
        return true;
    }

    private void FillSlot(Request* request, in LogSlot slot)
    {
        if (Mutant.Is(WriteboostMutant.R1PublishedFirst)) _appender.Stamp(slot);
        if (request->Kind == RequestKind.Write) FillData(request, slot);
        else FillZero(request, slot);
        Own(request)->WaitPosition = slot.Position + 1;
    }

    private void FillData(Request* request, in LogSlot slot)
    {
        long offset = request->OffsetBytes + Own(request)->Progress;
        int within = (int)(offset & (Geometry.BlockBytes - 1));
        int length = (int)Math.Min(Geometry.BlockBytes - within, request->LengthBytes - Own(request)->Progress);
        byte* data = _appender.Data(slot);
        ulong key = KeyOf(request, offset);
        byte* source = data;
        if (length < Geometry.BlockBytes) CopyPart(request, data, within, length);
        else if (request->Fetch != null) FetchRun(request, data, slot.Index);
        else BlockSum.Copy(data, source = request->Data + Own(request)->Progress);
        _blocks.PrefetchVersion(key);
        if (request->LengthBytes - Own(request)->Progress > length) _blocks.Prefetch(key + 1);
        uint checksum = BlockSum.Compute(source);
        Own(request)->Progress += length;
        Publish(slot, LogEntry.ForData(key, SectorMask.Of(within, length), checksum));
    }

    // Slots of one reservation lie side by side in memory, up to the next that is kept for a header: one call for all.
    private void FetchRun(Request* request, byte* data, int slot)
    {
        if (slot < _fetchedEnd) return;
        int boundary = _log.Geometry.BoundarySlots;
        int end = Math.Min(Math.Min(_takenEnd, _geometry.SlotsPerSegment + 1), (slot | (boundary - 1)) + 1);
        long blocks = (request->LengthBytes - Own(request)->Progress) >> Geometry.BlockShift;
        int count = (int)Math.Min(end - slot, blocks);
        Invariant.Check(count > 0);
        request->Fetch(request, Own(request)->Progress, data, count << Geometry.BlockShift);
        _fetchedEnd = slot + count;
    }

    private static void CopyPart(Request* request, byte* data, int within, int length)
    {
        new Span<byte>(data, Geometry.BlockBytes).Clear();
        if (request->Fetch != null) request->Fetch(request, Own(request)->Progress, data + within, length);
        else Buffer.MemoryCopy(request->Data + Own(request)->Progress, data + within, length, length);
    }

    private void Publish(in LogSlot slot, in LogEntry entry)
    {
        _appender.Publish(slot, entry);
        FoundIn former = _versions.Enter(entry, slot.Position);
        if (entry.Kind == EntryKind.Data) _counters.CountPiece(true, former, entry.Sectors == SectorMask.Full);
    }

    private void FinishChange(Request* request)
    {
        // Whoever is told that a write is kept had all of it logged (R3).
        Invariant.Check(request->Kind != RequestKind.Write || Own(request)->Progress == request->LengthBytes);
        Invariant.Check(!Own(request)->HasBudget);
        bool durable = (request->Flags & RequestFlags.Fua) != 0 || !_memory.Outlives;
        if (durable && !Mutant.Is(WriteboostMutant.R6FuaIgnored)) WaitFor(request, Own(request)->WaitPosition);
        else Complete(request, 0);
    }

    private readonly struct RequestFiller(WriteboostQueue queue, Request* request) : ISlotFiller
    {
        public void Fill(in LogSlot slot) => queue.FillSlot(request, slot);
    }

    // The log's numbers start at 1.
    private static int IdOf(Request* request) => request->Device + BackingTable.MinId;

    private static ulong KeyOf(Request* request, long offsetBytes) => BackingTable.KeyOf(IdOf(request), offsetBytes);

    private static ulong KeyOf(int device, long offsetBytes) =>
        BackingTable.KeyOf(device + BackingTable.MinId, offsetBytes);

    private long SizeOf(Request* request) => _devices.Of(KeyOf(request, 0)).SizeBytes;
}
