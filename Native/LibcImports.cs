using System.Runtime.InteropServices;

namespace Weir.Native;

#pragma warning disable IDE1006 // the names are libc's

/// <summary>
/// The C library's functions, bound with fixed arity and blittable arguments. Variadic ones (open, ioctl, fcntl,
/// syscall) are safe to call so on x86-64 and arm64 Linux. Only <see cref="Libc"/> calls these: it turns errno into
/// a negative result at once, before the runtime can overwrite it.
/// </summary>
internal static unsafe partial class LibcImports
{
    private const string C = "libc";

    [LibraryImport(C, SetLastError = true)] internal static partial int open(byte* path, int flags, uint mode);
    [LibraryImport(C, SetLastError = true)] internal static partial int close(int fd);
    [LibraryImport(C, SetLastError = true)] internal static partial nint read(int fd, void* buffer, nuint count);
    [LibraryImport(C, SetLastError = true)] internal static partial nint write(int fd, void* buffer, nuint count);
    [LibraryImport(C, SetLastError = true)] internal static partial nint pread(int fd, void* b, nuint n, long offset);
    [LibraryImport(C, SetLastError = true)] internal static partial nint pwrite(int fd, void* b, nuint n, long offset);
    [LibraryImport(C, SetLastError = true)] internal static partial int fsync(int fd);
    [LibraryImport(C, SetLastError = true)] internal static partial int fdatasync(int fd);
    [LibraryImport(C, SetLastError = true)] internal static partial int ftruncate(int fd, long length);
    [LibraryImport(C, SetLastError = true)] internal static partial int fallocate(int fd, int mode, long off, long len);
    [LibraryImport(C)] internal static partial int posix_fadvise(int fd, long offset, long length, int advice);
    [LibraryImport(C)] internal static partial int posix_fallocate(int fd, long offset, long length);
    [LibraryImport(C, SetLastError = true)] internal static partial long lseek(int fd, long offset, int whence);
    [LibraryImport(C, SetLastError = true)] internal static partial int flock(int fd, int operation);
    [LibraryImport(C, SetLastError = true)] internal static partial int unlink(byte* path);
    [LibraryImport(C, SetLastError = true)] internal static partial int rename(byte* from, byte* to);
    [LibraryImport(C, SetLastError = true)] internal static partial int fchmod(int fd, uint mode);
    [LibraryImport(C, SetLastError = true)] internal static partial int ioctl(int fd, nuint request, void* argument);
    [LibraryImport(C, SetLastError = true)] internal static partial int fstatfs(int fd, statfs* buffer);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int statx(int dirfd, byte* path, int flags, uint mask, statx* buffer);
    [LibraryImport(C)] internal static partial uint geteuid();
    [LibraryImport(C, SetLastError = true)]
    internal static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);
    [LibraryImport(C, SetLastError = true)] internal static partial int mlockall(int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint mmap(void* address, nuint length, int protection, int flags, int fd, long offset);
    [LibraryImport(C, SetLastError = true)] internal static partial int munmap(void* address, nuint length);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int madvise(void* address, nuint length, int advice);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int mprotect(void* address, nuint length, int protection);
    [LibraryImport(C, SetLastError = true)] internal static partial int getrlimit(int resource, rlimit* limit);
    [LibraryImport(C, SetLastError = true)] internal static partial int setrlimit(int resource, rlimit* limit);
    [LibraryImport(C, SetLastError = true)] internal static partial int eventfd(uint initial, int flags);

    [LibraryImport(C, SetLastError = true)] internal static partial int socket(int domain, int type, int protocol);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int socketpair(int domain, int type, int protocol, int* pair);
    [LibraryImport(C, SetLastError = true)] internal static partial int bind(int fd, void* address, uint length);
    [LibraryImport(C, SetLastError = true)] internal static partial int connect(int fd, void* address, uint length);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int accept4(int fd, void* address, uint* length, int flags);
    [LibraryImport(C, SetLastError = true)] internal static partial int listen(int fd, int backlog);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int getsockname(int fd, void* address, uint* length);
    [LibraryImport(C, SetLastError = true)] internal static partial int shutdown(int fd, int how);
    [LibraryImport(C, SetLastError = true)]
    internal static partial nint recv(int fd, void* buffer, nuint length, int flags);
    [LibraryImport(C, SetLastError = true)]
    internal static partial nint send(int fd, void* buffer, nuint length, int flags);
    [LibraryImport(C, SetLastError = true)]
    internal static partial int setsockopt(int fd, int level, int name, void* value, uint length);

    [LibraryImport(C, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall2(nint number, nint a, nint b);
    [LibraryImport(C, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall4(nint number, nint a, nint b, nint c, nint d);
    [LibraryImport(C, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall6(nint number, nint a, nint b, nint c, nint d, nint e, nint f);
}
