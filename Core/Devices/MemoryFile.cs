using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>A file of memory that outlives its process, looked at from outside.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="MadeAt">When it was made.</param>
/// <param name="IsInUse">A process has it locked or, as far as this user may see that, mapped.</param>
/// <param name="Head">Its first bytes, as many as were asked for, zeroes behind its end.</param>
public sealed record MemoryFile(string Path, long SizeBytes, DateTime MadeAt, bool IsInUse, byte[] Head)
{
    /// <summary>
    /// Every such file in these folders that this user can read; <paramref name="cannotList"/> is told, in a line, of a
    /// folder that he cannot.
    /// </summary>
    public static List<MemoryFile> All(IEnumerable<string> places, int headBytes, Action<string> cannotList)
    {
        List<MemoryFile> files = [];
        foreach (string place in places)
        {
            if (!Directory.Exists(place)) continue;
            string[] paths = [];
            try
            {
                paths = Directory.GetFiles(place, MemoryPlaces.Prefix + "*");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                string why = e is UnauthorizedAccessException ? Errno.Text(Errno.EACCES) : e.Message;
                cannotList($"{place}: cannot be looked into: {why}");
            }
            Array.Sort(paths, StringComparer.Ordinal);
            foreach (string path in paths)
                if (Read(path, headBytes) is { } file) files.Add(file);
        }
        return files;
    }

    /// <summary>Removes it, unless a process has taken it in the meantime: then false.</summary>
    public bool TryRemove()
    {
        int fd = Libc.Open(Path, Const.O_RDONLY | Const.O_CLOEXEC | Const.O_NOFOLLOW);
        if (fd == -Errno.ENOENT) return true;
        if (fd < 0) throw Cannot("open", fd);
        try
        {
            if (FileLock.TryLock(fd, shared: false, patienceMs: 0) < 0 || !IsStillAt(fd)) return false;
            int result = Libc.Unlink(Path);
            return result >= 0 ? true : throw Cannot("remove", result);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    // A start may have put a new one in its place since it was opened.
    private bool IsStillAt(int fd)
    {
        int other = Libc.Open(Path, Const.O_RDONLY | Const.O_CLOEXEC | Const.O_NOFOLLOW);
        if (other < 0) return false;
        bool isSame = Libc.Status(fd, out statx mine) >= 0 && Libc.Status(other, out statx its) >= 0
            && mine.stx_ino == its.stx_ino
            && (mine.stx_dev_major, mine.stx_dev_minor) == (its.stx_dev_major, its.stx_dev_minor);
        _ = Libc.Close(other);
        return isSame;
    }

    private static unsafe MemoryFile? Read(string path, int headBytes)
    {
        int fd = Libc.Open(path, Const.O_RDONLY | Const.O_CLOEXEC | Const.O_NOFOLLOW);
        if (fd < 0) return null;
        try
        {
            if (Libc.Status(fd, out statx status) < 0 || (status.stx_mode & Const.S_IFMT) != Const.S_IFREG) return null;
            byte[] head = new byte[headBytes];
            fixed (byte* at = head) _ = Libc.ReadAt(fd, at, headBytes, 0);
            bool isInUse = FileLock.TryLock(fd, shared: true, patienceMs: 0) < 0 || IsMapped(path);
            return new MemoryFile(path, (long)status.stx_size, File.GetLastWriteTimeUtc(path), isInUse, head);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    // Processes that this user may look at; older weirs lock nothing.
    private static bool IsMapped(string path)
    {
        foreach (string process in Directory.GetDirectories("/proc"))
        {
            if (!char.IsAsciiDigit(process["/proc/".Length])) continue;
            try
            {
                foreach (string line in File.ReadLines(process + "/maps"))
                    if (line.EndsWith(path, StringComparison.Ordinal)) return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has ended, or is another user's.
            }
        }
        return false;
    }

    private UserErrorException Cannot(string what, int result) =>
        new($"{Path}: cannot {what} it: {Errno.Text(result)}");
}
