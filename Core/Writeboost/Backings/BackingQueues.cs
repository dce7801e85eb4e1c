using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>One thread's queues of the backing devices, by their numbers.</summary>
internal sealed class BackingQueues
{
    private readonly BackingTable _table;
    private readonly IoContext _io;
    private readonly DeviceQueue?[] _queues = new DeviceQueue?[BackingTable.MaxId + 1];
    private readonly BackingDevice?[] _devices = new BackingDevice?[BackingTable.MaxId + 1];

    /// <summary>Opens all devices of <paramref name="table"/>, on the thread that owns <paramref name="io"/>.</summary>
    public BackingQueues(BackingTable table, IoContext io)
    {
        _table = table;
        _io = io;
        _ = Update();
    }

    /// <summary>The queue of device <paramref name="id"/>, which is there.</summary>
    public DeviceQueue this[int id]
    {
        get
        {
            DeviceQueue? queue = _queues[id];
            Invariant.Check(queue != null);
            return queue;
        }
    }

    /// <summary>
    /// This thread has a queue of device <paramref name="id"/> as the table has it now: in the turn in which another
    /// thread enters or removes a device, it has not yet, or still that to its predecessor.
    /// </summary>
    public bool IsOpen(int id) => _queues[id] != null && _devices[id] == _table.Find(id);

    /// <summary>The table's generation as last looked at.</summary>
    public int Generation { get; private set; } = -1;

    /// <summary>Once per turn: opens what has come, closes what has gone. True when there was a change.</summary>
    public bool Update()
    {
        int generation = _table.Generation;
        if (generation == Generation) return false;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            BackingDevice? device = _table.Find(id);
            if (device == _devices[id]) continue;
            _queues[id]?.Close();
            _devices[id] = device;
            _queues[id] = device is { IsAbsent: false } ? device.Device.OpenQueue(_io) : null;
        }
        Generation = generation;
        return true;
    }
}
