using System;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>
/// A device of which some flushes fail, and what was written to its first MiB since the last good one is gone then.
/// One thread.
/// </summary>
internal sealed unsafe class ForgetfulDevice(RamDevice inner) : WrappedDevice(inner)
{
    private readonly byte[] _durable = new Span<byte>(inner.Start, 1 << 20).ToArray();

    /// <summary>How many flushes from now on fail.</summary>
    public int FlushesToFail { get; set; }

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, inner.OpenQueue(io));

    private bool TryFlush()
    {
        Span<byte> start = new(inner.Start, _durable.Length);
        bool fails = FlushesToFail > 0;
        if (fails) _durable.CopyTo(start);
        else start.CopyTo(_durable);
        if (fails) FlushesToFail--;
        return !fails;
    }

    private sealed class Queue(ForgetfulDevice device, IoContext io, DeviceQueue inner) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            if (op->Kind == IoKind.Flush && !device.TryFlush()) io.Complete(op, -5);
            else inner.Submit(op);
        }
    }
}
