using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>
/// A device that counts what is asked of it, by kind, and can hold back its answers. One thread, but for the counts.
/// </summary>
internal sealed unsafe class CountingDevice(Device inner) : WrappedDevice(inner)
{
    private readonly List<nint> _held = [];
    private Queue? _heldQueue;

    public long[] Counts { get; } = new long[(int)IoKind.Other + 1];

    /// <summary>Where writes began, in order.</summary>
    public List<long> WriteOffsets { get; } = [];

    /// <summary>Operations of this kind are kept until <see cref="Release"/>; None: nothing is.</summary>
    public IoKind Hold { get; set; }

    /// <summary>Of those, only operations at this offset; -1: all.</summary>
    public long HoldAt { get; set; } = -1;

    /// <summary>Of those, only operations from this offset on.</summary>
    public long HoldFrom { get; set; }

    /// <summary>So many writes succeed, and no more.</summary>
    public int WritesLeft { get; set; } = int.MaxValue;

    /// <summary>So many of the flushes that come next fail with EIO.</summary>
    public int FlushesToFail { get; set; }

    /// <summary>So many of the writes that come next fail with EIO.</summary>
    public int WritesToFail { get; set; }

    /// <summary>Changes fail with this, all of them; 0: they do not.</summary>
    public int RefusesWith { get; set; }

    /// <summary>Reads fail with EIO.</summary>
    public bool FailsReads { get; set; }

    /// <summary>What it is called; null: as the device below.</summary>
    public string? Called { get; set; }

    public override string Identity => Called ?? base.Identity;

    public override System.Collections.Generic.IReadOnlyList<string> Identities =>
        Called == null ? base.Identities : [Called];

    /// <summary>Reads of these bytes fail with EIO.</summary>
    public (long Start, long End) Unreadable { get; set; }

    /// <summary>So many reads succeed, and no more.</summary>
    public int ReadsToPass { get; set; } = int.MaxValue;

    /// <summary>Writes can be durable by themselves.</summary>
    public bool WritesDurably { get; set; }

    public override bool CanWriteDurably => WritesDurably;

    /// <summary>It says that nothing of it is allocated.</summary>
    public bool IsHole { get; set; }

    public override long ExtentEnd(long offsetBytes, out bool isHole)
    {
        long end = base.ExtentEnd(offsetBytes, out isHole);
        isHole |= IsHole;
        return end;
    }

    /// <summary>How many were.</summary>
    public int DurableWrites { get; private set; }

    /// <summary>What it says of itself while something is held.</summary>
    public long HeldMs { get; set; }

    public override long SilentMs => _held.Count > 0 ? HeldMs : 0;

    public int HeldCount => _held.Count;

    public long HeldOffset => ((IoOp*)_held[0])->OffsetBytes;

    public long Reads => Counts[(int)IoKind.Read];

    public long Writes => Counts[(int)IoKind.Write];

    public long Flushes => Counts[(int)IoKind.Flush];

    public void Clear() => System.Array.Clear(Counts);

    public void Release()
    {
        Hold = IoKind.None;
        foreach (nint op in _held) _heldQueue!.Pass((IoOp*)op);
        _held.Clear();
    }

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io), io);

    private sealed class Queue(CountingDevice device, DeviceQueue inner, IoContext io) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            if (op->Durable) device.DurableWrites++;
            device.Counts[(int)op->Kind]++;
            if (op->Kind == IoKind.Write) device.WriteOffsets.Add(op->OffsetBytes);
            if (op->Kind != device.Hold || (device.HoldAt >= 0 && op->OffsetBytes != device.HoldAt)
                || op->OffsetBytes < device.HoldFrom)
            {
                Pass(op);
                return;
            }
            device._heldQueue = this;
            device._held.Add((nint)op);
        }

        public void Pass(IoOp* op)
        {
            bool fails = op->Kind == IoKind.Flush && device.FlushesToFail > 0;
            if (fails) device.FlushesToFail--;
            fails |= op->Kind == IoKind.Read && (device.FailsReads || device.ReadsToPass-- <= 0);
            fails |= op->Kind == IoKind.Read && op->OffsetBytes < device.Unreadable.End
                && op->OffsetBytes + op->LengthBytes > device.Unreadable.Start;
            fails |= op->Kind == IoKind.Write && (device.WritesLeft-- <= 0 || device.WritesToFail-- > 0);
            bool changes = op->Kind is IoKind.Write or IoKind.Discard or IoKind.WriteZeroes;
            if (changes && device.RefusesWith != 0) io.Complete(op, device.RefusesWith);
            else if (fails) io.Complete(op, -5);
            else inner.Submit(op);
        }
    }
}
