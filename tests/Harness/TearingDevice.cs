using System;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>
/// A device that loses power: of the write that comes next after so many operations the first half is there, and
/// nothing comes after it. One thread.
/// </summary>
internal sealed unsafe class TearingDevice(RamDevice inner, int operations) : WrappedDevice(inner)
{
    private int _left = operations;

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io), io);

    private void Tear(IoOp* op)
    {
        long half = op->LengthBytes / 2;
        if (op->Kind == IoKind.Write)
            Buffer.MemoryCopy(op->Buffer, inner.Start + op->OffsetBytes, half, half);
    }

    private sealed class Queue(TearingDevice device, DeviceQueue inner, IoContext io) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            if (device._left-- > 0)
            {
                inner.Submit(op);
                return;
            }
            if (device._left == -1) device.Tear(op);
            io.Complete(op, -5);
        }
    }
}
