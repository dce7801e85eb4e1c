using System.Collections.Generic;
using System.Text;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// What tells a backing device from another one of equal size, stable across reboots and renumbering where possible.
/// </summary>
internal static class FileIdentity
{
    private const int BytesMax = 128;

    /// <summary>
    /// All that it answers to, the best first; at least one, each at most 128 bytes of UTF-8. <paramref name="first"/>:
    /// as <see cref="Io.Device.Identity"/>.
    /// </summary>
    public static IReadOnlyList<string> Of(int fd, in statx status, bool isBlock, out string first)
    {
        first = isBlock ? "" : OfFile(fd, status);
        if (!isBlock) return [first];
        BlockIdentity names = new("/sys", "/run/udev/data", "/dev", OfPath);
        List<string> all = [];
        foreach (string name in names.Of(status.stx_rdev_major, status.stx_rdev_minor)) all.Add(Shorten(name));
        first = Shorten(names.First);
        return all;
    }

    /// <summary>
    /// The file system's id (of its UUID on most) and the inode: a device number may change at any boot.
    /// </summary>
    private static string OfFile(int fd, in statx status)
    {
        ulong fileSystem = Libc.FileSystem(fd, out statfs info) == 0 ? info.f_fsid : 0;
        return $"file:{fileSystem:x16}-{status.stx_ino}";
    }

    private static string? OfPath(string path)
    {
        int fd = Libc.Open(path, Const.O_RDONLY | Const.O_CLOEXEC | Const.O_NONBLOCK);
        if (fd < 0) return null;
        string? name = Libc.Status(fd, out statx status) < 0 ? null : OfFile(fd, status);
        _ = Libc.Close(fd);
        return name;
    }

    /// <summary>Keeps the end, where serial numbers differ.</summary>
    private static string Shorten(string text)
    {
        while (Encoding.UTF8.GetByteCount(text) > BytesMax) text = text[1..];
        return text;
    }
}
