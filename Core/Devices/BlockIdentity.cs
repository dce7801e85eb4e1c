using System;
using System.Collections.Generic;
using System.IO;

namespace Weir.Core.Devices;

/// <summary>
/// What names a block device, from sysfs and udev's database (<c>/run/udev/data</c>, a text file per device: lines
/// <c>E:KEY=VALUE</c>, <c>S:link below /dev</c>). Strong names first: <c>disk:</c>, of the device itself. Then weak
/// ones, of the place where it is found (<see cref="Io.Device.IsPlace"/>), <c>dev:MAJ:MIN</c> last.
/// </summary>
/// <param name="sysFolder">Where sysfs is mounted.</param>
/// <param name="udevFolder">Where udev keeps its database; need not be there.</param>
/// <param name="devFolder">Where device nodes and the links to them are.</param>
/// <param name="fileIdentity">Names a file by its path; null when it cannot be asked.</param>
internal sealed class BlockIdentity(
    string sysFolder, string udevFolder, string devFolder, Func<string, string?> fileIdentity)
{
    // Relative to the device's directory in sysfs, best first: NVMe, SCSI, virtio, device mapper.
    private static readonly string[] s_attributes = ["wwid", "device/wwid", "device/serial", "serial", "dm/uuid"];

    // What the attributes above do not have: eMMC, pmem, bcache, md from Linux 6.6 on.
    private static readonly (string Kind, string Attribute)[] s_moreAttributes =
    [
        ("mmc", "device/cid"), ("pmem", "device/uuid"), ("bcache", "bcache/backing_dev_uuid"), ("md", "md/uuid"),
    ];

    // The same from udev's database, for what the kernel does not tell.
    private static readonly (string Kind, string Key)[] s_udevKeys =
        [("md", "MD_UUID"), ("wwn", "ID_WWN_WITH_EXTENSION"), ("wwn", "ID_WWN"), ("serial", "ID_SERIAL")];

    private readonly List<string> _names = [];
    private string _suffix = "";

    /// <summary>
    /// The one name that memory left by a killed process is found by: as it always was, so that a newer weir finds what
    /// an older one left.
    /// </summary>
    public string First { get; private set; } = "";

    /// <summary>The names of device <paramref name="major"/>:<paramref name="minor"/>, at least one.</summary>
    public IReadOnlyList<string> Of(uint major, uint minor)
    {
        string own = Path.Combine(sysFolder, "dev/block", $"{major}:{minor}");
        string? partition = ReadLine(own + "/partition");
        // A partition has no name of its own: the disk's, and its number.
        string disk = partition == null ? own : ParentOf(own);
        _suffix = partition == null ? "" : "#" + partition;
        Dictionary<string, string> udev = ReadUdev($"b{major}:{minor}", out List<string> links);
        AddAttributes(disk);
        First = _names.Count > 0 && partition == null ? _names[0] : $"dev:{major}:{minor}";
        AddRbd(disk);
        foreach ((string kind, string attribute) in s_moreAttributes) Add($"disk:{kind}/", ReadLine(disk, attribute));
        foreach ((string kind, string key) in s_udevKeys) Add($"disk:{kind}/", udev.GetValueOrDefault(key));
        AddPartition(own, udev);
        AddPlaces(own, disk, links);
        _names.Add($"dev:{major}:{minor}");
        return _names;
    }

    private void AddAttributes(string disk)
    {
        foreach (string attribute in s_attributes) Add("disk:", ReadLine(disk, attribute));
    }

    // Image ids are unique in their pool, pools in their cluster; the name of an image may change.
    private void AddRbd(string disk)
    {
        (string? pool, string? image) = (ReadLine(disk, "device/pool_id"), ReadLine(disk, "device/image_id"));
        if (pool == null || image == null) return;
        string snap = ReadLine(disk, "device/current_snap") is { } name and not "-" ? "@" + name : "";
        string space = ReadLine(disk, "device/pool_ns") is { } ns ? ns + "/" : "";
        Add("disk:rbd/", $"{ReadLine(disk, "device/cluster_fsid")}/{pool}/{space}{image}{snap}");
    }

    // Of the partition, not of the disk: it stays when partitions are renumbered.
    private void AddPartition(string own, Dictionary<string, string> udev)
    {
        if (_suffix == "") return;
        string? uuid = udev.GetValueOrDefault("ID_PART_ENTRY_UUID");
        foreach (string line in ReadLines(own + "/uevent"))
            if (line.StartsWith("PARTUUID=", StringComparison.Ordinal)) uuid = line["PARTUUID=".Length..];
        _suffix = "";
        Add("disk:partuuid/", uuid);
        _suffix = "#" + ReadLine(own + "/partition");
    }

    private void AddPlaces(string own, string disk, List<string> links)
    {
        if (ReadLine(disk, "loop/backing_file") is { } path) AddLoop(disk, path);
        Add("place:nbd/", ReadLine(disk, "backend"));
        if (ReadLine(disk, "device/name") is { } image && ReadLine(disk, "device/pool") is { } pool)
            Add("place:rbd/", $"{pool}/{image}");
        foreach (string link in links)
            if (link.StartsWith("zvol/", StringComparison.Ordinal)) _names.Add("place:" + link);
        AddZvolLinks(own);
        Add("place:dm/", ReadLine(disk, "dm/name"));
        foreach (string link in links)
            if (link.StartsWith("disk/by-id/", StringComparison.Ordinal)) _names.Add("place:" + link["disk/".Length..]);
    }

    // The file that a loop device stands on, wherever that file is called what.
    private void AddLoop(string disk, string path)
    {
        string offset = ReadLine(disk, "loop/offset") is { } bytes and not "0" ? "+" + bytes : "";
        if (fileIdentity(path) is { } file) Add("loop:", file + offset);
        // What an older weir called it.
        Add("disk:", path);
        if (_suffix == "") First = _names[^1];
    }

    // udev has made them, and no database tells.
    private void AddZvolLinks(string own)
    {
        string? name = null;
        foreach (string line in ReadLines(own + "/uevent"))
            if (line.StartsWith("DEVNAME=", StringComparison.Ordinal)) name = line["DEVNAME=".Length..];
        if (name?.StartsWith("zd", StringComparison.Ordinal) != true) return;
        string folder = Path.Combine(devFolder, "zvol");
        if (!Directory.Exists(folder)) return;
        foreach (string link in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            string? target = File.ResolveLinkTarget(link, returnFinalTarget: true)?.FullName;
            string place = "place:zvol/" + Path.GetRelativePath(folder, link);
            if (target != null && Path.GetFileName(target) == name && !_names.Contains(place)) _names.Add(place);
        }
    }

    private void Add(string kind, string? value)
    {
        if (!string.IsNullOrWhiteSpace(value)) _names.Add(kind + value + _suffix);
    }

    // Behind the link: ".." after its name would be taken off the name.
    private static string ParentOf(string link)
    {
        string folder = Directory.ResolveLinkTarget(link, returnFinalTarget: true)?.FullName ?? link;
        return Path.GetDirectoryName(folder)!;
    }

    private Dictionary<string, string> ReadUdev(string name, out List<string> links)
    {
        Dictionary<string, string> values = [];
        links = [];
        foreach (string line in ReadLines(Path.Combine(udevFolder, name)))
        {
            if (line.StartsWith("S:", StringComparison.Ordinal)) links.Add(line[2..]);
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 2 && line.StartsWith("E:", StringComparison.Ordinal))
                values[line[2..equals]] = line[(equals + 1)..];
        }
        links.Sort(StringComparer.Ordinal);
        return values;
    }

    private static string? ReadLine(string folder, string attribute) => ReadLine($"{folder}/{attribute}");

    private static string? ReadLine(string path)
    {
        string text = string.Join('\n', ReadLines(path)).Trim();
        return text.Length > 0 ? text : null;
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
