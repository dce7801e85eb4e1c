using System.Collections.Generic;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Finds the number of each backing device that the user gives, and checks that it is the device that had it (R13).
/// Decides only; nothing is written. Any layout: those without a device table know no numbers but the user's.
/// </summary>
public sealed class Binding(DeviceTable? table, long position, WriteboostOptions options)
{
    /// <summary>
    /// The devices of the table: those in <paramref name="specs"/> attached, the rest absent. New ones get a number.
    /// </summary>
    /// <exception cref="UserErrorException">Two are one, a number is taken, a device is not the one it was.</exception>
    public List<BackingDevice> Bind(IReadOnlyList<BackingSpec> specs)
    {
        if (specs.Count > 1 && !options.Layout.HasDevices)
            throw new UserErrorException($"layout {options.Layout.Name} has one backing device, not {specs.Count}", 2);
        SortedDictionary<int, BackingDevice> bound = [];
        // Those that are known first, so that a new one does not take their number.
        foreach (BackingSpec spec in specs)
            if (Known(spec) is > 0 and int id) Add(bound, id, spec);
        foreach (BackingSpec spec in specs)
            if (Known(spec) == 0) Add(bound, Free(spec, bound), spec);
        for (int id = 1; table != null && id <= DeviceTable.MaxDevices; id++)
            if (table[id].Id != 0 && !bound.ContainsKey(id)) bound.Add(id, Absent(table[id]));
        return [.. bound.Values];
    }

    /// <summary>One more device while others are served; <paramref name="others"/> are all that are known.</summary>
    /// <exception cref="UserErrorException">As <see cref="Bind"/>.</exception>
    public BackingDevice BindOne(BackingSpec spec, IReadOnlyList<BackingDevice> others)
    {
        if (!options.Layout.HasDevices)
            throw new UserErrorException($"layout {options.Layout.Name} has one backing device, which is attached");
        SortedDictionary<int, BackingDevice> bound = [];
        foreach (BackingDevice other in others)
        {
            if (!other.IsAbsent) bound.Add(other.Id, other);
            else if (table == null && other.Id == spec.Id) continue;
            else if (table == null) bound.Add(other.Id, other);
        }
        int id = Known(spec);
        if (id == 0) id = Free(spec, bound);
        Add(bound, id, spec);
        if (bound[id].HasShrunk)
            throw new UserErrorException($"{spec.Device.Name}: {spec.Device.SizeBytes} bytes, but it had "
                + $"{table![id].SizeBytes}: a device that has become smaller is given at a start");
        return bound[id];
    }

    // The number, else the name, else the identity under another name: the export was renamed.
    private int Known(BackingSpec spec)
    {
        if (table == null) return 0;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table[id].Id != 0 && table[id].Name == spec.Name) return id;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table[id].Id != 0 && spec.Device.AnswersTo(table[id].Identity)) return id;
        return spec.Id is { } given && table[given].Id != 0 ? given : 0;
    }

    private int Free(BackingSpec spec, SortedDictionary<int, BackingDevice> bound)
    {
        if (spec.Id is { } given) return given;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (!bound.ContainsKey(id) && (table == null || table[id].Id == 0)) return id;
        throw new UserErrorException($"{spec.Name}: all {DeviceTable.MaxDevices} device numbers are taken");
    }

    private void Add(SortedDictionary<int, BackingDevice> bound, int id, BackingSpec spec)
    {
        CheckSpec(spec);
        foreach (BackingDevice other in bound.Values)
        {
            if (other.Name == spec.Name)
                throw new UserErrorException($"two backing devices have the name '{spec.Name}'", 2);
            if (!other.IsAbsent && other.Device.Identities[0] == spec.Device.Identities[0])
                throw new UserErrorException(
                    $"{spec.Device.Name}: is given twice, as '{other.Name}' and '{spec.Name}'");
        }
        if (bound.TryGetValue(id, out BackingDevice? taken))
            throw new UserErrorException($"'{spec.Name}' and '{taken.Name}' would both be device {id} of the cache");
        bool isNew = table == null || table[id].Id == 0;
        if (!isNew) CheckReturn(id, spec, table![id]);
        long first = isNew ? position : table![id].FirstPosition;
        bound.Add(id, new BackingDevice(id, spec.Name, spec.Device)
        {
            FirstPosition = table == null ? 0 : first,
            HasShrunk = !isNew && spec.Device.SizeBytes < table![id].SizeBytes,
        });
    }

    private void CheckSpec(BackingSpec spec)
    {
        if (Encoding.UTF8.GetByteCount(spec.Name) > DeviceRecord.MaxNameBytes)
            throw new UserErrorException(
                $"'{spec.Name}': a device of a cache has a name of at most {DeviceRecord.MaxNameBytes} bytes", 2);
        if (spec.Id is < 1 or > DeviceTable.MaxDevices)
            throw new UserErrorException($"'{spec.Name}': device number {spec.Id}: expected 1 to 254", 2);
        CheckSize(spec.Device.Name, spec.Device.SizeBytes);
        if (!spec.Device.CanFlush && !options.TrustBackingWrites)
            throw new UserErrorException($"{spec.Device.Name}: cannot be flushed; --option backing_flush=none says "
                + $"that its writes are durable at once");
    }

    /// <summary>Throws when blocks at the end of a device of this size would have the names of another's.</summary>
    internal static void CheckSize(string name, long sizeBytes)
    {
        if (sizeBytes <= BackingTable.MaxDeviceBytes) return;
        throw new UserErrorException($"{name}: {sizeBytes} bytes; a backing device of a cache has at most "
            + $"{BackingTable.MaxDeviceBytes} ({ByteSize.Format(BackingTable.MaxDeviceBytes)})");
    }

    private void CheckReturn(int id, BackingSpec spec, in DeviceRecord known)
    {
        Device device = spec.Device;
        if (spec.Id is { } given && given != id)
            throw new UserErrorException($"'{spec.Name}' is device {id} of the cache, not {given}");
        // Of a table that was lost and rebuilt only the number is left.
        bool isKnown = known.Identity.Length > 0;
        if (isKnown && !device.AnswersTo(known.Identity) && !options.Rebind)
            throw new UserErrorException($"'{known.Name}' belongs to another backing device ({known.Identity}), not to "
                + $"{device.Name} ({device.Identities[0]}); --option rebind=1 if it is the same one");
    }

    private static BackingDevice Absent(in DeviceRecord record) =>
        new(record.Id, record.Name, null)
        {
            LastSizeBytes = record.SizeBytes,
            FirstPosition = record.FirstPosition,
        };
}
