using System;
using System.IO;
using Weir.Native;

namespace Weir.Frontends.Ublk;

/// <summary>Who has a block device open, on kernels that do not tell.</summary>
internal static class UblkUsers
{
    /// <summary>
    /// Something mounted or stacked on it holds it alone, and is found by asking for the same; what merely has it open
    /// is found among the processes that we may look at.
    /// </summary>
    public static bool IsOpen(string path)
    {
        int fd = Libc.Open(path, Const.O_RDONLY | Const.O_EXCL | Const.O_CLOEXEC);
        if (fd == -Errno.EBUSY) return true;
        if (fd >= 0) _ = Libc.Close(fd);
        return AnyProcessHas(path);
    }

    private static bool AnyProcessHas(string path)
    {
        string own = $"/proc/{Environment.ProcessId}";
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            if (!char.IsAsciiDigit(process[^1]) || process == own) continue;
            try
            {
                foreach (string link in Directory.EnumerateFileSystemEntries(process + "/fd"))
                    if (File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName == path) return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Gone meanwhile, or another user's.
            }
        }
        return false;
    }
}
