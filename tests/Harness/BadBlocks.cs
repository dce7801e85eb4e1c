using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>Reads over these blocks fail.</summary>
internal sealed unsafe class BadBlocks(Device inner) : WrappedDevice(inner)
{
    public HashSet<long> Offsets { get; } = [];

    public bool RefusesAll { get; set; }

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io), io);

    private sealed class Queue(BadBlocks device, DeviceQueue inner, IoContext io) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            bool isBad = device.RefusesAll && op->OffsetBytes >= 1 << 20;
            foreach (long at in device.Offsets)
                isBad |= at >= op->OffsetBytes && at < op->OffsetBytes + op->LengthBytes;
            if (op->Kind == IoKind.Read && isBad) io.Complete(op, -5);
            else inner.Submit(op);
        }
    }
}
