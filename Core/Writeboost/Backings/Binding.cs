using System;
using System.Collections.Generic;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Finds the number of each backing device that the user gives, and checks that it is the device that had it (R13): by
/// its name, by what names the device itself, by what it holds; a place where it was found proves nothing. Decides
/// only; nothing is written. Any layout: those without a device table know no numbers but the user's.
/// </summary>
public sealed class Binding(
    DeviceTable? table, long position, WriteboostOptions options, ContentEvidence? content = null)
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
        int[] ids = Find(specs, []);
        // Those that are known first, so that a new one does not take their number.
        for (int i = 0; i < ids.Length; i++)
            if (ids[i] > 0) Add(bound, ids[i], specs[i]);
        for (int i = 0; i < ids.Length; i++)
            if (ids[i] == 0) Add(bound, Free(specs[i], bound), specs[i]);
        CheckNames(specs, bound);
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
        int id = Find([spec], bound.Keys)[0];
        if (id == 0) id = Free(spec, bound);
        Add(bound, id, spec);
        bool isKnown = table != null;
        foreach (BackingDevice other in others) isKnown |= other.IsAbsent && other.Id == id;
        if (!isKnown && bound[id].IsTooLarge)
            throw new UserErrorException(TooLarge(spec.Device.Name, spec.Device.SizeBytes));
        CheckNames([spec], bound);
        if (bound[id].HasShrunk)
            throw new UserErrorException($"{spec.Device.Name}: {spec.Device.SizeBytes} bytes, but it had "
                + $"{table![id].SizeBytes}: a device that has become smaller is given at a start");
        return bound[id];
    }

    // Numbers, 0 for a new device. Who is where he is said to be comes first: a copy of him is somebody else.
    private int[] Find(IReadOnlyList<BackingSpec> specs, IEnumerable<int> attached)
    {
        int[] ids = new int[specs.Count];
        if (table == null) return ids;
        HashSet<int> taken = [.. attached];
        for (int i = 0; i < ids.Length; i++)
        {
            int said = Said(specs[i]);
            bool isRight = said != 0 && (options.Rebind || taken.Contains(said) || IsItself(said, specs[i].Device));
            if (isRight) ids[i] = said;
        }
        taken.UnionWith(ids);
        for (int i = 0; i < ids.Length; i++)
            if (ids[i] == 0) ids[i] = FindElsewhere(specs[i], taken);
        return ids;
    }

    // The number of the name, else of the identity under another name (the export was renamed), else the user's.
    private int Said(BackingSpec spec)
    {
        int named = NumberOf(spec.Name);
        if (named != 0) return named;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table![id].Id != 0 && spec.Device.AnswersTo(table[id].Identity)) return id;
        return spec.Id is { } given and > 0 and <= DeviceTable.MaxDevices && table![given].Id != 0 ? given : 0;
    }

    private int NumberOf(string name)
    {
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table![id].Id != 0 && table[id].Name == name) return id;
        return 0;
    }

    // What it holds decides. Where only its place is known, another device may be there now: a new one, unless its user
    // says that it is the old one.
    private int FindElsewhere(BackingSpec spec, HashSet<int> taken)
    {
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table![id].Id != 0 && !taken.Contains(id) && HoldsItsContent(id, spec.Device)) return id;
        int said = Said(spec);
        if (said == 0) return 0;
        bool isMeant = table![said].Name == spec.Name || spec.Id == said;
        return isMeant || !Device.IsPlace(table[said].Identity) ? said : 0;
    }

    private bool IsItself(int id, Device device)
    {
        string identity = table![id].Identity;
        if (!device.AnswersTo(identity)) return HoldsItsContent(id, device);
        ContentVerdict verdict = Compare(device, id);
        return Device.IsPlace(identity)
            ? verdict is not (ContentVerdict.Changed or ContentVerdict.Other)
            : verdict != ContentVerdict.Other;
    }

    // Found again, moved or copied; but not where both are known by what names a device, and differ.
    private bool HoldsItsContent(int id, Device device)
    {
        string identity = table![id].Identity;
        bool isAnother = !Device.IsPlace(identity) && !Device.IsPlace(device.Identities[0])
            && !device.AnswersTo(identity);
        return !isAnother && Compare(device, id) == ContentVerdict.Same;
    }

    private ContentVerdict Compare(Device device, int id) => content?.Compare(device, id) ?? ContentVerdict.Unknown;

    private int Free(BackingSpec spec, SortedDictionary<int, BackingDevice> bound)
    {
        if (table != null && !options.AddsDevices) throw NotKnown(spec);
        if (spec.Id is { } given) return given;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (!bound.ContainsKey(id) && (table == null || table[id].Id == 0)) return id;
        throw new UserErrorException($"{spec.Name}: all {DeviceTable.MaxDevices} device numbers are taken");
    }

    private UserErrorException NotKnown(BackingSpec spec)
    {
        StringBuilder known = new();
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
            if (table![id].Id != 0)
                known.Append(known.Length > 0 ? ", " : "").Append($"'{table[id].Name}' ({table[id].SizeBytes} bytes)");
        return new UserErrorException($"{spec.Device.Name}: '{spec.Name}' is no device of this cache, which knows "
            + $"{(known.Length > 0 ? known : "none")}: give --backing NAME={spec.Device.Name} if it is one of them, "
            + "with --option rebind=1 if that is refused");
    }

    private void Add(SortedDictionary<int, BackingDevice> bound, int id, BackingSpec spec)
    {
        bool isNew = table == null || table[id].Id == 0;
        CheckSpec(spec);
        long most = MostOf(spec, isNew ? default : table![id], isNew);
        // Under the name of another one: the two have changed places, not names.
        bool isMoved = !isNew && table![id].Name != spec.Name && NumberOf(spec.Name) != 0;
        string name = isMoved ? table![id].Name : spec.Name;
        if (isMoved) options.Log($"'{name}' is found on {spec.Device.Name}, which was given as '{spec.Name}'");
        foreach (BackingDevice other in bound.Values)
        {
            if (other.Name == name)
                throw new UserErrorException($"two backing devices have the name '{name}'", 2);
            if (!other.IsAbsent && other.Device.Identities[0] == spec.Device.Identities[0])
                throw new UserErrorException(
                    $"{spec.Device.Name}: is given twice, as '{other.Name}' and '{name}'");
        }
        if (bound.TryGetValue(id, out BackingDevice? taken))
            throw new UserErrorException($"'{name}' and '{taken.Name}' would both be device {id} of the cache");
        if (!isNew) CheckReturn(id, spec, table![id]);
        long first = isNew ? position : table![id].FirstPosition;
        bound.Add(id, new BackingDevice(id, name, spec.Device)
        {
            MostBytes = most,
            FirstPosition = table == null ? 0 : first,
            HasShrunk = !isNew && spec.Device.SizeBytes < table![id].SizeBytes,
            IsNew = table != null && isNew,
            Content = isNew ? ContentVerdict.Unknown : Compare(spec.Device, id),
            WasWrittenMeanwhile = !isNew && content?.WasWrittenMeanwhile(spec.Device, id) == true,
            HasLostSamples = !isNew && content?.IsLost == true,
            IsKnownByPlace = !isNew && Device.IsPlace(table![id].Identity),
        });
    }

    private void CheckSpec(BackingSpec spec)
    {
        if (Encoding.UTF8.GetByteCount(spec.Name) > DeviceRecord.MaxNameBytes)
            throw new UserErrorException(
                $"'{spec.Name}': a device of a cache has a name of at most {DeviceRecord.MaxNameBytes} bytes", 2);
        if (spec.Id is < 1 or > DeviceTable.MaxDevices)
            throw new UserErrorException($"'{spec.Name}': device number {spec.Id}: expected 1 to 254", 2);
        if (!spec.Device.CanFlush && !options.TrustBackingWrites)
            throw new UserErrorException($"{spec.Device.Name}: cannot be flushed; --option backing_flush=none says "
                + $"that its writes are durable at once");
    }

    // Blocks at the end of a device that is too large would have the names of another's. One that the cache knows, and
    // has data of, goes on with what it had. Without a table only the log tells whether it does: see CheckBlocks.
    private long MostOf(BackingSpec spec, in DeviceRecord known, bool isNew)
    {
        bool isTooLarge = spec.Device.SizeBytes > BackingTable.MaxDeviceBytes;
        bool isTold = isNew && (table != null || options.Layout.HasDeviceTable);
        if (isTooLarge && isTold)
            throw new UserErrorException(TooLarge(spec.Device.Name, spec.Device.SizeBytes));
        if (!isTooLarge || known.SizeBytes <= 0) return BackingTable.MaxDeviceBytes;
        long most = Math.Min(known.SizeBytes, BackingTable.MaxDeviceBytes);
        options.Log($"{TooLarge(spec.Device.Name, spec.Device.SizeBytes)}: goes on with {most}, as before");
        return most;
    }

    /// <summary>What is wrong with a device of this size, in a sentence.</summary>
    internal static string TooLarge(string name, long sizeBytes) =>
        $"{name}: {sizeBytes} bytes; a backing device of a cache has at most "
        + $"{BackingTable.MaxDeviceBytes} ({ByteSize.Format(BackingTable.MaxDeviceBytes)})";

    // What answers to its name and holds something else is judged when the log has been read.
    private void CheckReturn(int id, BackingSpec spec, in DeviceRecord known)
    {
        Device device = spec.Device;
        if (spec.Id is { } given && given != id)
            throw new UserErrorException($"'{spec.Name}' is device {id} of the cache, not {given}");
        // Of a table that was lost and rebuilt only the number is left.
        bool isKnown = known.Identity.Length > 0;
        if (isKnown && !options.Rebind && !device.AnswersTo(known.Identity) && !HoldsItsContent(id, device))
            throw new UserErrorException($"'{known.Name}' belongs to another backing device ({known.Identity}), not to "
                + $"{device.Name} ({device.Identities[0]}); --option rebind=1 if it is the same one");
    }

    // Devices that have changed places keep their names; then each name that was given must still be there.
    private static void CheckNames(IReadOnlyList<BackingSpec> specs, SortedDictionary<int, BackingDevice> bound)
    {
        foreach (BackingSpec spec in specs)
        {
            BackingDevice? found = null;
            bool isThere = false;
            foreach (BackingDevice device in bound.Values)
            {
                isThere |= device.Name == spec.Name;
                if (!device.IsAbsent && device.Device == spec.Device) found = device;
            }
            if (isThere) continue;
            throw new UserErrorException($"{spec.Device.Name}: holds what '{found!.Name}' held, not what '{spec.Name}' "
                + $"did: the devices have changed places; give --backing {found.Name}={spec.Device.Name}");
        }
    }

    private static BackingDevice Absent(in DeviceRecord record) =>
        new(record.Id, record.Name, null)
        {
            LastSizeBytes = record.SizeBytes,
            FirstPosition = record.FirstPosition,
        };
}
