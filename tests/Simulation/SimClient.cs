using System;
using System.Runtime.InteropServices;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>
/// The client of one life: request slots with memory, the loop that turns every queue, and the check of every reply
/// against the history.
/// </summary>
public sealed unsafe class SimClient : IDisposable
{
    private const int Slots = 32;
    private const int SlotBytes = (256 << 10) + 8192;
    private const int TurnsUntilStuck = 400_000;
    private readonly SimWorld _world;
    private readonly History _history;
    private readonly SimContext[] _contexts;
    private readonly IVolumeQueue[] _queues;
    private readonly Request* _requests;
    private readonly byte* _memory;
    private readonly SlotState[] _state = new SlotState[Slots];
    private readonly int _faultsBefore;

    private struct SlotState
    {
        public bool Busy;
        public int Write;
        public long Submitted;
        public ulong[]? Image;
    }

    public SimClient(SimWorld world, History history, IVolume volume, SimContext[] contexts)
    {
        _world = world;
        _history = history;
        _contexts = contexts;
        _faultsBefore = world.Faults;
        _requests = (Request*)NativeMemory.AllocZeroed(Slots, (nuint)sizeof(Request));
        _memory = (byte*)SimMemory.Rent(Slots * (long)SlotBytes, clear: false);
        _queues = new IVolumeQueue[contexts.Length];
        for (int i = 0; i < _queues.Length; i++) _queues[i] = volume.OpenQueue(i, contexts[i]);
    }

    /// <summary>Requests under way.</summary>
    public int Outstanding { get; private set; }

    /// <summary>A device has failed in this life: requests may fail too.</summary>
    public bool MayFail => TolerateErrors || _world.Faults > _faultsBefore;

    /// <summary>Errors are expected (bit rot).</summary>
    public bool TolerateErrors { get; set; }

    /// <summary>Where imitations take their bytes from.</summary>
    public SimMedia? ImitationSource { get; set; }

    /// <summary>Submits to a random queue. False: no slot, or it overlaps one under way and must not.</summary>
    public bool TrySubmit(in PlannedRequest plan, bool mayOverlap)
    {
        int slot = Array.FindIndex(_state, s => !s.Busy);
        if (slot < 0 || (!mayOverlap && Overlaps(plan))) return false;
        Submit(slot, plan, null);
        return true;
    }

    /// <summary>Reads everything, as values; <see cref="CrashOracle.Unknown"/> where that fails.</summary>
    public void ReadAll(ulong[] image, long sizeBytes) => ReadAll(image, sizeBytes, 128 << 10);

    /// <summary>The same, block by block, so that an error hides one block only.</summary>
    public void ReadAllPieces(ulong[] image, long sizeBytes) => ReadAll(image, sizeBytes, 4096);

    private void ReadAll(ulong[] image, long sizeBytes, int step)
    {
        for (long at = 0; at < sizeBytes; at += step)
        {
            int slot;
            while ((slot = Array.FindIndex(_state, 0, 4, s => !s.Busy)) < 0) Turn(true, long.MaxValue);
            long length = Math.Min(step, sizeBytes - at);
            Submit(slot, new PlannedRequest { Kind = RequestKind.Read, OffsetBytes = at, LengthBytes = length }, image);
        }
        Drain();
    }

    /// <summary>Turns until nothing is under way.</summary>
    public void Drain()
    {
        for (int turns = 0; Outstanding > 0; turns++)
        {
            if (turns > TurnsUntilStuck) throw new SimStuckException(Outstanding + " requests never complete");
            Turn(true, long.MaxValue);
        }
    }

    /// <summary>Lets <paramref name="us"/> pass.</summary>
    public void Idle(long us)
    {
        long until = _world.NowUs + us;
        for (int turns = 0; _world.NowUs < until && turns < 5_000; turns++) Turn(true, until);
    }

