using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>A device that is another one, which outlives it, but for what the test changes.</summary>
internal abstract class WrappedDevice(Device inner) : Device
{
    public override string Name => inner.Name;

    public override long SizeBytes => inner.SizeBytes;

    public override int LogicalBlockBytes => inner.LogicalBlockBytes;

    public override bool CanFlush => inner.CanFlush;

    public override bool CanWriteDurably => inner.CanWriteDurably;

    public override string Identity => inner.Identity;

    public override IReadOnlyList<string> Identities => inner.Identities;

    public override string KernelName => inner.KernelName;

    public override long SilentMs => inner.SilentMs;

    public override ulong ChangeStamp => inner.ChangeStamp;

    public override bool TryGrow(long mostBytes, out long foundBytes) => inner.TryGrow(mostBytes, out foundBytes);

    public override long ExtentEnd(long offsetBytes, out bool isHole) => inner.ExtentEnd(offsetBytes, out isHole);

    public override int Preallocate() => inner.Preallocate();

    public override int LeaveNote(string name, string text) => inner.LeaveNote(name, text);

    public override string? FindNote(string name) => inner.FindNote(name);

    public override DeviceQueue OpenQueue(IoContext io) => inner.OpenQueue(io);

    public override void Dispose()
    {
    }
}
