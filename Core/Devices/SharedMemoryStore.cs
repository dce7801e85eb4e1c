using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Memory that outlives the process: files on tmpfs (R1), mode 0600, called <c>weir-NAME</c>, locked while they are
/// used, all of their pages allocated at once, so that no store to them can fail later. They are made in the first of
/// the <see cref="MemoryPlaces"/> that has room, and looked for in all of them.
/// </summary>
public sealed class SharedMemoryStore : IRamStore
{
    /// <summary>Where everybody's shared memory is.</summary>
    public const string DefaultDirectory = MemoryPlaces.Shm;

    private const uint OwnerOnly = 0x180; // 0600

    // 'weir list' has any such file locked while it looks at it.
    private const int LockPatienceMs = 1000;

    private readonly IReadOnlyList<string> _places;
    private readonly List<string> _search;

    /// <summary>
    /// Throws <see cref="UserErrorException"/> when <paramref name="directory"/> is not on tmpfs; null: when there is
    /// no place at all.
    /// </summary>
    public SharedMemoryStore(string? directory = null)
    {
        _places = MemoryPlaces.ToMake(directory);
        _search = [.. MemoryPlaces.ToSearch(directory)];
    }

    /// <inheritdoc/>
    public string BootId { get; } = Boot.Id();

    /// <inheritdoc/>
    public bool OutlivesProcess => true;

    /// <inheritdoc/>
    public string Places => string.Join(", ", _search);

    /// <inheritdoc/>
    public long RoomBytes
    {
        get
        {
            long most = 0;
            foreach (string place in _places) most = Math.Max(most, MemoryPlaces.RoomBytes(place));
            return most;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<IRamRegion> Open(string name) => OpenIn(_search, name);

    /// <inheritdoc/>
    public void AlsoSearch(string folder)
    {
        if (!_search.Contains(folder)) _search.Add(folder);
    }

    /// <summary>The regions of that name in these places.</summary>
    internal static IReadOnlyList<IRamRegion> OpenIn(IEnumerable<string> places, string name)
    {
        List<IRamRegion> found = [];
        foreach (string place in places)
            if (OpenFile(PathOf(place, name)) is { } region) found.Add(region);
        return found;
    }

    /// <inheritdoc/>
    public IRamRegion Create(string name, long sizeBytes)
    {
        Delete(name);
        List<string> reasons = [];
        foreach (string place in _places)
            if (TryCreate(place, name, sizeBytes, reasons) is { } region) return region;
        throw new UserErrorException(string.Join("; ", reasons));
    }

    /// <inheritdoc/>
    public void Delete(string name) => DeleteIn(_search, name);

    /// <summary>Removes the regions of that name in these places.</summary>
    internal static void DeleteIn(IEnumerable<string> places, string name)
    {
        foreach (string place in places)
        {
            string path = PathOf(place, name);
            int result = Libc.Unlink(path);
            if (result < 0 && result is not (-Errno.ENOENT or -Errno.ENOTDIR)) throw Cannot(path, "remove", result);
        }
    }

    private static RamRegion? OpenFile(string path)
    {
        int fd = Libc.Open(path, Const.O_RDWR | Const.O_CLOEXEC | Const.O_NOFOLLOW);
        if (fd is -Errno.ENOENT or -Errno.ENOTDIR) return null;
        if (fd < 0) throw Cannot(path, "open", fd);
        try
        {
            Check(path, Libc.Status(fd, out statx status), "examine");
            if ((status.stx_mode & Const.S_IFMT) != Const.S_IFREG || status.stx_uid != Libc.EffectiveUserId())
            {
                throw new UserErrorException(
                    $"{path}: belongs to another user; start once as that user, it may hold what was acknowledged");
            }
            // A process that died between making the file and giving it its size left nothing.
            if (status.stx_size != 0) return new RamRegion(path, fd, status);
            _ = Libc.Close(fd);
            return null;
        }
        catch
        {
            _ = Libc.Close(fd);
            throw;
        }
    }

    // Null: not here, and why.
    private static RamRegion? TryCreate(string place, string name, long sizeBytes, List<string> reasons)
    {
        string path = PathOf(place, name);
        MemoryPlaces.Prepare(place);
        long freeBytes = MemoryPlaces.RoomBytes(place);
        int fd = -Errno.ENOSPC;
        const int flags = Const.O_RDWR | Const.O_CREAT | Const.O_EXCL | Const.O_CLOEXEC | Const.O_NOFOLLOW;
        if (freeBytes >= sizeBytes) fd = Libc.Open(path, flags, OwnerOnly);
        int result = fd < 0 ? fd : Libc.AllocateAnyhow(fd, 0, sizeBytes);
        if (result >= 0) result = FileLock.TryLock(fd, shared: false, LockPatienceMs);
        statx made = default;
        if (result >= 0) result = Libc.Status(fd, out made);
        if (result >= 0) return new RamRegion(path, fd, made);
        if (fd >= 0) (_, _) = (Libc.Unlink(path), Libc.Close(fd));
        reasons.Add($"{place}: cannot allocate {ByteSize.Format(sizeBytes)} of memory that outlives the process: "
            + Errno.Text(result) + (result == -Errno.ENOSPC ? $" ({ByteSize.Format(freeBytes)} there)" : ""));
        return null;
    }

    private static string PathOf(string place, string name)
    {
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal))
            throw new ArgumentException("a plain name is wanted", nameof(name));
        return Path.Combine(place, MemoryPlaces.Prefix + name);
    }

    private static void Check(string path, int result, string what)
    {
        if (result < 0) throw Cannot(path, what, result);
    }

    private static UserErrorException Cannot(string path, string what, int result) =>
        new($"{path}: cannot {what} it: {Errno.Text(result)}");
}

/// <summary>This boot of the machine.</summary>
public static class Boot
{
    /// <summary>36 characters, new at every boot (random(4)).</summary>
    public static string Id() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
}
