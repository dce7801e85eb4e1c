using System;
using System.IO;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// What is known of the way that a flush takes from a file to the disk. A flag on a write is believed only where it is
/// known to arrive: file systems that know nothing of it ignore it without a word, and FUSE, virtiofs, network file
/// systems and overlays over them do.
/// </summary>
internal static class FlushPath
{
    // ext2 to ext4, xfs, btrfs: DurableFileTests counts the flushes of the disk below each. tmpfs has no disk.
    private static readonly long[] s_carriers =
        [Const.EXT4_SUPER_MAGIC, Const.XFS_SUPER_MAGIC, Const.BTRFS_SUPER_MAGIC, Const.TMPFS_MAGIC];

    // As mountinfo shows the options by which fsync(2) does not reach the disk, or its cache is not flushed.
    private static readonly string[] s_flushless =
        ["volatile", "fsync=volatile", "nobarrier", "barrier=0", "fsync_mode=nobarrier", "nofsync"];

    /// <summary>
    /// A write with RWF_DSYNC is durable when it is done. Else it is written plainly and fdatasync(2) follows.
    /// </summary>
    public static bool CarriesDsync(int fd, bool isBlock) =>
        isBlock || (Libc.FileSystem(fd, out statfs info) == 0 && Array.IndexOf(s_carriers, info.f_type) >= 0);

    /// <summary>One line to print when a flush may mean less than it says; else null.</summary>
    public static string? Warning(string path, int fd, bool isBlock)
    {
        if (isBlock) return null;
        if (FindOption(fd) is { } option)
            return $"{path}: its file system is mounted with '{option}': a flush does not reach the disk, and what was "
                + "flushed is lost when power fails; mount it without";
        return !IsFuse(fd) ? null : $"{path}: lies on FUSE: a flush is as durable as the program behind it makes it, "
            + "and nothing tells of one that does not flush at all";
    }

    /// <summary>A file of a FUSE file system, virtiofs among them.</summary>
    public static bool IsFuse(int fd) =>
        Libc.FileSystem(fd, out statfs info) == 0 && info.f_type == Const.FUSE_SUPER_MAGIC;

    private static string? FindOption(int fd)
    {
        try
        {
            string? mount = FindLine($"/proc/self/fdinfo/{fd}", "mnt_id:");
            if (mount == null) return null;
            string line = FindLine("/proc/self/mountinfo", mount[7..].Trim() + " ") ?? "";
            return Array.Find(line.Split(' ', ','), static word => Array.IndexOf(s_flushless, word) >= 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? FindLine(string path, string start)
    {
        foreach (string line in File.ReadLines(path))
            if (line.StartsWith(start, StringComparison.Ordinal)) return line;
        return null;
    }
}
