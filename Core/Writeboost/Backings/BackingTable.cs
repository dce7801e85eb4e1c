using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// The backing devices of a cache by their numbers, absent ones too. A key of the index is the number in bits 40 to
/// 47, the block below.
/// </summary>
/// <remarks>
/// Protocol: entries are written by the opener, then on the first queue's thread only, which raises the generation
/// afterwards; every queue looks at the generation once per turn and then opens and forgets what has changed.
/// </remarks>
internal sealed class BackingTable
{
    /// <summary>Smallest and largest number of a device.</summary>
    public const int MinId = 1, MaxId = DeviceTable.MaxDevices;

    private const int DeviceShift = 40;

    /// <summary>Keys name no block beyond: 4 PiB.</summary>
    public const long MaxDeviceBytes = 1L << (DeviceShift + Geometry.BlockShift);

    private readonly BackingDevice?[] _byId = new BackingDevice?[MaxId + 1];
    private BackingDevice[] _absent = [];
    private int _generation;
    private bool _unknownAreGone;

    /// <summary>Rises with every change.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>Those that nobody has given.</summary>
    public BackingDevice[] Absent => Volatile.Read(ref _absent);

    /// <summary>How many are there and served.</summary>
    public int AttachedCount => Count - Absent.Length;

    /// <summary>How many the cache knows.</summary>
    public int Count { get; private set; }

    /// <summary>The device with this number, or null.</summary>
    public BackingDevice? Find(int id) => (uint)id <= MaxId ? Volatile.Read(ref _byId[id]) : null;

    /// <summary>The device called <paramref name="name"/>, or null.</summary>
    public BackingDevice? Find(string name)
    {
        for (int id = MinId; id <= MaxId; id++)
            if (Find(id) is { } device && device.Name == name) return device;
        return null;
    }

    /// <summary>The device that <paramref name="key"/> lies on, which the cache knows.</summary>
    public BackingDevice Of(ulong key)
    {
        BackingDevice? device = Find(IdOf(key));
        Invariant.Check(device != null);
        return device;
    }

    /// <summary>A device that is there, for people: "'disk' (/dev/sdb)"; empty: it has gone.</summary>
    public string NameOf(int id) =>
        Find(id) is { IsAbsent: false } device ? $"'{device.Name}' ({device.Device.Name})" : "";

    /// <summary>The device that <paramref name="key"/> lies on, for people.</summary>
    public string NameOf(ulong key) =>
        IsAbsent(key) ? $"absent device {IdOf(key)}" : Of(key).Device.Name;

    /// <summary>Nobody has given the device that <paramref name="key"/> lies on.</summary>
    public bool IsAbsent(ulong key) => Find(IdOf(key)) is not { IsAbsent: false };

    /// <summary>
    /// What the log holds of device <paramref name="id"/> below this position is nobody's any more: another device had
    /// the number.
    /// </summary>
    public long FirstPositionOf(int id) => Find(id)?.FirstPosition ?? (_unknownAreGone ? long.MaxValue : 0);

    /// <summary>
    /// The cache keeps a table of its devices: those that are not in it have gone, and what the log still names of them
    /// does not count. Before the volume is served.
    /// </summary>
    public void ForgetUnknown() => _unknownAreGone = true;

    /// <summary>Requests for the device with this number are taken.</summary>
    public bool IsServed(int id) =>
        Find(id) is { State: BackingState.Attached or BackingState.Draining };

    /// <summary>All of them by number; control path.</summary>
    public List<BackingDevice> ToList()
    {
        List<BackingDevice> all = [];
        for (int id = MinId; id <= MaxId; id++)
            if (Find(id) is { } device) all.Add(device);
        return all;
    }

    /// <summary>Enters a device in place of one that was absent, or none.</summary>
    public void Set(BackingDevice device)
    {
        Invariant.Check(device.Id is >= MinId and <= MaxId);
        Volatile.Write(ref _byId[device.Id], device);
        NoteChange();
    }

    /// <summary>Forgets a device.</summary>
    public void Remove(int id)
    {
        Volatile.Write(ref _byId[id], null);
        NoteChange();
    }

    /// <summary>A device's state has changed: queues look at it in their next turn.</summary>
    public void NoteChange()
    {
        List<BackingDevice> all = ToList();
        Count = all.Count;
        Volatile.Write(ref _absent, [.. all.FindAll(static device => device.IsAbsent)]);
        Interlocked.Increment(ref _generation);
    }

    /// <summary>The number of the device that <paramref name="key"/> lies on.</summary>
    public static int IdOf(ulong key) => (int)(key >> DeviceShift);

    /// <summary>Byte offset of <paramref name="key"/>'s block on its device.</summary>
    public static long OffsetOf(ulong key) => (long)(key & ((1UL << DeviceShift) - 1)) << Geometry.BlockShift;

    /// <summary>The key of the block around <paramref name="offsetBytes"/>.</summary>
    public static ulong KeyOf(int id, long offsetBytes) =>
        ((ulong)id << DeviceShift) | (ulong)(offsetBytes >> Geometry.BlockShift);
}
