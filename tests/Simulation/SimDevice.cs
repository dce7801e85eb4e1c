using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>Errors to come: <see cref="Left"/> operations of a kind, after <see cref="Countdown"/> good ones.</summary>
public struct SimFault
{
    public IoKind Kind;
    public int Countdown;
    public int Left;
}

/// <summary>
/// A block device with a volatile write cache. Completed writes are seen by reads at once and survive the process,
/// not the power; writes in flight may show in part at any time.
/// </summary>
public sealed unsafe class SimDevice : Device
{
    /// <summary>-ENODEV: the device has vanished.</summary>
    public const int Gone = -19;

    private readonly int _logicalBlockBytes;
    private readonly int _unitBytes;
    private long _sizeBytes;

    /// <summary>
    /// A device of <paramref name="sizeBytes"/> that can grow by <paramref name="growthBytes"/>.
    /// </summary>
    public SimDevice(
        SimWorld world, string name, long sizeBytes, int logicalBlockBytes, int unitBytes, long growthBytes = 0)
    {
        World = world;
        Name = name;
        _sizeBytes = sizeBytes;
        _logicalBlockBytes = logicalBlockBytes;
        _unitBytes = Math.Max(unitBytes, logicalBlockBytes);
        Media = new SimMedia(sizeBytes + growthBytes, _unitBytes);
    }

    public SimWorld World { get; }
    public SimMedia Media { get; }

    /// <summary>Nobody may write now (a read-only open, a volume that is suspended).</summary>
    public bool Sealed { get; set; }

    /// <summary>It has FUA.</summary>
    public bool WritesDurably { get; set; }

    public override bool CanWriteDurably => WritesDurably;

    /// <summary>The errors to come.</summary>
    public SimFault Fault;

    /// <summary>Which operations fail, one by one: a negative errno, or 0. In place of <see cref="Fault"/>.</summary>
    public Func<IoKind, int>? Plan { get; set; }

    /// <summary>Runs when a flush has failed and forgotten writes.</summary>
    public Action? AtFailedFlush { get; set; }

    /// <summary>Notes that were left with the device; null: it keeps none.</summary>
    public Dictionary<string, string>? Notes { get; set; }

    /// <summary>Operations of each kind that completed, by <see cref="IoKind"/>.</summary>
    public long[] Done { get; } = new long[(int)IoKind.Other + 1];

    public override string Name { get; }
    public override long SizeBytes => _sizeBytes;
    public override int LogicalBlockBytes => _logicalBlockBytes;
    public override bool CanFlush => true;
    public override string Identity => "place:" + Name;

    public override ulong ChangeStamp => 1UL << 32 | (uint)(Done[(int)IoKind.Write] + Done[(int)IoKind.Discard]
        + Done[(int)IoKind.WriteZeroes]);

    public override bool TryGrow(long mostBytes, out long foundBytes)
    {
        foundBytes = Media.SizeBytes;
        bool grows = _sizeBytes < foundBytes && foundBytes <= mostBytes;
        if (grows) _sizeBytes = foundBytes;
        return grows;
    }

    public override int LeaveNote(string name, string text)
    {
        Notes?.Add(name, text);
        return Notes == null ? -95 : 0;
    }

