using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Folders in memory for what outlives the process. First the one that nobody tidies: <c>/run</c> belongs to the
/// machine, while <c>/dev/shm</c> is everybody's: logging out may empty it (RemoveIPC), and so do programs that remove
/// what is old. <c>XDG_RUNTIME_DIR</c> is none: it goes with the last session of its user.
/// </summary>
public static class MemoryPlaces
{
    /// <summary>Weir's own folder, where <c>/run</c> is in memory.</summary>
    public const string Run = RunParent + "/weir";

    private const string RunParent = "/run";

    /// <summary>Everybody's.</summary>
    public const string Shm = "/dev/shm";

    /// <summary>Files of Weir's memory begin with it.</summary>
    public const string Prefix = "weir-";

    /// <summary>
    /// Where a process may have left memory, that of the user's choice first.
    /// </summary>
    public static IReadOnlyList<string> ToSearch(string? chosen) =>
        chosen is null or Run or Shm ? [Run, Shm] : [chosen, Run, Shm];

    /// <summary>
    /// Where new memory can be made. Throws <see cref="UserErrorException"/> when there is no such place.
    /// </summary>
    public static IReadOnlyList<string> ToMake(string? chosen)
    {
        if (chosen != null)
            return WhyNot(chosen) is { } why ? throw new UserErrorException(why) : [chosen];
        List<string> good = [];
        if (IsRunOurs()) good.Add(Run);
        string? shm = WhyNot(Shm);
        if (shm == null) good.Add(Shm);
        return good.Count > 0 ? good : throw new UserErrorException(shm!);
    }

    /// <summary>
    /// Bytes that may be taken where <paramref name="folder"/> is; without a limit, the largest number. Below /run,
    /// where others have what they need to run, half of what is free.
    /// </summary>
    public static long RoomBytes(string folder)
    {
        // It is made with the first memory in it.
        string there = folder == Run && !Directory.Exists(Run) ? RunParent : folder;
        int fd = Libc.Open(there, Const.O_RDONLY | Const.O_CLOEXEC);
        if (fd < 0) return 0;
        int result = Libc.FileSystem(fd, out statfs info);
        _ = Libc.Close(fd);
        if (result < 0) return 0;
        // A tmpfs that was mounted without a limit, and any ramfs, has no blocks.
        if (info.f_blocks == 0) return long.MaxValue;
        long free = info.f_bavail * info.f_bsize;
        return folder == Run ? free / 2 : free;
    }

    // Of root only, so that nobody else finds the folder his; not where systemd removes it when the service ends.
    private static bool IsRunOurs()
    {
        string? managed = Environment.GetEnvironmentVariable("RUNTIME_DIRECTORY");
        bool isManaged = managed != null && Array.IndexOf(managed.Split(':'), Run) >= 0;
        if (isManaged || Libc.EffectiveUserId() != 0 || WhyNot(RunParent) != null) return false;
        return !Directory.Exists(Run) || WhyNot(Run) == null;
    }

    /// <summary>Makes Weir's own folder if memory is going to be made there; others are the user's.</summary>
    public static void Prepare(string folder)
    {
        if (folder != Run) return;
        try
        {
            Directory.CreateDirectory(Run);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Making the file says why.
        }
    }

    private static string? WhyNot(string folder)
    {
        int fd = Libc.Open(folder, Const.O_RDONLY | Const.O_CLOEXEC);
        if (fd < 0) return $"{folder}: cannot open: {Errno.Text(fd)}";
        int result = Libc.FileSystem(fd, out statfs info);
        _ = Libc.Close(fd);
        return result >= 0 && info.f_type is Const.TMPFS_MAGIC or Const.RAMFS_MAGIC ? null
            : $"{folder}: is not on tmpfs; memory that outlives the process needs that";
    }
}
