using System;
using System.IO;
using System.Text;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// What tells a backing device from another one of equal size, stable across reboots and renumbering where possible.
/// </summary>
internal static class FileIdentity
{
    private const int BytesMax = 128;

    // Relative to the device's directory in sysfs, best first: NVMe, SCSI, virtio, device mapper, loop.
    private static readonly string[] Attributes =
        ["wwid", "device/wwid", "device/serial", "serial", "dm/uuid", "loop/backing_file"];

    /// <summary>At most 128 bytes of UTF-8.</summary>
    public static string Of(int fd, in statx status, bool isBlock) =>
        Shorten(isBlock ? OfBlock(status.stx_rdev_major, status.stx_rdev_minor) : OfFile(fd, status));

    /// <summary>
    /// The file system's id (of its UUID on most) and the inode: a device number may change at any boot.
    /// </summary>
    private static string OfFile(int fd, in statx status)
    {
        ulong fileSystem = Libc.FileSystem(fd, out statfs info) == 0 ? info.f_fsid : 0;
        return $"file:{fileSystem:x16}-{status.stx_ino}";
    }

    private static string OfBlock(uint major, uint minor)
    {
        string directory = $"/sys/dev/block/{major}:{minor}";
        // A partition has no name of its own: the disk's, and its number.
        string? partition = ReadLine(directory + "/partition");
        if (partition != null) directory += "/..";
        foreach (string attribute in Attributes)
        {
            string? value = ReadLine($"{directory}/{attribute}");
            if (value != null) return $"disk:{value}" + (partition != null ? $"#{partition}" : "");
        }
        return $"dev:{major}:{minor}";
    }

    private static string? ReadLine(string path)
    {
        try
        {
            string text = File.ReadAllText(path).Trim();
            return text.Length > 0 ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps the end, where serial numbers differ.</summary>
    private static string Shorten(string text)
    {
        while (Encoding.UTF8.GetByteCount(text) > BytesMax) text = text[1..];
        return text;
    }
}
