using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Devices;

/// <summary>A device that is another one, which outlives it, but for what who wraps it changes.</summary>
internal abstract class WrappedDevice(Device inner) : Device
{
    /// <summary>What is wrapped.</summary>
    public Device Inner => inner;

    /// <inheritdoc/>
    public override string Name => inner.Name;

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

    /// <inheritdoc/>
    public override string Identity => inner.Identity;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Identities => inner.Identities;

    /// <inheritdoc/>
    public override string KernelName => inner.KernelName;

    /// <inheritdoc/>
    public override long SilentMs => inner.SilentMs;

    /// <inheritdoc/>
    public override ulong ChangeStamp => inner.ChangeStamp;

    /// <inheritdoc/>
    public override bool TryGrow(long mostBytes, out long foundBytes) => inner.TryGrow(mostBytes, out foundBytes);

    /// <inheritdoc/>
    public override long ExtentEnd(long offsetBytes, out bool isHole) => inner.ExtentEnd(offsetBytes, out isHole);

    /// <inheritdoc/>
    public override int Preallocate(long fromBytes, long endBytes) => inner.Preallocate(fromBytes, endBytes);

    /// <inheritdoc/>
    public override void GiveBack(long fromBytes, long endBytes) => inner.GiveBack(fromBytes, endBytes);

    /// <inheritdoc/>
    public override int LeaveNote(string name, string text) => inner.LeaveNote(name, text);

    /// <inheritdoc/>
    public override string? FindNote(string name) => inner.FindNote(name);

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io) => inner.OpenQueue(io);

    /// <inheritdoc/>
    public override void Dispose()
    {
        // It is whoever's who made it.
    }
}
