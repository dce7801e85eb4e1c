using System;
using Weir.Core.Devices;

namespace Weir.Tests.Harness;

/// <summary>A device that may become larger, up to the memory behind it.</summary>
internal sealed class GrowingDevice(RamDevice inner, long sizeBytes) : WrappedDevice(inner)
{
    private long _sizeBytes = sizeBytes;

    /// <summary>What it has when it is asked next.</summary>
    public long Room { get; set; } = sizeBytes;

    /// <summary>Nobody has it open: it has so many bytes from now on.</summary>
    public void Resize(long bytes) => (_sizeBytes, Room) = (bytes, bytes);

    public override long SizeBytes => _sizeBytes;

    public override long ClientBytes => _sizeBytes;

    /// <summary>As far as space was taken; the memory itself tests do not need.</summary>
    public long ReservedEnd { get; private set; }

    /// <summary>There is no more space.</summary>
    public bool IsFull { get; set; }

    public override int Preallocate(long fromBytes, long endBytes)
    {
        if (endBytes <= ReservedEnd) return 0;
        if (IsFull) return -28;
        ReservedEnd = endBytes;
        return 1;
    }

    public override void GiveBack(long fromBytes, long endBytes) => ReservedEnd = Math.Min(ReservedEnd, fromBytes);

    public override bool TryGrow(long mostBytes, out long foundBytes)
    {
        foundBytes = Room;
        bool grows = foundBytes > _sizeBytes && foundBytes <= mostBytes;
        if (grows) _sizeBytes = foundBytes;
        return grows;
    }
}
