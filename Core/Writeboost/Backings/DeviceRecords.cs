using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// The table that the cache keeps of its devices, in memory. Changed by whoever opens the volume, then on the first
/// queue's thread.
/// </summary>
/// <param name="table">Null in layouts that have none.</param>
/// <param name="isDue">What is on the device differs.</param>
/// <param name="options">Say whether devices are named anew.</param>
internal sealed class DeviceRecords(DeviceTable? table, bool isDue, WriteboostOptions options)
{
    /// <summary>The table itself, or null.</summary>
    public DeviceTable? Table => table;

    /// <summary>It says what the one on the device does not.</summary>
    public bool IsDue { get; private set; } = isDue;

    /// <summary>Enters a device as it is now.</summary>
    public void Describe(BackingDevice backing)
    {
        ref DeviceRecord record = ref table![backing.Id];
        DeviceRecord before = record;
        record.Id = (byte)backing.Id;
        // A drain serves no export: it renames none.
        if (options.AddsDevices || before.Id == 0) record.Name = backing.Name;
        record.SizeBytes = backing.SizeBytes;
        record.FirstPosition = backing.FirstPosition;
        if (!backing.IsAbsent) record.Identity = backing.Device.Identities[0];
        IsDue |= !record.IsSame(before);
    }
}
