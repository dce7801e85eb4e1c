using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>How a reference engine is broken. Each breaks one promise, and the oracle must see it.</summary>
public enum ReferenceFlaw
{
    None,
    /// <summary>Acknowledges a write before the device has it.</summary>
    AckBeforeWrite,
    /// <summary>Flushes the device neither after writes nor for FUA; a flush succeeds at once.</summary>
    NoFlush,
    /// <summary>Flushes for flush requests only: nothing keeps unflushed writes in order.</summary>
    NoOrder,
    /// <summary>As NoOrder, and FUA is ignored.</summary>
    FuaIgnored,
    /// <summary>Writes the pieces of a request from its end.</summary>
    PiecesBackwards,
    /// <summary>A partial piece zeroes the rest of its block.</summary>
    PartialZeroes,
    /// <summary>Discards of less than a block are forgotten.</summary>
    EdgesForgotten,
    /// <summary>Write-zeroes is forgotten.</summary>
    ZeroesForgotten,
    /// <summary>Now and then a block goes to its neighbour.</summary>
    WrongAddress,
    /// <summary>Reads now and then return what the block held before.</summary>
    StaleRead,
    /// <summary>The last sector of a piece is left out now and then.</summary>
    TornPiece,
    /// <summary>Tail writes beyond the last whole block are dropped.</summary>
    NoTail,
    /// <summary>A read-only open writes.</summary>
    ReadOnlyWrites,
}

/// <summary>
/// The simplest engine that keeps the promise: one request at a time of all queues together, one block at a time, each
/// written and flushed before the next. Needs a device that writes 4 KiB whole or not at all. Here to test the
/// simulation itself.
/// </summary>
public sealed class ReferenceEngine(ReferenceFlaw flaw) : ISimEngine
{
    public string Name => "reference " + flaw;

    public int UnitBytes => 4096;

    public bool WithstandsErrors => false;

    public SimConfig NewConfig(ulong seed) => new ReferenceConfig(seed);

    public Promise NewPromise(SimConfig config) => new PrefixOrder(config.BackingBytes / SectorTag.Bytes);

    public IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly) =>
        new ReferenceVolume(io, devices.Disks[0], readOnly, flaw);

    public VolumeState StateOf(IVolume volume) => VolumeState.Healthy;
}

/// <summary>Small, on one device, with some threads.</summary>
public sealed class ReferenceConfig(ulong seed) : SimConfig(seed)
{
    private Prng _tuning = new(seed + 2);

    public override bool AlignsWrites => false;

    public override void Retune() => Queues = _tuning.Below(10) switch { < 7 => 1, < 9 => 2, _ => 3 };

    protected override void DrawRest()
    {
        CacheBytes = 0;
        BackingBytes = Math.Min(BackingBytes, 1 << 20) + BackingBytes % 4096;
    }
}

/// <summary>See <see cref="ReferenceEngine"/>.</summary>
public sealed unsafe class ReferenceVolume : IVolume, IVolumeExport
{
    private readonly Device _backing;
    private readonly ReferenceFlaw _flaw;
    private readonly ReferenceTurn _turn = new();

    public ReferenceVolume(IoContext io, Device backing, bool readOnly, ReferenceFlaw flaw)
    {
        (_backing, _flaw, ReadOnly) = (backing, flaw, readOnly);
        bool mayWrite = !readOnly || flaw == ReferenceFlaw.ReadOnlyWrites;
        if (mayWrite) new ReferenceQueue(io, backing, flaw, _turn).FlushDevice();
    }

    public string Engine => "reference";
    public string Name => "disk";
    ushort IVolumeExport.Device => 0;
    public IReadOnlyList<IVolumeExport> Exports => [this];
    public long SizeBytes => _backing.SizeBytes;
    public bool ReadOnly { get; }
    public bool CanDiscard => true;
    public bool CanFastZero => false;

    public IVolumeQueue OpenQueue(int index, IoContext io) => new ReferenceQueue(io, _backing, _flaw, _turn);

    public void Report(IStatusWriter status)
    {
    }

    public void Dispose()
    {
    }
}

/// <summary>Whether a queue of the volume is serving: blocks are read, changed and written by one at a time.</summary>
public sealed class ReferenceTurn
{
    /// <summary>A request is under way. No atomics: of the simulation's threads exactly one runs.</summary>
    public bool Taken { get; set; }
}

/// <summary>Blocks in <see cref="Poll"/>, which no real engine may.</summary>
public sealed unsafe class ReferenceQueue : IVolumeQueue, IIoHandler
{
    private const int Block = 4096;
    private readonly IoContext _io;
    private readonly DeviceQueue _queue;
    private readonly long _sizeBytes;
    private readonly ReferenceFlaw _flaw;
    private readonly ReferenceTurn _turn;
    private readonly ushort _handler;
    private readonly byte* _block = (byte*)NativeMemory.AlignedAlloc(Block, Block); // kept: a few, in tests only
    private readonly byte* _before = (byte*)NativeMemory.AlignedAlloc(Block, Block);
    private readonly Queue<nint> _waiting = new();
    private readonly Queue<nint> _completed = new();
    private readonly byte* _lateData;
    private Request _late;
    private Prng _random = new(7);
    private bool _done;
    private bool _stopping;

