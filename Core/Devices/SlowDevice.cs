using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Devices;

/// <summary>
/// A modelled slow disk around another device: the data goes there at once, the completion waits for its due time on
/// <see cref="DiskArm"/>. So anyone can see a disk's behaviour on any machine.
/// </summary>
/// <param name="inner">Keeps the data; disposed with this device.</param>
/// <param name="arm">Says how long things take.</param>
/// <param name="name">As the user wrote it.</param>
internal sealed unsafe class SlowDevice(Device inner, DiskArm arm, string name) : Device
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override long SizeBytes => inner.SizeBytes;

    /// <inheritdoc/>
    public override long ClientBytes => inner.ClientBytes;

    /// <inheritdoc/>
    public override int LogicalBlockBytes => inner.LogicalBlockBytes;

    /// <inheritdoc/>
    public override bool CanFlush => inner.CanFlush;

    /// <inheritdoc/>
    public override bool CanWriteDurably => inner.CanWriteDurably;

    /// <summary>The inner device's: a model holds nobody's data.</summary>
    public override string Identity => inner.Identity;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Identities => inner.Identities;

    /// <inheritdoc/>
    public override long SilentMs => inner.SilentMs;

    /// <inheritdoc/>
    public override ulong ChangeStamp => inner.ChangeStamp;

    /// <summary>What keeps the data.</summary>
    public Device Inner => inner;

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io) => new Queue(io, inner.OpenQueue(io), arm);

    /// <inheritdoc/>
    public override long ExtentEnd(long offsetBytes, out bool isHole) => inner.ExtentEnd(offsetBytes, out isHole);

    /// <inheritdoc/>
    public override int Preallocate() => inner.Preallocate();

    /// <inheritdoc/>
    public override int LeaveNote(string name, string text) => inner.LeaveNote(name, text);

    /// <inheritdoc/>
    public override string? FindNote(string name) => inner.FindNote(name);

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();

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