    public override string? FindNote(string name) => Notes?.ContainsKey(name) == true ? "note " + name : null;

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, (SimContext)io);

    /// <summary>Applies a pending write, or a run of its units only.</summary>
    public void Apply(IoOp* op, long firstByte, long lengthBytes)
    {
        long at = op->OffsetBytes;
        if (op->Kind == IoKind.Write) Media.Write(at + firstByte, lengthBytes, (byte*)op->Buffer + firstByte);
        else Media.Write(at + firstByte, lengthBytes, null);
    }

    /// <summary>True when <paramref name="op"/> changes the medium.</summary>
    public static bool IsWrite(IoOp* op) =>
        op->Kind is IoKind.Write or IoKind.Discard or IoKind.WriteZeroes;

    /// <summary>Does what <paramref name="op"/> asks and says how it went.</summary>
    public int Execute(IoOp* op, long seqAtSubmit)
    {
        Done[(int)op->Kind]++;
        if (Plan?.Invoke(op->Kind) is < 0 and int planned)
        {
            World.Faults++;
            World.Note(SimEvent.Fault, (long)op->Kind, text: Name);
            return Break(op, seqAtSubmit, planned);
        }
        if (Fails(op->Kind)) return Break(op, seqAtSubmit, -5);
        switch (op->Kind)
        {
            case IoKind.Read:
                Buffer.MemoryCopy(Media.Current + op->OffsetBytes, op->Buffer, op->LengthBytes, op->LengthBytes);
                return (int)op->LengthBytes;
            case IoKind.Flush:
                Media.MakeDurable(seqAtSubmit);
                return 0;
            case IoKind.Write when op->Durable:
                Media.WriteDurably(op->OffsetBytes, op->LengthBytes, (byte*)op->Buffer);
                return (int)op->LengthBytes;
            default:
                Apply(op, 0, op->LengthBytes);
                return op->Kind is IoKind.Write ? (int)op->LengthBytes : 0;
        }
    }

    /// <summary>Nothing: a volume owns and disposes its devices, this one serves the next volume too.</summary>
    public override void Dispose()
    {
    }

    private bool Fails(IoKind kind)
    {
        if (Fault.Left == 0 || Fault.Kind != kind) return false;
        if (Fault.Countdown-- > 0) return false;
        Fault.Left--;
        World.Faults++;
        World.Note(SimEvent.Fault, (long)kind, text: Name);
        return true;
    }

    /// <summary>The error, after part of the harm was done; a device that is gone does none.</summary>
    private int Break(IoOp* op, long seqAtSubmit, int error)
    {
        if (error == Gone) return error;
        if (op->Kind == IoKind.Flush || op->Durable)
        {
            if (op->Durable) ApplySome(op);
            Media.FailFlush(seqAtSubmit, ref World.Random);
            AtFailedFlush?.Invoke();
        }
        else if (op->Kind == IoKind.Read) new Span<byte>(op->Buffer, (int)op->LengthBytes).Fill(0xEE);
        else if (World.Random.Chance(50)) ApplySome(op);
        return error;
    }

    /// <summary>Applies a random run of units.</summary>
    public void ApplySome(IoOp* op)
    {
        long units = (op->LengthBytes + _unitBytes - 1) / _unitBytes;
        long first = World.Random.Below(units);
        long count = 1 + World.Random.Below(units - first);
        long at = first * _unitBytes;
        Apply(op, at, Math.Min(count * _unitBytes, op->LengthBytes - at));
    }

    private void Validate(IoOp* op)
    {
        if (op->Kind == IoKind.Flush) return;
        bool aligned = op->OffsetBytes % _logicalBlockBytes == 0 && op->LengthBytes % _logicalBlockBytes == 0;
        bool inside = op->OffsetBytes >= 0 && op->LengthBytes > 0 && op->OffsetBytes + op->LengthBytes <= SizeBytes;
        bool memory = op->Kind is not (IoKind.Read or IoKind.Write)
            || (op->Buffer != null && (long)op->Buffer % _logicalBlockBytes == 0);
        if (aligned && inside && memory) return;
        throw new SimViolationException(
            $"bad device operation: {op->Kind} on {Name} at {op->OffsetBytes}, {op->LengthBytes} bytes, " +
            $"memory {(long)op->Buffer:x}");
    }

    private sealed class Queue(SimDevice device, SimContext context) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            device.Validate(op);
            if (device.Sealed && (IsWrite(op) || op->Kind == IoKind.Flush))
            {
                throw new SimViolationException(
                    $"a volume that is open read-only or suspended submitted a {op->Kind} to {device.Name} (R16)");
            }
            context.Enqueue(device, op);
            device.World.Tick(
                SimEvent.Submit, (long)op->Kind, op->OffsetBytes, op->LengthBytes,
                device.World.Trace == null ? null : $"{device.Name} {op->Kind}");
        }
    }
}