    public ReferenceQueue(IoContext io, Device backing, ReferenceFlaw flaw, ReferenceTurn turn)
    {
        (_io, _flaw, _turn, _sizeBytes) = (io, flaw, turn, backing.SizeBytes);
        _handler = io.AddHandler(this);
        _queue = backing.OpenQueue(io);
        if (flaw == ReferenceFlaw.AckBeforeWrite) _lateData = (byte*)NativeMemory.Alloc(1 << 19);
    }

    public long DeadlineUs => _waiting.Count > 0 ? 0 : long.MaxValue;
    public StopStatus StopStatus => _stopping && _waiting.Count == 0 ? StopStatus.Stopped : StopStatus.Running;
    public void Submit(Request* request) => _waiting.Enqueue((nint)request);
    public Request* TakeCompleted() => _completed.Count > 0 ? (Request*)_completed.Dequeue() : null;
    public void BeginStop() => _stopping = true;

    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        extents[0] = new Extent { LengthBytes = lengthBytes };
        return 1;
    }

    public void Completed(IoOp* op)
    {
        if (op->Result < 0) throw new InvalidOperationException("device error");
        _io.Release(op);
        _done = true;
    }

    public void Poll(long nowUs)
    {
        if (_waiting.Count == 0 || _turn.Taken) return;
        _turn.Taken = true;
        var r = (Request*)_waiting.Dequeue();
        if (_flaw == ReferenceFlaw.AckBeforeWrite) ServeLate(r);
        else Serve(*r);
        r->Result = 0;
        _completed.Enqueue((nint)r);
        _turn.Taken = false;
    }

    /// <summary>Serves what was acknowledged before; a write is put off until the next request.</summary>
    private void ServeLate(Request* r)
    {
        if (_late.Kind != RequestKind.None) Serve(_late);
        _late = default;
        if (r->Kind != RequestKind.Write)
        {
            Serve(*r);
            return;
        }
        _late = *r;
        _late.Data = _lateData;
        Buffer.MemoryCopy(r->Data, _lateData, r->LengthBytes, r->LengthBytes);
    }

    /// <summary>Flushes the device and waits.</summary>
    public void FlushDevice()
    {
        if (_flaw != ReferenceFlaw.NoFlush) Do(IoKind.Flush, 0, 0, null);
    }

    private void Serve(in Request r)
    {
        if (r.Kind == RequestKind.Flush)
        {
            FlushDevice();
            return;
        }
        if (_flaw == ReferenceFlaw.ZeroesForgotten && r.Kind == RequestKind.WriteZeroes) return;
        long first = r.OffsetBytes / Block;
        long last = (r.OffsetBytes + r.LengthBytes - 1) / Block;
        for (long i = first; i <= last; i++)
        {
            long block = _flaw == ReferenceFlaw.PiecesBackwards && r.Kind != RequestKind.Read ? last - (i - first) : i;
            ServePiece(r, block);
        }
        bool fua = (r.Flags & RequestFlags.Fua) != 0;
        if (_flaw == ReferenceFlaw.NoOrder && fua) FlushDevice();
    }

    private void ServePiece(in Request r, long block)
    {
        int length = (int)Math.Min(Block, _sizeBytes - block * Block);
        int from = (int)Math.Max(0, r.OffsetBytes - block * Block);
        int to = (int)Math.Min(length, r.OffsetBytes + r.LengthBytes - block * Block);
        if (_flaw == ReferenceFlaw.NoTail && length < Block && r.Kind != RequestKind.Read) return;
        Do(IoKind.Read, block * Block, length, _block);
        byte* data = r.Data + (block * Block + from - r.OffsetBytes);
        if (r.Kind == RequestKind.Read)
        {
            bool stale = _flaw == ReferenceFlaw.StaleRead && _random.Chance(3);
            Buffer.MemoryCopy((stale ? _before : _block) + from, data, to - from, to - from);
            return;
        }
        Buffer.MemoryCopy(_block, _before, Block, Block);
        bool whole = from == 0 && to == length;
        if (_flaw == ReferenceFlaw.PartialZeroes && !whole) NativeMemory.Clear(_block, Block);
        if (_flaw == ReferenceFlaw.EdgesForgotten && !whole && r.Kind != RequestKind.Write) return;
        if (_flaw == ReferenceFlaw.TornPiece && to - from > 512 && _random.Chance(3)) to -= 512;
        if (r.Kind == RequestKind.Write) Buffer.MemoryCopy(data, _block + from, to - from, to - from);
        else NativeMemory.Clear(_block + from, (nuint)(to - from));
        if (_flaw == ReferenceFlaw.WrongAddress && block > 0 && _random.Chance(2)) (block, length) = (block - 1, Block);
        Do(IoKind.Write, block * Block, length, _block);
        if (_flaw is not (ReferenceFlaw.NoOrder or ReferenceFlaw.FuaIgnored)) FlushDevice();
    }

    private void Do(IoKind kind, long offset, long length, void* buffer)
    {
        IoOp* op = _io.Acquire(_handler, kind);
        (op->OffsetBytes, op->LengthBytes) = (offset, length);
        op->Buffer = buffer;
        _done = false;
        _queue.Submit(op);
        while (!_done)
        {
            _io.Pump(true, long.MaxValue);
            _io.RunCompletions();
        }
    }
}
