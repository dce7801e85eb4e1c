using System;
using System.Collections.Generic;
using System.IO;
using Weir.Native;

namespace Weir.Frontends.Ublk;

/// <summary>Who has a block device open, on kernels that do not tell.</summary>
internal static class UblkUsers
{
    /// <summary>
    /// Something mounted or stacked on it holds it alone, and is found by asking for the same; what merely has it or a
    /// partition of it open is found among the processes that we may look at, and the loop devices.
    /// </summary>
    public static bool IsOpen(string path)
    {
        int fd = Libc.Open(path, Const.O_RDONLY | Const.O_EXCL | Const.O_CLOEXEC);
        if (fd == -Errno.EBUSY) return true;
        if (fd >= 0) _ = Libc.Close(fd);
        return AnyProcessHas(NumbersOf(Path.GetFileName(path))) || AnyLoopHas(path);
    }

    // Of the whole device and its partitions, MAJOR:MINOR as sysfs has them.
    private static HashSet<string> NumbersOf(string name)
    {
        HashSet<string> numbers = [];
        string folder = "/sys/block/" + name;
        if (!Directory.Exists(folder)) return numbers;
        numbers.Add(File.ReadAllText(folder + "/dev").Trim());
        foreach (string part in Directory.GetDirectories(folder, name + "*"))
            numbers.Add(File.ReadAllText(part + "/dev").Trim());
        return numbers;
    }

    private static bool AnyProcessHas(HashSet<string> numbers)
    {
        string own = $"/proc/{Environment.ProcessId}";
        foreach (string process in Directory.EnumerateDirectories("/proc"))
            if (char.IsAsciiDigit(process[^1]) && process != own && Has(process, numbers)) return true;
        return false;
    }

    private static bool Has(string process, HashSet<string> numbers)
    {
        try
        {
            foreach (string link in Directory.EnumerateFileSystemEntries(process + "/fd"))
                if (Libc.Status(link, out statx status) >= 0 && (status.stx_mode & Const.S_IFMT) == Const.S_IFBLK
                    && numbers.Contains($"{status.stx_rdev_major}:{status.stx_rdev_minor}")) return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone meanwhile, or another user's.
        }
        return false;
    }

    private static bool AnyLoopHas(string path)
    {
        foreach (string loop in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            string backing = loop + "/loop/backing_file";
            bool isLoop = File.Exists(backing);
            if (isLoop && File.ReadAllText(backing).StartsWith(path, StringComparison.Ordinal)) return true;
        }
        return false;
    }
}
