using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>One thread's doors to the backing devices, by their numbers.</summary>
public sealed class BackingQueues
{
    private readonly DeviceQueue?[] _queues = new DeviceQueue?[BackingTable.MaxId + 1];

    /// <summary>Opens all devices of <paramref name="table"/>, on the thread that owns <paramref name="io"/>.</summary>
    public BackingQueues(BackingTable table, IoContext io)
    {
        table.ForEach(device => _queues[device.Id] = device.Device.OpenQueue(io));
    }

    /// <summary>The door to device <paramref name="id"/>, which is there.</summary>
    public DeviceQueue this[int id]
    {
        get
        {
            DeviceQueue? queue = _queues[id];
            Invariant.Check(queue != null);
            return queue;
        }
    }
}
