using System;
using System.Collections.Generic;
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
    private const int ShutDown = -108;
    private const int BeginStop = -1, Call = -2;

    /// <summary>A queue that stops looks again after so long, as its thread does.</summary>
    private const long StopTurnUs = 1000;

    private readonly SimWorld _world;
    private readonly History _history;
    private readonly SimDisks _disks;
    private readonly ushort[] _numbers;
    private readonly IVolume _volume;
    private readonly SimContext[] _contexts;
    private readonly IVolumeQueue[] _queues;
    private readonly Request* _requests;
    private readonly byte* _memory;
    private readonly SlotState[] _state = new SlotState[Slots];
    private readonly int _faultsBefore;
    private readonly Queue<int>[] _inboxes;
    private readonly SimThreads? _threads;
    private Action? _call;
    private bool _stopping;

    private struct SlotState
    {
        public bool Busy;
        public int Write;
        public long Submitted;
        public long Offset;
        public int Disk;
        public bool MayBeRefused;
        public ulong[]? Image;
    }

    /// <summary>
    /// A client of <paramref name="volume"/>; <paramref name="numbers"/> are those of its <paramref name="disks"/>.
    /// </summary>
    public SimClient(
        SimWorld world, History history, SimDisks disks, ushort[] numbers, IVolume volume, SimContext[] contexts)
    {
        _world = world;
        _history = history;
        _disks = disks;
        (_numbers, _volume) = (numbers, volume);
        _contexts = contexts;
        _faultsBefore = world.Faults;
        _requests = (Request*)NativeMemory.AllocZeroed(Slots, (nuint)sizeof(Request));
        _memory = (byte*)SimMemory.Rent(Slots * (long)SlotBytes, clear: false);
        _queues = new IVolumeQueue[contexts.Length];
        _inboxes = new Queue<int>[contexts.Length];
        for (int i = 0; i < _queues.Length; i++) _inboxes[i] = new Queue<int>();
        if (contexts.Length > 1) _threads = new SimThreads(world);
        try
        {
            OpenQueues(volume);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private void OpenQueues(IVolume volume)
    {
        if (_threads == null)
        {
            _queues[0] = volume.OpenQueue(0, _contexts[0]);
            return;
        }
        for (int i = 0; i < _queues.Length; i++)
        {
            int index = i;
            _threads.Add(
                _contexts[i], () => _queues[index] = volume.OpenQueue(index, _contexts[index]), () => TurnQueue(index));
        }
        while (Array.Exists(_queues, q => q == null)) Turn(true, long.MaxValue);
    }

    /// <summary>Requests under way.</summary>
    public int Outstanding { get; private set; }

    /// <summary>A device has failed in this life: requests may fail too.</summary>
    public bool MayFail => TolerateErrors || _world.Faults > _faultsBefore || LacksDevice?.Invoke() == true;

    /// <summary>Requests like this one have to succeed, whatever has failed.</summary>
    public Func<RequestKind, RequestFlags, bool>? MustServe { get; init; }

    /// <summary>The volume takes no changes because of an absent device.</summary>
    public Func<bool>? LacksDevice { get; init; }

    /// <summary>Errors are expected (bit rot).</summary>
    public bool TolerateErrors { get; set; }

    /// <summary>Requests to this device may be refused: it is about to go; -1 for none.</summary>
    public int Leaving { get; private set; } = -1;

    /// <summary>Requests may wait for a resume: nobody has forgotten them.</summary>
    public bool IsHeld { get; set; }

    /// <summary>From now on, or, with -1, no longer.</summary>
    public void BeginLeaving(int disk)
    {
        Leaving = disk;
        foreach (ref SlotState s in _state.AsSpan()) s.MayBeRefused |= s.Busy && s.Disk == disk;
    }

    /// <summary>The device is called so from now on.</summary>
    public void Number(int disk, ushort number) => _numbers[disk] = number;

    /// <summary>Data to write lies as it will on the device, as the frontends have it.</summary>
    public bool AlignsWrites { get; set; }

    /// <summary>Where imitations take their bytes from.</summary>
    public SimMedia? ImitationSource { get; set; }

    /// <summary>
    /// Submits to a random queue what of it lies on one device that is there. False: no slot, or it overlaps one under
    /// way and must not.
    /// </summary>
    public bool TrySubmit(PlannedRequest plan, bool mayOverlap)
    {
        bool isFlush = plan.Kind == RequestKind.Flush;
        if (isFlush) plan.OffsetBytes = _disks.IsAbsent(0) ? _disks.StartOf(1) : 0;
        else if (_disks.IsAbsent(_disks.At(plan.OffsetBytes))) return true;
        else plan.LengthBytes = Clip(plan.OffsetBytes, plan.LengthBytes);
        if (!isFlush && plan.LengthBytes <= 0) return true;
        int slot = Array.FindIndex(_state, s => !s.Busy);
        if (slot < 0 || (!mayOverlap && Overlaps(plan))) return false;
        Submit(slot, plan, null);
        return true;
    }

    /// <summary>Reads everything, as values; <see cref="SectorTag.Unknown"/> where that fails.</summary>
    public void ReadAll(ulong[] image) => ReadAll(image, 128 << 10);

    /// <summary>The same, block by block, so that an error hides one block only.</summary>
    public void ReadAllPieces(ulong[] image) => ReadAll(image, 4096);

    private void ReadAll(ulong[] image, int step)
    {
        long length;
        for (long at = 0; at < _disks.SizeBytes; at += length)
        {
            length = at < SeenBytes ? Clip(at, step) : _disks.SizeBytes - at;
            if (_disks.IsAbsent(_disks.At(at)))
            {
                Array.Fill(image, SectorTag.Unknown, (int)(at / 512), (int)(length / 512));
                continue;
            }
            if (at >= SeenBytes)
            {
                for (long x = at / 512; x < image.Length; x++) image[x] = SectorTag.Parse(_disks.Sector(x), x);
                break;
            }
            int slot;
            while ((slot = Array.FindIndex(_state, 0, 4, s => !s.Busy)) < 0) Turn(true, long.MaxValue);
            Submit(slot, new PlannedRequest { Kind = RequestKind.Read, OffsetBytes = at, LengthBytes = length }, image);
        }
        Drain();
    }

    // What a backing device that has grown, or will, has behind that, nobody can ask for.
    private long SeenBytes => _disks.Count == 1 ? _volume.Exports[0].SizeBytes : _disks.SizeBytes;

    private long Clip(long at, long length) => Math.Min(_disks.Clip(at, length), SeenBytes - at);

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

    /// <summary>
    /// Lets one queue that has something to do run, a turn or part of one. When none has, and <paramref name="wait"/>,
    /// time passes until one has, or until <paramref name="limitUs"/>.
    /// </summary>
    public void Turn(bool wait, long limitUs)
    {
        long nextUs;
        if (_threads != null)
        {
            if (_threads.RunOne(out nextUs)) return;
        }
        else
        {
            nextUs = DeadlineUs(0);
            if (_contexts[0].IsAwake || nextUs <= _world.NowUs)
            {
                TurnQueue(0);
                return;
            }
        }
        if (wait) PassTime(nextUs, limitUs);
    }

    /// <summary>One turn of a queue's loop, in the order of the product's, on the queue's thread.</summary>
    private void TurnQueue(int index)
    {
        (SimContext context, IVolumeQueue queue) = (_contexts[index], _queues[index]);
        context.Pump(!context.HasCompletions && _inboxes[index].Count == 0, DeadlineUs(index));
        context.RunCompletions();
        while (_inboxes[index].TryDequeue(out int what)) Take(queue, what);
        queue.Poll(_world.NowUs);
        Reap(queue);
        // Its thread ends here, and the context with it.
        context.IsClosed = queue.StopStatus.IsOver;
        _threads?.EndTurn();
    }

    private void Take(IVolumeQueue queue, int what)
    {
        if (what == BeginStop) queue.BeginStop();
        else if (what == Call) _call!();
        else queue.Submit(&_requests[what]);
    }

    private long DeadlineUs(int index)
    {
        if (_contexts[index].IsClosed) return long.MaxValue;
        long deadlineUs = _queues[index].DeadlineUs;
        return _stopping ? Math.Min(deadlineUs, _world.NowUs + StopTurnUs) : deadlineUs;
    }

    private void Post(int index, int what)
    {
        _inboxes[index].Enqueue(what);
        _contexts[index].Wake();
    }

    /// <summary>Every queue sleeps, no device works: whoever waits now waits for a timer, or for ever.</summary>
    private void PassTime(long nextUs, long limitUs)
    {
        if (Outstanding > 0 && !_stopping && !MayFail && !IsHeld) CheckNobodyForgotten();
        long untilUs = Math.Min(nextUs, limitUs);
        if (untilUs == long.MaxValue) throw new SimStuckException($"{Outstanding} requests wait for nothing");
        _world.Advance(Math.Clamp(untilUs - _world.NowUs, 1, 1_000_000));
    }

    /// <summary>Reads and flushes wait for devices only; changes may wait for room, which write-back makes.</summary>
    private void CheckNobodyForgotten()
    {
        for (int i = 0; i < Slots; i++)
        {
            if (!_state[i].Busy || _requests[i].Kind is not (RequestKind.Read or RequestKind.Flush)) continue;
            throw new SimStuckException($"a {_requests[i].Kind} waits for a timer: a wake-up was lost");
        }
    }

    /// <summary>Drains, as a frontend does, and stops (R15). How all queues together have ended.</summary>
    public StopStatus Stop()
    {
        Drain();
        _stopping = true;
        for (int i = 0; i < _queues.Length; i++) Post(i, BeginStop);
        for (int turns = 0; turns < TurnsUntilStuck; turns++)
        {
            StopStatus all = StopStatus.Stopped;
            foreach (IVolumeQueue queue in _queues) all = StopStatus.Both(all, queue.StopStatus);
            if (all.IsOver && Outstanding == 0) return all;
            Turn(true, long.MaxValue);
        }
        throw new SimStuckException($"the stop never ends: {_queues[0].Background?.Awaited} is awaited");
    }

    /// <summary>
    /// Compares block status with the shown image, while nothing is under way: an extent said to be zero must be.
    /// </summary>
    public void CheckBlockStatus(long offsetBytes, long lengthBytes, ulong[] image)
    {
        int disk = _disks.At(offsetBytes);
        if (_disks.IsAbsent(disk) || offsetBytes >= SeenBytes) return;
        lengthBytes = Clip(offsetBytes, lengthBytes);
        long within = offsetBytes - _disks.StartOf(disk);
        var extents = new Extent[16];
        int count = 0;
        bool called = false;
        _call = () =>
            (called, count) = (true, _queues[0].BlockStatus(
                _numbers[disk], StatusContext.Allocation, within, lengthBytes, extents));
        Post(0, Call);
        while (!called) Turn(true, long.MaxValue);
        if (count < 1) throw new SimViolationException("block status returned no extent");
        long at = offsetBytes;
        for (int i = 0; i < count; i++)
        {
            long end = Math.Min(at + _disks.Clip(at, long.MaxValue), at + extents[i].LengthBytes);
            for (long x = at / 512; (extents[i].Flags & 2) != 0 && x < end / 512; x++)
            {
                if (image[x] != 0) throw new SimViolationException($"block status says zero, sector {x} is not");
            }
            at = end;
        }
    }

    /// <summary>Ends the queues' threads where they stand, before anything of the volume goes.</summary>
    public void Dispose()
    {
        _threads?.Dispose();
        NativeMemory.Free(_requests);
        SimMemory.Return((nint)_memory);
    }

    private bool Overlaps(in PlannedRequest plan)
    {
        for (int i = 0; i < Slots; i++)
        {
            if (!_state[i].Busy || _requests[i].LengthBytes == 0) continue;
            long end = _state[i].Offset + _requests[i].LengthBytes;
            if (plan.OffsetBytes < end && _state[i].Offset < plan.OffsetBytes + plan.LengthBytes) return true;
        }
        return false;
    }

    private void Submit(int slot, in PlannedRequest plan, ulong[]? image)
    {
        Request* r = &_requests[slot];
        *r = default;
        (r->Kind, r->Flags) = (plan.Kind, plan.Flags);
        int disk = _disks.At(plan.OffsetBytes);
        (r->Device, r->LengthBytes) = (_numbers[disk], plan.LengthBytes);
        r->OffsetBytes = plan.OffsetBytes - _disks.StartOf(disk);
        r->Cookie = (ulong)slot;
        byte* memory = _memory + slot * (long)SlotBytes;
        int write = 0;
        if (plan.Kind == RequestKind.Read) r->Data = memory + (plan.OffsetBytes & 4095);
        else if (plan.Kind != RequestKind.Flush) write = Record(plan, r, memory);
        long now = write != 0 ? _history.Writes[write].Submitted : _history.Tick();
        _state[slot] = new SlotState
        {
            Busy = true, Write = write, Submitted = now, Offset = plan.OffsetBytes, Disk = disk,
            MayBeRefused = disk == Leaving, Image = image,
        };
        Outstanding++;
        _world.Note(SimEvent.ClientSubmit, write, plan.OffsetBytes / 512, plan.LengthBytes / 512, Text(r));
        Post(_world.Random.Below(_queues.Length), slot);
    }

    private int Record(in PlannedRequest plan, Request* r, byte* memory)
    {
        long first = plan.OffsetBytes / 512;
        long count = plan.LengthBytes / 512;
        bool fua = (plan.Flags & RequestFlags.Fua) != 0;
        int write = _history.Submit(plan.Kind, fua, first, count);
        if (plan.Kind == RequestKind.Write)
        {
            r->Data = memory + (AlignsWrites ? plan.OffsetBytes & 4095 : _world.Random.Below(4096));
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
            _world.Note(SimEvent.ClientComplete, s.Write, First(r), r->Result, Text(r));
            bool mayFail = MayFail || (s.MayBeRefused && r->Result == ShutDown);
            mayFail &= MustServe?.Invoke(r->Kind, r->Flags) != true;
            if (r->Result == 0 || IsRefusedFastZero(r)) Succeeded(r, s);
            else if (!mayFail) throw new SimViolationException($"{Text(r)} failed with {r->Result}, and must not");
            else if (s.Image != null) Array.Fill(s.Image, SectorTag.Unknown, First(r), Count(r));
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

    private int First(Request* r) => (int)(_state[r->Cookie].Offset / 512);

    private static int Count(Request* r) => (int)(r->LengthBytes / 512);

    private string? Text(Request* r) =>
        _world.Trace == null ? r->Kind.ToString() : r->Flags == 0 ? r->Kind.ToString() : $"{r->Kind} {r->Flags}";
}
