using System;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// 4 KiB of ours at <see cref="SegmentLayout.IdentityOffset"/> of a cache in a kernel layout, little endian. The module
/// zeroes this place when it formats, and leaves it alone otherwise: what stands here may be older than the log, and
/// zeroes say nothing.
/// <code>
///    0  cache UUID       16 bytes  tells one cache from the next on the same device
///   16  closed segment   u64       the newest id when the cache was last stopped in order; 0 while it is served
///   24  begun segment    u64       data of segments up to this id may lie on the device, though no header says so
///   32  devices          254 x 16 bytes; number n at place n - 1:
///         0  first segment  u64    the log says nothing about this device in segments with lower ids
///         8  identity       u64    FNV-1a of what the device last answered to (UTF-8); 0 = it was never served
/// </code>
/// </summary>
public sealed unsafe class SegmentNotes : IDisposable
{
    /// <summary>Where the devices begin, and what each has.</summary>
    public const int DevicesOffset = 32, DeviceBytes = 16;
    private const int ClosedOffset = 16, BegunOffset = 24, IdentityInDevice = 8;
    private const ulong FnvBasis = 0xCBF29CE484222325, FnvPrime = 0x100000001B3;

    private readonly AlignedMemory _memory = new(Geometry.BlockBytes);

    /// <summary>The 4 KiB.</summary>
    public byte* Pointer => _memory.Pointer;

    /// <summary>Which cache this is; zero on one that only the module has served.</summary>
    public Guid CacheId
    {
        get => *(Guid*)Pointer;
        set => *(Guid*)Pointer = value;
    }

    /// <summary>See the picture.</summary>
    public long ClosedSegment
    {
        get => *(long*)(Pointer + ClosedOffset);
        set => *(long*)(Pointer + ClosedOffset) = value;
    }

    /// <summary>See the picture.</summary>
    public long BegunSegment
    {
        get => *(long*)(Pointer + BegunOffset);
        set => *(long*)(Pointer + BegunOffset) = value;
    }

    /// <summary>What lies on <paramref name="cache"/>.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static SegmentNotes Read(BlockingIo io, DeviceQueue queue, Device cache)
    {
        SegmentNotes notes = new();
        io.Start(queue, IoKind.Read, SegmentLayout.IdentityOffset, notes.Pointer, Geometry.BlockBytes);
        io.WaitOrFail("reading the superblock", cache);
        return notes;
    }

    /// <summary>The first segment that says something about device <paramref name="id"/>.</summary>
    public long FirstOf(int id) => *(long*)Place(id);

    /// <summary>What is logged before <paramref name="segment"/> is another device's.</summary>
    public void SetFirst(int id, long segment) => *(long*)Place(id) = segment;

    /// <summary>Some device was served under the number.</summary>
    public bool Knows(int id) => IdentityAt(id) != 0;

    /// <summary>That device answered to one of the names that <paramref name="device"/> answers to.</summary>
    public bool IsAt(int id, Device device)
    {
        foreach (string identity in device.Identities)
            if (HashOf(identity) == IdentityAt(id)) return true;
        return false;
    }

    /// <summary><paramref name="device"/> is served under the number; null: it is free.</summary>
    public void SetDevice(int id, Device? device) =>
        IdentityAt(id) = device == null ? 0 : HashOf(device.Identities[0]);

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private byte* Place(int id)
    {
        Invariant.Check(id is >= 1 and <= DeviceTable.MaxDevices);
        return Pointer + DevicesOffset + ((id - 1) * DeviceBytes);
    }

    private ref ulong IdentityAt(int id) => ref *(ulong*)(Place(id) + IdentityInDevice);

    private static ulong HashOf(string identity)
    {
        ulong hash = FnvBasis;
        foreach (byte value in Encoding.UTF8.GetBytes(identity)) hash = (hash ^ value) * FnvPrime;
        return hash;
    }
}
