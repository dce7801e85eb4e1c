using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>One thread with a queue of its own: keeps requests under way and judges what comes back.</summary>
internal sealed unsafe class StressClient
{
    private const int Depth = 12, Eshutdown = 108, SlotBytes = (StressDisk.StripeMax * SectorTag.Bytes) + 8192;
    private const long StopPatienceUs = 60_000_000, SleepUs = 500;

    private readonly StressDisk[] _disks;
    private readonly int _owner;
    private readonly int _owners;
    private readonly Slot[] _slots = new Slot[Depth];
    private readonly bool[,] _busy;
    private Prng _random;
    private ulong _lastWrite;

    public StressClient(StressDisk[] disks, int owner, int owners)
    {
        (_disks, _owner, _owners, _random) = (disks, owner, owners, new Prng((ulong)owner));
        _busy = new bool[disks.Length, StressDisk.StripeCount];
        for (int i = 0; i < Depth; i++) _slots[i] = new Slot();
    }

    public long Answers { get; private set; }

    /// <summary>Requests that were refused because their device was on its way out.</summary>
    public long Refusals { get; private set; }

    /// <summary>Serves its queue until it is over, takes every answer, and stops it in order.</summary>
    public void Run(IVolume volume, Contention contention, Func<bool> isOver)
    {
        using RingContext io = new();
        using AlignedMemory data = new(Depth * SlotBytes), requests = new(4096);
        IVolumeQueue queue = volume.OpenQueue(_owner, io);
        for (int i = 0; i < Depth; i++)
            ((Request*)requests.Pointer)[i] = new Request { FrontendInt = i, Data = data.Pointer + (i * SlotBytes) };
        int underWay = 0;
        while (!contention.HasFailed && (!isOver() || underWay > 0))
        {
            for (int i = 0; i < Depth && !isOver(); i++)
                if (!_slots[i].IsUsed && TryBegin(queue, &((Request*)requests.Pointer)[i])) underWay++;
            QueueDriver.Turn(io, queue, SleepUs);
            for (Request* done; (done = queue.TakeCompleted()) != null; underWay--) End(done);
        }
        if (contention.HasFailed) return;
        queue.BeginStop();
        for (long endUs = io.NowUs + StopPatienceUs; !queue.StopStatus.IsOver && io.NowUs < endUs;)
            QueueDriver.Turn(io, queue, SleepUs);
        Assert.Equal(StopStatus.Stopped, queue.StopStatus);
    }

    private bool TryBegin(IVolumeQueue queue, Request* request)
    {
        Slot slot = _slots[request->FrontendInt];
        slot.Disk = _random.Below(_disks.Length);
        slot.Stripe = StressDisk.AnyStripe(ref _random, _owner, _owners);
        if (_busy[slot.Disk, slot.Stripe] || !_disks[slot.Disk].TryBegin(out ushort device)) return false;
        (int first, int count) = StressDisk.StripeOf(slot.Stripe);
        int from = _random.Chance(50) ? 0 : _random.Below(count);
        slot.First = first + from;
        slot.Count = _random.Chance(50) ? count - from : 1 + _random.Below(count - from);
        slot.IsUsed = _busy[slot.Disk, slot.Stripe] = true;
        Prepare(request, slot);
        request->Device = device;
        queue.Submit(request);
        return true;
    }

    private void Prepare(Request* request, Slot slot)
    {
        int pick = _random.Below(100);
        request->Kind = pick < 45 ? RequestKind.Write : pick < 88 ? RequestKind.Read : pick < 92 ? RequestKind.Flush
            : pick < 96 ? RequestKind.Discard : RequestKind.WriteZeroes;
        request->Flags = pick % 10 == 0 && request->Kind is not (RequestKind.Read or RequestKind.Flush)
            ? RequestFlags.Fua
            : RequestFlags.None;
        slot.Kind = request->Kind;
        // A request's memory begins where its first sector would lie in a block.
        byte* memory = (byte*)((ulong)request->Data & ~4095UL);
        request->Data = memory + (slot.First * SectorTag.Bytes % 4096);
        request->OffsetBytes = request->Kind == RequestKind.Flush ? 0 : (long)slot.First * SectorTag.Bytes;
        request->LengthBytes = request->Kind == RequestKind.Flush ? 0 : (long)slot.Count * SectorTag.Bytes;
        if (slot.Kind is RequestKind.Read or RequestKind.Flush) return;
        ulong id = slot.Kind == RequestKind.Write ? (++_lastWrite << 8) | (uint)_owner + 1 : 0;
        if (id != 0) _disks[slot.Disk].Fill(request->Data, slot.First, slot.Count, id);
        _disks[slot.Disk].Expect(slot.First, slot.Count, id, slot.Before);
    }

    private void End(Request* request)
    {
        Slot slot = _slots[request->FrontendInt];
        StressDisk disk = _disks[slot.Disk];
        bool refused = request->Result == -Eshutdown && disk.MayGo;
        Assert.True(refused || request->Result == 0, $"{disk.Name}: {slot.Kind} of {slot.Count} sectors at "
            + $"{slot.First} ended with {request->Result}");
        bool changes = slot.Kind is not (RequestKind.Read or RequestKind.Flush);
        if (refused && changes) disk.TakeBack(slot.First, slot.Count, slot.Before);
        string? wrong = refused || slot.Kind != RequestKind.Read
            ? null
            : disk.Judge(request->Data, slot.First, slot.Count);
        Assert.True(wrong == null, wrong);
        slot.IsUsed = _busy[slot.Disk, slot.Stripe] = false;
        if (refused) Refusals++;
        Answers++;
        disk.End();
    }

    private sealed class Slot
    {
        public readonly ulong[] Before = new ulong[StressDisk.StripeMax];
        public bool IsUsed;
        public int Disk;
        public int Stripe;
        public int First;
        public int Count;
        public RequestKind Kind;
    }
}
