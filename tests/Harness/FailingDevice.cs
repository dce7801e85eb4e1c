using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>A device of which some operations fail with EIO, counted from when it is armed. One thread.</summary>
internal sealed unsafe class FailingDevice(Device inner) : WrappedDevice(inner)
{
    private int _first = int.MaxValue;
    private int _end;
    private long _below;

    /// <summary>Operations since it was armed.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// From now on, operations from <paramref name="first"/> to before <paramref name="end"/> fail, at offsets below
    /// <paramref name="below"/>.
    /// </summary>
    public void Arm(int first, int end, long below = long.MaxValue) =>
        (_first, _end, _below, Count) = (first, end, below, 0);

    /// <summary>Nothing fails any more.</summary>
    public void Disarm() => _first = int.MaxValue;

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io), io);

    private sealed class Queue(FailingDevice device, DeviceQueue inner, IoContext io) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            int index = device.Count++;
            bool isMeant = index >= device._first && index < device._end && op->OffsetBytes < device._below;
            if (isMeant && (op->Kind != IoKind.Flush || device._below == long.MaxValue)) io.Complete(op, -5);
            else inner.Submit(op);
        }
    }
}