    /// <summary>One turn of every queue's loop; sleeps only when no queue has anything to do.</summary>
    public void Turn(bool wait, long limitUs)
    {
        bool busy = false;
        for (int i = 0; i < _queues.Length; i++)
        {
            _queues[i].Poll(_world.NowUs);
            _contexts[i].RunCompletions();
            Reap(_queues[i]);
            bool pending = _contexts[i].PendingCount > 0;
            _contexts[i].Pump(wait && pending && !_contexts[i].HasCompletions, _world.NowUs);
            busy |= pending | _contexts[i].RunCompletions() > 0;
            Reap(_queues[i]);
        }
        if (!wait || busy) return;
        foreach (IVolumeQueue q in _queues) limitUs = Math.Min(limitUs, q.DeadlineUs);
        _contexts[0].Pump(true, limitUs);
    }

    /// <summary>Drains, as a frontend does, and stops (R15). The worst result of all queues: 1 is good.</summary>
    public int Stop()
    {
        Drain();
        foreach (IVolumeQueue q in _queues) q.BeginStop();
        for (int turns = 0; turns < TurnsUntilStuck; turns++)
        {
            int worst = 1;
            foreach (IVolumeQueue q in _queues) worst = Math.Min(worst, q.StopResult);
            bool waiting = Array.Exists(_queues, q => q.StopResult == 0);
            if (!waiting && Outstanding == 0) return worst;
            Turn(true, long.MaxValue);
        }
        throw new SimStuckException("the stop never ends");
    }

    /// <summary>
    /// Compares block status with the shown image, while nothing is under way: an extent said to be zero must be.
    /// </summary>
    public void CheckBlockStatus(long offsetBytes, long lengthBytes, ulong[] image)
    {
        Span<Extent> extents = stackalloc Extent[16];
        int count = _queues[0].BlockStatus(0, offsetBytes, lengthBytes, extents);
        if (count < 1) throw new SimViolationException("block status returned no extent");
        long at = offsetBytes;
        for (int i = 0; i < count; i++)
        {
            long end = Math.Min(image.Length * 512L, at + extents[i].LengthBytes);
            for (long x = at / 512; (extents[i].Flags & 2) != 0 && x < end / 512; x++)
            {
                if (image[x] != 0) throw new SimViolationException($"block status says zero, sector {x} is not");
            }
            at = end;
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_requests);
        SimMemory.Return((nint)_memory);
    }

    private bool Overlaps(in PlannedRequest plan)
    {
        for (int i = 0; i < Slots; i++)
        {
            if (!_state[i].Busy || _requests[i].LengthBytes == 0) continue;
            long end = _requests[i].OffsetBytes + _requests[i].LengthBytes;
            if (plan.OffsetBytes < end && _requests[i].OffsetBytes < plan.OffsetBytes + plan.LengthBytes) return true;
        }
        return false;
    }

    private void Submit(int slot, in PlannedRequest plan, ulong[]? image)
    {
        Request* r = &_requests[slot];
        *r = default;
        (r->Kind, r->Flags) = (plan.Kind, plan.Flags);
        (r->OffsetBytes, r->LengthBytes) = (plan.OffsetBytes, plan.LengthBytes);
        r->Cookie = (ulong)slot;
        byte* memory = _memory + slot * (long)SlotBytes;
        int write = 0;
        if (plan.Kind == RequestKind.Read) r->Data = memory + (plan.OffsetBytes & 4095);
        else if (plan.Kind != RequestKind.Flush) write = Record(plan, r, memory);
        long now = write != 0 ? _history.Writes[write].Submitted : _history.Tick();
        _state[slot] = new SlotState { Busy = true, Write = write, Submitted = now, Image = image };
        Outstanding++;
        _world.Note(SimEvent.ClientSubmit, write, plan.OffsetBytes / 512, plan.LengthBytes / 512, Text(r));
        _queues[_world.Random.Below(_queues.Length)].Submit(r);
    }

