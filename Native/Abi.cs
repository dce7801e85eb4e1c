using System.Runtime.InteropServices;

namespace Weir.Native;

#pragma warning disable CS1591, CS8981, IDE1006 // names and meanings are the headers'

/// <summary><c>struct iovec</c> (linux/uio.h).</summary>
public unsafe struct iovec
{
    public void* iov_base;
    public nuint iov_len;
}

/// <summary><c>struct msghdr</c> as libc and the kernel's <c>user_msghdr</c> lay it out on 64-bit machines.</summary>
[StructLayout(LayoutKind.Explicit, Size = 56)]
public unsafe struct msghdr
{
    [FieldOffset(0)] public void* msg_name;
    [FieldOffset(8)] public uint msg_namelen;
    [FieldOffset(16)] public iovec* msg_iov;
    [FieldOffset(24)] public nuint msg_iovlen;
    [FieldOffset(32)] public void* msg_control;
    [FieldOffset(40)] public nuint msg_controllen;
    [FieldOffset(48)] public int msg_flags;
}

/// <summary><c>struct __kernel_timespec</c> (linux/time_types.h).</summary>
public struct __kernel_timespec
{
    public long tv_sec;
    public long tv_nsec;
}

/// <summary><c>struct rlimit</c> (sys/resource.h).</summary>
public struct rlimit
{
    public ulong rlim_cur;
    public ulong rlim_max;
}

/// <summary><c>struct statfs</c> on x86-64 (asm-generic/statfs.h); only the fields used are named.</summary>
[StructLayout(LayoutKind.Explicit, Size = 120)]
public struct statfs
{
    [FieldOffset(0)] public long f_type;
    [FieldOffset(8)] public long f_bsize;
    [FieldOffset(16)] public long f_blocks;
    [FieldOffset(24)] public long f_bfree;
    [FieldOffset(32)] public long f_bavail;
    [FieldOffset(56)] public ulong f_fsid;
}

/// <summary><c>struct statx_timestamp</c> (linux/stat.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct statx_timestamp
{
    [FieldOffset(0)] public long tv_sec;
    [FieldOffset(8)] public uint tv_nsec;
}

/// <summary><c>struct statx</c> (linux/stat.h); the direct I/O alignments came with Linux 6.1.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
public struct statx
{
    [FieldOffset(0)] public uint stx_mask;
    [FieldOffset(4)] public uint stx_blksize;
    [FieldOffset(16)] public uint stx_nlink;
    [FieldOffset(20)] public uint stx_uid;
    [FieldOffset(28)] public ushort stx_mode;
    [FieldOffset(32)] public ulong stx_ino;
    [FieldOffset(40)] public ulong stx_size;
    [FieldOffset(48)] public ulong stx_blocks;
    [FieldOffset(96)] public statx_timestamp stx_ctime;
    [FieldOffset(112)] public statx_timestamp stx_mtime;
    [FieldOffset(128)] public uint stx_rdev_major;
    [FieldOffset(132)] public uint stx_rdev_minor;
    [FieldOffset(136)] public uint stx_dev_major;
    [FieldOffset(140)] public uint stx_dev_minor;
    [FieldOffset(152)] public uint stx_dio_mem_align;
    [FieldOffset(156)] public uint stx_dio_offset_align;
}

/// <summary>Constants of fcntl.h, sys/mman.h, sys/stat.h, sys/socket.h, linux/fs.h, linux/falloc.h on x86-64.</summary>
public static class Const
{
    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_NONBLOCK = 0x800;
    public const int O_DIRECT = 0x4000;
    public const int O_NOFOLLOW = 0x20000;
    public const int O_CLOEXEC = 0x80000;

    public const int SEEK_SET = 0;
    public const int SEEK_END = 2;
    public const int SEEK_DATA = 3;
    public const int SEEK_HOLE = 4;

    public const int LOCK_SH = 1;
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int LOCK_UN = 8;

    public const int AT_FDCWD = -100;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int AT_STATX_DONT_SYNC = 0x4000;
    public const uint STATX_BASIC_STATS = 0x7ff;
    public const uint STATX_DIOALIGN = 0x2000;
    public const int S_IFMT = 0xF000;
    public const int S_IFBLK = 0x6000;
    public const int S_IFREG = 0x8000;
    public const int S_IFDIR = 0x4000;
    public const int S_IFSOCK = 0xC000;

    public const int POSIX_FADV_RANDOM = 1;
    public const int POSIX_FADV_DONTNEED = 4;

    public const int FALLOC_FL_KEEP_SIZE = 1;
    public const int FALLOC_FL_PUNCH_HOLE = 2;
    public const int FALLOC_FL_ZERO_RANGE = 16;

    public const int PROT_NONE = 0;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_SHARED = 1;
    public const int MAP_PRIVATE = 2;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_NORESERVE = 0x4000;
    public const int MAP_POPULATE = 0x8000;
    public const int MADV_HUGEPAGE = 14;
    public const int MADV_DONTFORK = 10;
    public const int MADV_DONTNEED = 4;
    public const int MADV_NOHUGEPAGE = 15;
    public const int MADV_POPULATE_WRITE = 23;

    public const uint RWF_DSYNC = 2;
    public const int RLIMIT_NOFILE = 7;
    public const int RLIMIT_MEMLOCK = 8;
    public const int EFD_SEMAPHORE = 1;
    public const int EFD_CLOEXEC = 0x80000;

    public const int AF_UNIX = 1;
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    public const int SOCK_STREAM = 1;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_SNDBUF = 7;
    public const int SO_KEEPALIVE = 9;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int TCP_NODELAY = 1;
    public const int TCP_KEEPIDLE = 4;
    public const int TCP_KEEPINTVL = 5;
    public const int TCP_KEEPCNT = 6;
    public const int TCP_USER_TIMEOUT = 18;
    public const int IPV6_V6ONLY = 26;
    public const int SHUT_RDWR = 2;
    public const int MSG_PEEK = 0x2;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_WAITALL = 0x100;
    public const int MSG_NOSIGNAL = 0x4000;

    public const uint TIOCGWINSZ = 0x5413;
    public const uint BLKROGET = 0x125e;
    public const uint BLKSSZGET = 0x1268;
    public const uint BLKDISCARD = 0x1277;
    public const uint BLKGETSIZE64 = 0x80081272;

    public const long TMPFS_MAGIC = 0x01021994;
    public const long RAMFS_MAGIC = 0x858458F6;
    public const long EXT4_SUPER_MAGIC = 0xEF53;
    public const long XFS_SUPER_MAGIC = 0x58465342;
    public const long BTRFS_SUPER_MAGIC = 0x9123683E;
    public const long FUSE_SUPER_MAGIC = 0x65735546;

    public const int PR_SET_IO_FLUSHER = 57;
    public const int MCL_CURRENT = 1;
    public const int MCL_FUTURE = 2;
    public const int MCL_ONFAULT = 4;
}
