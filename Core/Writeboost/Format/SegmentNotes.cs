using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// 4 KiB of ours at <see cref="SegmentLayout.NotesOffset"/> of a cache in a kernel layout, little endian: what is known
/// of its backing devices. Not every module zeroes this place when it formats, none uses it: what stands here may be
/// older than the log, or somebody else's. A place whose check is wrong says nothing.
/// <code>
///    0  cache UUID       16 bytes  tells one cache from the next on the same device
///   16  zeroes           16 bytes
///   32  devices          254 x 16 bytes; number n at place n - 1; zeroes: nothing is known of it
///         0  first segment  40 bits   the log says nothing about this device in segments with lower ids
///         5  check          24 bits   the upper ones of CRC32C of UUID, number (1 byte), first segment (u64), identity
///         8  identity       u64       FNV-1a of what the device last answered to (UTF-8); 0 = it was never served
/// </code>
/// </summary>
public sealed unsafe class SegmentNotes : IDisposable
{
    /// <summary>Where the devices begin, and what each has.</summary>
    public const int DevicesOffset = 32, DeviceBytes = 16;
    private const int CheckShift = 40, CheckDrop = 8, IdBytes = 16;
    private const long FirstMask = (1L << CheckShift) - 1;

    private readonly AlignedMemory _memory = new(Geometry.BlockBytes);

    /// <summary>The 4 KiB.</summary>
    public byte* Pointer => _memory.Pointer;

    /// <summary>
    /// Which cache this is; zero on one that only the module has served. Set before anything else is.
    /// </summary>
    public Guid CacheId
    {
        get => *(Guid*)Pointer;
        set => *(Guid*)Pointer = value;
    }

    /// <summary>What lies on <paramref name="cache"/>.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static SegmentNotes Read(BlockingIo io, DeviceQueue queue, Device cache)
    {
        SegmentNotes notes = new();
        io.Start(queue, IoKind.Read, SegmentLayout.NotesOffset, notes.Pointer, Geometry.BlockBytes);
        io.WaitOrFail("reading the notes about its backing devices", cache);
        new Span<byte>(notes.Pointer + IdBytes, DevicesOffset - IdBytes).Clear();
        for (int id = 1; id <= DeviceTable.MaxDevices; id++) notes.DropForeign(id);
        return notes;
    }

    /// <summary>The first segment that says something about device <paramref name="id"/>.</summary>
    public long FirstOf(int id) => *(long*)Place(id) & FirstMask;

    /// <summary>What is logged before <paramref name="segment"/> is another device's.</summary>
    public void SetFirst(int id, long segment) => Set(id, segment, IdentityAt(id));

    /// <summary>
    /// The log ends at <paramref name="segment"/> at the latest: what is noted of later ones is another's.
    /// </summary>
    public void ForgetBeyond(long segment)
    {
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (FirstOf(id) > segment) Set(id, 0, 0);
    }

    /// <summary>Some device was served under the number.</summary>
    public bool Knows(int id) => IdentityAt(id) != 0;

    /// <summary>That device answered to one of the names that <paramref name="device"/> answers to.</summary>
    public bool IsAt(int id, Device device) => HasIdentity(id, device, placesToo: true);

    /// <summary>The same by a name that is the device's own, not that of a place.</summary>
    public bool IsNamed(int id, Device device) => HasIdentity(id, device, placesToo: false);

    /// <summary><paramref name="device"/> is served under the number; null: it is free.</summary>
    public void SetDevice(int id, Device? device) =>
        Set(id, FirstOf(id), device == null ? 0 : NameHash.Of(device.Identities[0]));

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private bool HasIdentity(int id, Device device, bool placesToo)
    {
        foreach (string identity in device.Identities)
            if ((placesToo || !Device.IsPlace(identity)) && NameHash.Of(identity) == IdentityAt(id)) return true;
        return false;
    }

    private byte* Place(int id)
    {
        Invariant.Check(id is >= 1 and <= DeviceTable.MaxDevices);
        return Pointer + DevicesOffset + ((id - 1) * DeviceBytes);
    }

    private ulong IdentityAt(int id) => *(ulong*)(Place(id) + sizeof(long));

    private void Set(int id, long first, ulong identity)
    {
        Invariant.Check(first is >= 0 and <= FirstMask);
        long check = first == 0 && identity == 0 ? 0 : CheckOf(id, first, identity);
        *(long*)Place(id) = first | (check << CheckShift);
        *(ulong*)(Place(id) + sizeof(long)) = identity;
        Invariant.Check(IsConsistent(id));
    }

    private void DropForeign(int id)
    {
        if (!IsConsistent(id)) Set(id, 0, 0);
    }

    // Its check is right: this cache's notes say so of this number; or nothing is known.
    private bool IsConsistent(int id)
    {
        (long first, ulong identity) = (FirstOf(id), IdentityAt(id));
        long check = *(long*)Place(id) >>> CheckShift;
        return check == CheckOf(id, first, identity) || (first == 0 && identity == 0 && check == 0);
    }

    private long CheckOf(int id, long first, ulong identity)
    {
        byte* covered = stackalloc byte[IdBytes + 1 + sizeof(long) + sizeof(ulong)];
        *(Guid*)covered = CacheId;
        covered[IdBytes] = (byte)id;
        *(long*)(covered + IdBytes + 1) = first;
        *(ulong*)(covered + IdBytes + 1 + sizeof(long)) = identity;
        return Crc32C.Compute(covered, IdBytes + 1 + sizeof(long) + sizeof(ulong)) >> CheckDrop;
    }
}
