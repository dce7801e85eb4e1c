using System;
using System.IO;
using static Weir.Native.Uring.UringConst;

namespace Weir.Native.Uring;

/// <summary>What this kernel's io_uring can do, and one clear line when that is not enough.</summary>
public static unsafe class Features
{
    /// <summary>The oldest kernel with everything used here: deferred task run came with 6.1.</summary>
    public const string OldestKernel = "6.1";

    private const uint Needed =
        IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG
        | IORING_FEAT_RSRC_TAGS;

    private static ReadOnlySpan<UringOp> NeededOperations =>
    [
        UringOp.IORING_OP_FSYNC, UringOp.IORING_OP_READ_FIXED, UringOp.IORING_OP_WRITE_FIXED,
        UringOp.IORING_OP_SENDMSG, UringOp.IORING_OP_ACCEPT, UringOp.IORING_OP_ASYNC_CANCEL,
        UringOp.IORING_OP_FALLOCATE, UringOp.IORING_OP_READ, UringOp.IORING_OP_WRITE, UringOp.IORING_OP_RECV,
    ];

    /// <summary>Null when io_uring will do; else one line that says why not and what helps.</summary>
    public static string? Problem()
    {
        try
        {
            using Ring ring = new(4, 8);
            return null;
        }
        catch (NativeException e)
        {
            return e.Message;
        }
    }

    /// <summary>Why io_uring_setup failed, in words for the user.</summary>
    internal static string SetupProblem(int errno) => errno switch
    {
        Errno.ENOSYS => $"this kernel ({Release()}) has no io_uring; Weir needs Linux {OldestKernel} or newer",
        Errno.EPERM => Disabled() switch
        {
            "2" =>
                "io_uring is disabled for everyone; an administrator enables it with: sysctl "
                    + "kernel.io_uring_disabled=0",
            "1" => "io_uring is disabled for this user; run as root, join the group of sysctl kernel.io_uring_group, "
                + "or have an administrator run: sysctl kernel.io_uring_disabled=0",
            _ => "io_uring is forbidden here, likely by a seccomp filter of the container; "
                + "allow io_uring_setup, io_uring_enter and io_uring_register",
        },
        Errno.EINVAL => $"this kernel ({Release()}) is too old for io_uring's deferred task run; "
            + $"Weir needs Linux {OldestKernel} or newer",
        Errno.ENOMEM => "not enough lockable memory for an io_uring; raise the limit with: ulimit -l",
        _ => $"cannot set up io_uring: {Errno.Text(errno)}",
    };

    /// <summary>Throws when a feature or an operation that Weir uses is missing.</summary>
    internal static void Require(Ring ring)
    {
        uint missing = Needed & ~ring.FeatureBits;
        if (missing != 0) throw TooOld($"feature bits 0x{missing:x}");
        const int count = 256;
        byte* memory = stackalloc byte[sizeof(io_uring_probe) + count * sizeof(io_uring_probe_op)];
        new Span<byte>(memory, sizeof(io_uring_probe) + count * sizeof(io_uring_probe_op)).Clear();
        int result = ring.Register(IORING_REGISTER_PROBE, memory, count);
        NativeException.Check(result, "cannot ask io_uring for its operations");
        io_uring_probe* probe = (io_uring_probe*)memory;
        io_uring_probe_op* operations = (io_uring_probe_op*)(memory + sizeof(io_uring_probe));
        foreach (UringOp operation in NeededOperations)
            if ((byte)operation >= probe->ops_len || (operations[(byte)operation].flags & IO_URING_OP_SUPPORTED) == 0)
                throw TooOld(operation.ToString());
    }

    private static NativeException TooOld(string missing) => new(
        $"this kernel's io_uring ({Release()}) lacks {missing}; Weir needs Linux {OldestKernel} or newer",
            Errno.EINVAL);

    private static string Release() => ReadLine("/proc/sys/kernel/osrelease") ?? "unknown release";

    private static string? Disabled() => ReadLine("/proc/sys/kernel/io_uring_disabled");

    private static string? ReadLine(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
