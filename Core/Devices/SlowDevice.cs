using Weir.Core.Io;

namespace Weir.Core.Devices;

/// <summary>
/// A modelled slow disk around another device: the data goes there at once, the completion waits for its due time on
/// <see cref="DiskArm"/>. So anyone can see a disk's behaviour on any machine.
/// </summary>
/// <param name="inner">Keeps the data; disposed with this device.</param>
/// <param name="arm">Says how long things take.</param>
/// <param name="name">As the user wrote it.</param>
internal sealed unsafe class SlowDevice(Device inner, DiskArm arm, string name) : WrappedDevice(inner)
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string KernelName => Inner.KernelName;

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io) => new Queue(io, base.OpenQueue(io), arm);

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        Inner.Dispose();
    }

    private sealed class Queue(IoContext io, DeviceQueue innerQueue, DiskArm arm) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            op->DueUs = op->Kind == IoKind.Flush
                ? arm.Idle(io.NowUs)
                : arm.Transfer(io.NowUs, op->OffsetBytes, op->LengthBytes);
            innerQueue.Submit(op);
        }

        public override bool TakesClientBuffers => innerQueue.TakesClientBuffers;

        public override void Close() => innerQueue.Close();
    }
}
