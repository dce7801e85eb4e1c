using System;
using System.Collections.Generic;
using System.Numerics;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Opens files and block devices, with one clear line for everything that can be wrong. A backing file may have any
/// size; elsewhere one that is not a whole number of logical blocks is refused rather than rounded down.
/// </summary>
internal static class FileOpener
{
    private const int RetryMs = 20;

    /// <summary>Opens and locks PATH. Throws <see cref="UserErrorException"/>.</summary>
    public static FileDevice Open(string path, bool readOnly = false, bool anySize = false)
    {
        NativeCheck(path, Libc.Status(path, out statx status));
        bool isBlock = CheckKind(path, status);
        int fd = OpenDirect(path, isBlock, readOnly, out bool isDirect);
        try
        {
            NativeCheck(path, Libc.Status(fd, out status));
            TakeLock(path, fd, readOnly);
            FileFacts facts = Examine(path, fd, status, isBlock, readOnly, isDirect, anySize);
            return new FileDevice(fd, OpenTail(path, facts, status), facts);
        }
        catch
        {
            _ = Libc.Close(fd);
            throw;
        }
    }

    /// <summary>Bytes that an open device has now; a negative errno when that cannot be told.</summary>
    internal static long SizeOf(int fd, FileFacts facts)
    {
        if (facts.IsBlockDevice) return BlockDevice.SizeBytes(fd);
        int result = Libc.Status(fd, out statx status);
        return result < 0 ? result : (long)status.stx_size;
    }

    /// <summary>The same file once more, where its end is not to be had around the page cache; else -1.</summary>
    private static int OpenTail(string path, FileFacts facts, in statx opened)
    {
        if (facts.SizeBytes % facts.LogicalBlockBytes == 0) return -1;
        int fd = Libc.Open(path, Const.O_CLOEXEC | (facts.IsReadOnly ? Const.O_RDONLY : Const.O_RDWR));
        if (fd < 0) throw Cannot(path, "open a second time", fd);
        bool isSame = Libc.Status(fd, out statx status) == 0 && status.stx_ino == opened.stx_ino
            && status.stx_dev_major == opened.stx_dev_major && status.stx_dev_minor == opened.stx_dev_minor;
        if (isSame)
        {
            ForgetCached(fd);
            return fd;
        }
        _ = Libc.Close(fd);
        throw new UserErrorException($"{path}: has become another file while it was opened");
    }

    /// <summary>
    /// What others left in the page cache may be there in large pieces, of which the last page is a part; and reading
    /// ahead would make such pieces.
    /// </summary>
    private static void ForgetCached(int fd)
    {
        _ = Libc.DataSync(fd);
        _ = Libc.Advise(fd, 0, 0, Const.POSIX_FADV_DONTNEED);
        _ = Libc.Advise(fd, 0, 0, Const.POSIX_FADV_RANDOM);
    }

    // Network file systems name their transfers here, a mebibyte and more.
    private static int CachedUnit(in statx status)
    {
        const int most = 64 << 10;
        int page = Environment.SystemPageSize;
        return BitOperations.IsPow2(status.stx_blksize) && status.stx_blksize <= most
            ? Math.Max(page, (int)status.stx_blksize)
            : page;
    }

    private static FileFacts Examine(
        string path, int fd, in statx status, bool isBlock, bool readOnly, bool isDirect, bool anySize)
    {
        long size = isBlock ? BlockDevice.SizeBytes(fd) : (long)status.stx_size;
        if (size < 0) throw Cannot(path, "ask for the size", (int)size);
        if (size == 0) throw new UserErrorException($"{path}: has no size (0 bytes)");
        if (isBlock && !readOnly && BlockDevice.IsReadOnly(fd) == 1)
            throw new UserErrorException($"{path}: the device is write-protected; serve it with --read-only");
        int logical = isBlock ? BlockDevice.LogicalBlockBytes(fd) : DirectAlignment.OfFile(fd, status, ref isDirect);
        if (logical is not (512 or 4096))
            throw new UserErrorException($"{path}: logical blocks of {logical} bytes; Weir knows 512 and 4096");
        if (size % logical != 0 && !(anySize && !isBlock))
            throw new UserErrorException($"{path}: {size} bytes are not a whole number of {logical}-byte blocks");
        string? warning = FlushPath.Warning(path, fd, isBlock);
        if (!isDirect)
            warning = $"{path}: this file system has no direct I/O; going through the page cache, which costs memory "
                + "and speed" + (warning == null ? "" : "; " + warning);
        IReadOnlyList<string> identities = FileIdentity.Of(fd, status, isBlock, out string identity);
        return new FileFacts(path, size, logical, isBlock, readOnly, isDirect,
            FlushPath.CarriesDsync(fd, isBlock), identity, identities, warning)
        {
            CachedUnitBytes = CachedUnit(status),
            MayBlock = !isBlock && FlushPath.IsFuse(fd),
            GivesSpaceBack = !isBlock || DiscardSupport.Of(status.stx_rdev_major, status.stx_rdev_minor),
        };
    }

    private static bool CheckKind(string path, in statx status) => (status.stx_mode & Const.S_IFMT) switch
    {
        Const.S_IFREG => false,
        Const.S_IFBLK => true,
        Const.S_IFDIR => throw new UserErrorException($"{path}: is a directory; expected a file or block device"),
        _ => throw new UserErrorException($"{path}: is neither a file nor a block device"),
    };

    /// <summary>With O_DIRECT where the file system has it. O_EXCL claims a block device against mounts too.</summary>
    private static int OpenDirect(string path, bool isBlock, bool readOnly, out bool isDirect)
    {
        int flags = Const.O_CLOEXEC | (readOnly ? Const.O_RDONLY : Const.O_RDWR);
        if (isBlock && !readOnly) flags |= Const.O_EXCL;
        isDirect = true;
        int fd = OpenPatiently(path, flags | Const.O_DIRECT);
        if (fd == -Errno.EINVAL)
        {
            isDirect = false;
            fd = OpenPatiently(path, flags);
        }
        if (fd == -Errno.EBUSY)
            throw new UserErrorException($"{path}: in use: mounted, part of another device, or served by another weir");
        if (fd == -Errno.EROFS && !readOnly)
            throw new UserErrorException($"{path}: lies on a read-only file system; serve it with --read-only");
        if (fd < 0) throw Cannot(path, readOnly ? "open for reading" : "open for reading and writing", fd);
        return fd;
    }

    /// <summary>Like the lock, a claim of a killed process lives until its last I/O is over.</summary>
    private static int OpenPatiently(string path, int flags)
    {
        int fd = Libc.Open(path, flags);
        for (int waited = 0; fd == -Errno.EBUSY && waited < FileLock.PatienceMs; waited += RetryMs)
        {
            Thread.Sleep(RetryMs);
            fd = Libc.Open(path, flags);
        }
        return fd;
    }

    private static void TakeLock(string path, int fd, bool readOnly)
    {
        int result = FileLock.TryLock(fd, shared: readOnly);
        if (result == -Errno.EAGAIN) throw new UserErrorException($"{path}: in use by another weir");
        if (result < 0) throw Cannot(path, "lock", result);
    }

    private static void NativeCheck(string path, int result)
    {
        if (result < 0) throw Cannot(path, "open", result);
    }

    private static UserErrorException Cannot(string path, string what, int result) =>
        new($"{path}: cannot {what}: {Errno.Text(result)}");
}
