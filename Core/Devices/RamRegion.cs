using System.IO;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>A region of <see cref="SharedMemoryStore"/>; keeps the file open, and with it the lock.</summary>
internal sealed unsafe class RamRegion : IRamRegion
{
    private readonly SharedMemory _memory;
    private readonly statx _made;
    private readonly byte[] _path;
    private int _fd;

    /// <summary>Takes over <paramref name="fd"/>. Throws <see cref="UserErrorException"/> and leaves it open.</summary>
    public RamRegion(string path, int fd, in statx status)
    {
        Place = path;
        _path = Encoding.UTF8.GetBytes(path + "\0");
        _made = status;
        try
        {
            _memory = new SharedMemory(fd, (long)status.stx_size);
        }
        catch (NativeException e)
        {
            throw new UserErrorException($"{path}: {e.Message}");
        }
        _fd = fd;
    }

    public byte* Pointer => _memory.Start;

    public long SizeBytes => _memory.SizeBytes;

    public string Place { get; }

    public string Folder => Path.GetDirectoryName(Place) ?? "";

    public bool CanVanish => true;

    /// <summary>The path still names this file, and all of it: what was removed, moved or mounted over it does not.
    /// </summary>
    public string? FindLoss()
    {
        int result = Libc.Status(_path, out statx now);
        if (result == -Errno.ENOENT) return "was removed";
        if (result < 0) return $"cannot be found any more ({Errno.Text(result)})";
        bool isSame = (now.stx_ino, now.stx_dev_major, now.stx_dev_minor)
            == (_made.stx_ino, _made.stx_dev_major, _made.stx_dev_minor);
        if (!isSame) return "is another file now";
        if (now.stx_uid != _made.stx_uid) return "belongs to another user now";
        return now.stx_size != _made.stx_size ? $"has {now.stx_size} bytes, not {_made.stx_size}" : null;
    }

    public void Dispose()
    {
        _memory.Dispose();
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }
}
