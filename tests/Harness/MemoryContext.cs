using System.Diagnostics;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>A context without a ring, for devices in memory that complete at once: cheap to make.</summary>
internal sealed class MemoryContext : IoContext
{
    public override long NowUs => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);

    public override void Wake()
    {
    }

    public override void Pump(bool wait, long deadlineUs)
    {
    }
}

/// <summary>A device that outlives the volumes on it, and counts what is written.</summary>
internal sealed unsafe class CountedDevice(Device inner) : WrappedDevice(inner)
{
    /// <summary>Bytes of all writes so far.</summary>
    public long BytesWritten { get; private set; }

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io));

    private sealed class Queue(CountedDevice device, DeviceQueue innerQueue) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            if (op->Kind == IoKind.Write) device.BytesWritten += op->LengthBytes;
            innerQueue.Submit(op);
        }
    }
}
