using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// The backing devices of a cache by their numbers. A key of the index is the number in bits 40 to 47, the block below.
/// </summary>
public sealed class BackingTable
{
    /// <summary>Smallest and largest number of a device.</summary>
    public const int MinId = 1, MaxId = 254;

    private const int DeviceShift = 40;

    private readonly BackingDevice?[] _byId = new BackingDevice?[MaxId + 1];

    /// <summary>The device with this number, or null.</summary>
    public BackingDevice? Find(int id) => (uint)id <= MaxId ? Volatile.Read(ref _byId[id]) : null;

    /// <summary>The device that <paramref name="key"/> lies on, which is there.</summary>
    public BackingDevice Of(ulong key)
    {
        BackingDevice? device = Find(IdOf(key));
        Invariant.Check(device != null);
        return device;
    }

    /// <summary>Enters a device.</summary>
    public void Add(BackingDevice device)
    {
        Invariant.Check(device.Id is >= MinId and <= MaxId);
        Invariant.Check(_byId[device.Id] == null);
        Volatile.Write(ref _byId[device.Id], device);
    }

    /// <summary>Calls <paramref name="action"/> for each; control path.</summary>
    public void ForEach(Action<BackingDevice> action)
    {
        for (int id = MinId; id <= MaxId; id++)
            if (Find(id) is { } device) action(device);
    }

    /// <summary>The number of the device that <paramref name="key"/> lies on.</summary>
    public static int IdOf(ulong key) => (int)(key >> DeviceShift);

    /// <summary>Byte offset of <paramref name="key"/>'s block on its device.</summary>
    public static long OffsetOf(ulong key) => (long)(key & ((1UL << DeviceShift) - 1)) << Geometry.BlockShift;

    /// <summary>The key of the block around <paramref name="offsetBytes"/>.</summary>
    public static ulong KeyOf(int id, long offsetBytes) =>
        ((ulong)id << DeviceShift) | (ulong)(offsetBytes >> Geometry.BlockShift);
}
