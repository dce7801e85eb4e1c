using System;
using System.Runtime.InteropServices;
using Weir.Native;
using Weir.Native.Uring;
using Xunit;

namespace Weir.Tests.Abi;

/// <summary>Our structs and constants against the C headers of this system.</summary>
public sealed class KernelAbiTests(ITestOutputHelper output)
{
    private static readonly string[] Headers =
    [
        "errno.h", "fcntl.h", "linux/falloc.h", "linux/fs.h", "linux/io_uring.h", "linux/magic.h", "linux/prctl.h",
        "linux/time_types.h", "linux/version.h", "netinet/in.h", "netinet/tcp.h", "sys/eventfd.h", "sys/file.h",
        "sys/ioctl.h", "sys/mman.h", "sys/resource.h", "sys/socket.h", "sys/stat.h", "sys/statfs.h",
        "sys/syscall.h", "sys/uio.h", "sys/un.h",
    ];

    [Fact]
    public void StructsAndConstantsAreTheHeaders()
    {
        HeaderCheck check = new(Headers);
        AddStructs(check);
        AddAddresses(check);
        check.Constants(typeof(Const));
        check.Constants(typeof(Errno));
        check.Constants(typeof(UringConst));
        foreach (UringOp operation in Enum.GetValues<UringOp>()) check.Claim($"{operation} == {(int)operation}");
        check.Run();
        Assert.Empty(check.Wrong);
        Assert.True(check.Count > 250, "the reflection found little to check");
        foreach (string claim in check.Unchecked) output.WriteLine("these headers are too old to check: " + claim);
        // Nothing here is newer than Linux 6.1: with such headers, what they do not know is our mistake.
        if (HeadersAreAtLeast61()) Assert.Empty(check.Unchecked);
    }

    /// <summary>The check itself can fail, and tells wrong from unknown.</summary>
    [Fact]
    public void WrongAndUnknownClaimsAreTold()
    {
        HeaderCheck check = new(Headers);
        check.Claim("sizeof(struct io_uring_sqe) == 64");
        check.Claim("sizeof(struct io_uring_sqe) == 63");
        check.Claim("offsetof(struct io_uring_sqe, not_there) == 0");
        check.Claim("NOT_THERE_EITHER == 1");
        check.Claim("ENOSPC == 29");
        check.Run();
        Assert.Equal(["sizeof(struct io_uring_sqe) == 63", "ENOSPC == 29"], check.Wrong);
        Assert.Equal(["offsetof(struct io_uring_sqe, not_there) == 0", "NOT_THERE_EITHER == 1"], check.Unchecked);
    }

    /// <summary>The runtime lays the structs out as marshalling reports them: nothing is moved or padded.</summary>
    [Fact]
    public unsafe void ManagedSizesAreTheSame()
    {
        Assert.Equal(Marshal.SizeOf<io_uring_sqe>(), sizeof(io_uring_sqe));
        Assert.Equal(Marshal.SizeOf<io_uring_cqe>(), sizeof(io_uring_cqe));
        Assert.Equal(Marshal.SizeOf<io_uring_params>(), sizeof(io_uring_params));
        Assert.Equal(Marshal.SizeOf<io_uring_rsrc_update2>(), sizeof(io_uring_rsrc_update2));
        Assert.Equal(Marshal.SizeOf<msghdr>(), sizeof(msghdr));
        Assert.Equal(Marshal.SizeOf<statx>(), sizeof(statx));
        Assert.Equal(Marshal.SizeOf<statfs>(), sizeof(statfs));
    }

    private static void AddStructs(HeaderCheck check)
    {
        check.Struct<iovec>();
        check.Struct<msghdr>();
        check.Struct<__kernel_timespec>();
        check.Struct<rlimit>();
        check.Struct<statfs>();
        check.Struct<statx_timestamp>();
        check.Struct<statx>();
        check.Struct<io_uring_sqe>();
        check.Struct<io_uring_cqe>();
        check.Struct<io_sqring_offsets>();
        check.Struct<io_cqring_offsets>();
        check.Struct<io_uring_params>();
        check.Struct<io_uring_getevents_arg>();
        check.Struct<io_uring_rsrc_register>();
        check.Struct<io_uring_rsrc_update2>();
        check.Struct<io_uring_probe_op>();
        check.Struct<io_uring_probe>();
        check.Claim("offsetof(struct io_uring_sqe, cmd) == 48");
        check.Claim("offsetof(struct io_uring_cqe, big_cqe) == 16");
    }

    /// <summary>What Sockets.cs writes by hand.</summary>
    private static void AddAddresses(HeaderCheck check)
    {
        check.Claim("offsetof(struct sockaddr_un, sun_path) == 2");
        check.Claim("sizeof(((struct sockaddr_un *)0)->sun_path) == 108");
        check.Claim("sizeof(struct sockaddr_in) == 16");
        check.Claim("offsetof(struct sockaddr_in, sin_port) == 2");
        check.Claim("offsetof(struct sockaddr_in, sin_addr) == 4");
        check.Claim("sizeof(struct sockaddr_in6) == 28");
        check.Claim("offsetof(struct sockaddr_in6, sin6_port) == 2");
        check.Claim("offsetof(struct sockaddr_in6, sin6_addr) == 8");
        check.Claim("offsetof(struct sockaddr_in6, sin6_scope_id) == 24");
    }

    private static bool HeadersAreAtLeast61()
    {
        HeaderCheck check = new("linux/version.h");
        check.Claim("LINUX_VERSION_CODE >= 0x060100");
        check.Run();
        return check.Wrong.Count == 0 && check.Unchecked.Count == 0;
    }
}