    private int Record(in PlannedRequest plan, Request* r, byte* memory)
    {
        long first = plan.OffsetBytes / 512;
        long count = plan.LengthBytes / 512;
        bool fua = (plan.Flags & RequestFlags.Fua) != 0;
        int write = _history.Submit(plan.Kind, fua, first, count);
        if (plan.Kind == RequestKind.Write)
        {
            r->Data = memory + _world.Random.Below(4096);
            if (plan.Echo != 0) SectorTag.FillEcho(r->Data, first, count, plan.Echo);
            else if (!plan.Imitates || !Imitate(r->Data)) SectorTag.Fill(r->Data, first, count, (ulong)write);
        }
        for (long i = 0; i < count; i++)
        {
            bool tagged = plan.Kind == RequestKind.Write;
            _history.Add(write, first + i, tagged ? SectorTag.Parse(r->Data + i * 512, first + i) : 0);
        }
        return write;
    }

    /// <summary>Copies a block of the cache device that is not client data: a header, old or new.</summary>
    private bool Imitate(byte* data)
    {
        if (ImitationSource == null) return false;
        for (int attempt = 0; attempt < 40; attempt++)
        {
            byte* block = ImitationSource.Current + _world.Random.Below(ImitationSource.SizeBytes / 4096) * 4096;
            if (SectorTag.HasMagic(block, 8) || SectorTag.Parse(block, 0) == 0) continue;
            Buffer.MemoryCopy(block, data, 4096, 4096);
            return true;
        }
        return false;
    }

    private void Reap(IVolumeQueue queue)
    {
        Request* r;
        while ((r = queue.TakeCompleted()) != null)
        {
            int slot = (int)r->Cookie;
            SlotState s = _state[slot];
            if (r != &_requests[slot] || !s.Busy) throw new SimViolationException("a request completed twice");
            _state[slot].Busy = false;
            Outstanding--;
            _world.Note(SimEvent.ClientComplete, s.Write, r->OffsetBytes / 512, r->Result, Text(r));
            if (r->Result == 0 || IsRefusedFastZero(r)) Succeeded(r, s);
            else if (!MayFail) throw new SimViolationException($"{Text(r)} failed with {r->Result} on healthy devices");
            else if (s.Image != null) Array.Fill(s.Image, CrashOracle.Unknown, First(r), Count(r));
        }
    }

    private static bool IsRefusedFastZero(Request* r) => r->Result == -95 && (r->Flags & RequestFlags.FastZero) != 0;

    private void Succeeded(Request* r, in SlotState s)
    {
        if (r->Result != 0) return; // refused: nothing may have happened, nothing is promised
        switch (r->Kind)
        {
            case RequestKind.Read:
                CheckRead(r, s);
                break;
            case RequestKind.Flush:
                _history.AcknowledgeFlush(s.Submitted);
                break;
            default:
                _history.Acknowledge(s.Write);
                if (r->Data != null) new Span<byte>(r->Data, (int)r->LengthBytes).Fill(0xDD);
                break;
        }
    }

    private void CheckRead(Request* r, in SlotState s)
    {
        long now = _history.Tick();
        for (int i = 0; i < Count(r); i++)
        {
            byte* data = r->Data + i * 512;
            ulong value = SectorTag.Parse(data, First(r) + i);
            if (s.Image != null) s.Image[First(r) + i] = value;
            if (s.Image != null || _history.ReadAllowed(First(r) + i, value, s.Submitted, now)) continue;
            string found = SectorTag.Describe(data, First(r) + i);
            throw new SimViolationException(
                $"a read submitted at {s.Submitted} returned {found} for sector {First(r) + i} at {now}"
                + _history.Explain(First(r) + i));
        }
    }

    private static int First(Request* r) => (int)(r->OffsetBytes / 512);

    private static int Count(Request* r) => (int)(r->LengthBytes / 512);

    private string? Text(Request* r) =>
        _world.Trace == null ? r->Kind.ToString() : r->Flags == 0 ? r->Kind.ToString() : $"{r->Kind} {r->Flags}";
}
