using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Native;

/// <summary>
/// System calls through the C library. Every result follows the kernel's convention: 0 or a positive value, or
/// <c>-errno</c>. Nothing here throws for a failing call.
/// </summary>
public static unsafe class Libc
{
    /// <summary>open(2). A path with a NUL inside is <c>-EINVAL</c>.</summary>
    public static int Open(string path, int flags, uint mode = 0)
    {
        fixed (byte* p = Path(path)) return p == null ? -Errno.EINVAL : Result(LibcImports.open(p, flags, mode));
    }

    /// <summary>close(2).</summary>
    public static int Close(int fd) => Result(LibcImports.close(fd));

    /// <summary>read(2).</summary>
    public static long Read(int fd, void* buffer, long count) => Result(LibcImports.read(fd, buffer, (nuint)count));

    /// <summary>write(2).</summary>
    public static long Write(int fd, void* buffer, long count) => Result(LibcImports.write(fd, buffer, (nuint)count));

    /// <summary>pread(2).</summary>
    public static long ReadAt(int fd, void* buffer, long count, long offset) =>
        Result(LibcImports.pread(fd, buffer, (nuint)count, offset));

    /// <summary>pwrite(2).</summary>
    public static long WriteAt(int fd, void* buffer, long count, long offset) =>
        Result(LibcImports.pwrite(fd, buffer, (nuint)count, offset));

    /// <summary>fsync(2).</summary>
    public static int Sync(int fd) => Result(LibcImports.fsync(fd));

    /// <summary>fdatasync(2).</summary>
    public static int DataSync(int fd) => Result(LibcImports.fdatasync(fd));

    /// <summary>ftruncate(2).</summary>
    public static int Truncate(int fd, long length) => Result(LibcImports.ftruncate(fd, length));

    /// <summary>fallocate(2).</summary>
    public static int Allocate(int fd, int mode, long offset, long length) =>
        Result(LibcImports.fallocate(fd, mode, offset, length));

    /// <summary>posix_fallocate(3): allocates even where the file system has no call for it.</summary>
    public static int AllocateAnyhow(int fd, long offset, long length) =>
        -LibcImports.posix_fallocate(fd, offset, length);

    /// <summary>posix_fadvise(3); a length of 0 means to the end.</summary>
    public static int Advise(int fd, long offset, long length, int advice) =>
        -LibcImports.posix_fadvise(fd, offset, length, advice);

    /// <summary>lseek(2).</summary>
    public static long Seek(int fd, long offset, int whence) => Result((nint)LibcImports.lseek(fd, offset, whence));

    /// <summary>flock(2).</summary>
    public static int Lock(int fd, int operation) => Result(LibcImports.flock(fd, operation));

    /// <summary>unlink(2).</summary>
    public static int Unlink(string path)
    {
        fixed (byte* p = Path(path)) return p == null ? -Errno.EINVAL : Result(LibcImports.unlink(p));
    }

    /// <summary>rename(2).</summary>
    public static int Rename(string from, string to)
    {
        fixed (byte* f = Path(from), t = Path(to))
            return f == null || t == null ? -Errno.EINVAL : Result(LibcImports.rename(f, t));
    }

    /// <summary>fchmod(2).</summary>
    public static int ChangeMode(int fd, uint mode) => Result(LibcImports.fchmod(fd, mode));

    /// <summary>ioctl(2).</summary>
    public static int Control(int fd, uint request, void* argument) =>
        Result(LibcImports.ioctl(fd, request, argument));

    /// <summary>fstatfs(2).</summary>
    public static int FileSystem(int fd, out statfs buffer)
    {
        fixed (statfs* p = &buffer) return Result(LibcImports.fstatfs(fd, p));
    }

    /// <summary>statx(2) of an open file, with the direct I/O alignments where the kernel knows them.</summary>
    public static int Status(int fd, out statx buffer) => Status(fd, Const.AT_EMPTY_PATH, out buffer);

    /// <summary>The same as the kernel last knew it: asks no server, which may hang.</summary>
    public static int KnownStatus(int fd, out statx buffer) =>
        Status(fd, Const.AT_EMPTY_PATH | Const.AT_STATX_DONT_SYNC, out buffer);

    private static int Status(int fd, int flags, out statx buffer)
    {
        byte empty = 0;
        buffer = default;
        fixed (statx* p = &buffer) return Result(LibcImports.statx(fd, &empty, flags, StatusMask, p));
    }

    /// <summary>statx(2) of a path, following links.</summary>
    public static int Status(string path, out statx buffer)
    {
        buffer = default;
        fixed (byte* p = Path(path))
        fixed (statx* s = &buffer)
            return p == null ? -Errno.EINVAL : Result(LibcImports.statx(Const.AT_FDCWD, p, 0, StatusMask, s));
    }

    /// <summary>
    /// The same of a path in UTF-8 that ends with a zero, for who asks again and again and may allocate nothing.
    /// </summary>
    public static int Status(byte[] path, out statx buffer)
    {
        buffer = default;
        fixed (byte* p = path)
        fixed (statx* s = &buffer)
            return Result(LibcImports.statx(Const.AT_FDCWD, p, 0, StatusMask, s));
    }

    /// <summary>geteuid(2).</summary>
    public static uint EffectiveUserId() => LibcImports.geteuid();

    /// <summary>
    /// prctl(PR_SET_IO_FLUSHER): this thread, and those it starts, may use memory kept for whoever cleans memory, and
    /// wait for no cleaning of their own. <c>-EPERM</c> without CAP_SYS_RESOURCE.
    /// </summary>
    public static int BecomeIoFlusher() => Result(LibcImports.prctl(Const.PR_SET_IO_FLUSHER, 1, 0, 0, 0));

    /// <summary>mlockall(2).</summary>
    public static int LockAll(int flags) => Result(LibcImports.mlockall(flags));

    /// <summary>mmap(2): the address, or <c>-errno</c> (addresses of user space are never negative).</summary>
    public static nint Map(nuint length, int protection, int flags, int fd, long offset) =>
        (nint)Result(LibcImports.mmap(null, length, protection, flags, fd, offset));

    /// <summary>munmap(2).</summary>
    public static int Unmap(void* address, nuint length) => Result(LibcImports.munmap(address, length));

    /// <summary>mprotect(2).</summary>
    public static int Protect(void* address, nuint length, int protection) =>
        Result(LibcImports.mprotect(address, length, protection));

    /// <summary>madvise(2).</summary>
    public static int Advise(void* address, nuint length, int advice) =>
        Result(LibcImports.madvise(address, length, advice));

    /// <summary>getrlimit(2).</summary>
    public static int GetLimit(int resource, out rlimit limit)
    {
        fixed (rlimit* p = &limit) return Result(LibcImports.getrlimit(resource, p));
    }

    /// <summary>setrlimit(2).</summary>
    public static int SetLimit(int resource, rlimit limit) => Result(LibcImports.setrlimit(resource, &limit));

    /// <summary>eventfd(2).</summary>
    public static int EventFd(uint initial, int flags) => Result(LibcImports.eventfd(initial, flags));

    private const uint StatusMask = Const.STATX_BASIC_STATS | Const.STATX_DIOALIGN;

    /// <summary>The path for C, or null when it cannot be one.</summary>
    internal static byte[]? Path(string path) =>
        path.Contains('\0', StringComparison.Ordinal) ? null : Encoding.UTF8.GetBytes(path + "\0");

    internal static int Result(int result) => result == -1 ? -Marshal.GetLastPInvokeError() : result;

    internal static long Result(nint result) => result == -1 ? -Marshal.GetLastPInvokeError() : result;
}
