using System;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Memory that outlives the process: files on tmpfs (R1), mode 0600, called <c>weir-NAME</c>, all of their pages
/// allocated at once, so that no store to them can fail later.
/// </summary>
public sealed class SharedMemoryStore : IRamStore
{
    /// <summary>Where files go unless told otherwise.</summary>
    public const string DefaultDirectory = "/dev/shm";

    private const uint OwnerOnly = 0x180; // 0600

    private readonly string _directory;

    /// <summary>Throws <see cref="UserErrorException"/> when <paramref name="directory"/> is not on tmpfs.</summary>
    public SharedMemoryStore(string directory = DefaultDirectory)
    {
        _directory = directory;
        int fd = Libc.Open(directory, Const.O_RDONLY | Const.O_CLOEXEC);
        if (fd < 0) throw new UserErrorException($"{directory}: cannot open: {Errno.Text(fd)}");
        int result = Libc.FileSystem(fd, out statfs info);
        _ = Libc.Close(fd);
        if (result < 0 || info.f_type != Const.TMPFS_MAGIC)
            throw new UserErrorException($"{directory}: is not on tmpfs; memory that outlives the process needs that");
        BootId = Boot.Id();
    }

    /// <inheritdoc/>
    public string BootId { get; }

    /// <inheritdoc/>
    public bool OutlivesProcess => true;

    /// <inheritdoc/>
    public IRamRegion? Open(string name)
    {
        string path = PathOf(name);
        int fd = Libc.Open(path, Const.O_RDWR | Const.O_CLOEXEC | Const.O_NOFOLLOW);
        if (fd == -Errno.ENOENT) return null;
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
            return status.stx_size == 0 ? null : Map(path, fd, (long)status.stx_size);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <inheritdoc/>
    public IRamRegion Create(string name, long sizeBytes)
    {
        Delete(name);
        string path = PathOf(name);
        const int flags = Const.O_RDWR | Const.O_CREAT | Const.O_EXCL | Const.O_CLOEXEC | Const.O_NOFOLLOW;
        int fd = Libc.Open(path, flags, OwnerOnly);
        if (fd < 0) throw Cannot(path, "create", fd);
        try
        {
            Check(path, Libc.AllocateAnyhow(fd, 0, sizeBytes), $"allocate {sizeBytes} bytes for");
            return Map(path, fd, sizeBytes);
        }
        catch
        {
            Delete(name);
            throw;
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <inheritdoc/>
    public void Delete(string name)
    {
        string path = PathOf(name);
        int result = Libc.Unlink(path);
        if (result < 0 && result != -Errno.ENOENT) throw Cannot(path, "remove", result);
    }

    private string PathOf(string name)
    {
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal))
            throw new ArgumentException("a plain name is wanted", nameof(name));
        return Path.Combine(_directory, "weir-" + name);
    }

    private static RamRegion Map(string path, int fd, long sizeBytes)
    {
        try
        {
            return new RamRegion(new SharedMemory(fd, sizeBytes));
        }
        catch (NativeException e)
        {
            throw new UserErrorException($"{path}: {e.Message}");
        }
    }

    private static void Check(string path, int result, string what)
    {
        if (result < 0) throw Cannot(path, what, result);
    }

    private static UserErrorException Cannot(string path, string what, int result) =>
        new($"{path}: cannot {what} it: {Errno.Text(result)}");
}

/// <summary>A region of <see cref="SharedMemoryStore"/>.</summary>
internal sealed unsafe class RamRegion(SharedMemory memory) : IRamRegion
{
    public byte* Pointer => memory.Start;

    public long SizeBytes => memory.SizeBytes;

    public void Dispose() => memory.Dispose();
}

/// <summary>This boot of the machine.</summary>
internal static class Boot
{
    /// <summary>36 characters, new at every boot (random(4)).</summary>
    public static string Id() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
}
