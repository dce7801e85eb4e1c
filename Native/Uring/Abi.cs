using System.Runtime.InteropServices;

namespace Weir.Native.Uring;

#pragma warning disable CS1591, CS8981, IDE1006 // names and meanings are those of linux/io_uring.h

/// <summary>Submission entry. With IORING_SETUP_SQE128 another 64 bytes follow, and the command starts at 48.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct io_uring_sqe
{
    [FieldOffset(0)] public byte opcode;
    [FieldOffset(1)] public byte flags;
    [FieldOffset(2)] public ushort ioprio;
    [FieldOffset(4)] public int fd;
    [FieldOffset(8)] public ulong off;
    [FieldOffset(8)] public uint cmd_op;
    [FieldOffset(12)] public uint __pad1;
    [FieldOffset(16)] public ulong addr;
    [FieldOffset(24)] public uint len;
    /// <summary>rw_flags, fsync_flags, msg_flags, accept_flags, cancel_flags: one union, one size.</summary>
    [FieldOffset(28)] public uint rw_flags;
    [FieldOffset(32)] public ulong user_data;
    [FieldOffset(40)] public ushort buf_index;
    [FieldOffset(42)] public ushort personality;
    /// <summary>file_index; also splice_fd_in, and addr_len in its low half.</summary>
    [FieldOffset(44)] public uint file_index;
    [FieldOffset(48)] public ulong addr3;
    [FieldOffset(56)] public ulong __pad2;
}

/// <summary>Completion entry. With IORING_SETUP_CQE32 another 16 bytes follow.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct io_uring_cqe
{
    [FieldOffset(0)] public ulong user_data;
    [FieldOffset(8)] public int res;
    [FieldOffset(12)] public uint flags;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_sqring_offsets
{
    public uint head, tail, ring_mask, ring_entries, flags, dropped, array, resv1;
    public ulong resv2;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_cqring_offsets
{
    public uint head, tail, ring_mask, ring_entries, overflow, cqes, flags, resv1;
    public ulong resv2;
}

[StructLayout(LayoutKind.Sequential)]
public unsafe struct io_uring_params
{
    public uint sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd;
    public fixed uint resv[3];
    public io_sqring_offsets sq_off;
    public io_cqring_offsets cq_off;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_uring_getevents_arg
{
    public ulong sigmask;
    public uint sigmask_sz;
    public uint pad;
    public ulong ts;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_uring_rsrc_register
{
    public uint nr;
    public uint flags;
    public ulong resv2;
    public ulong data;
    public ulong tags;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_uring_rsrc_update2
{
    public uint offset;
    public uint resv;
    public ulong data;
    public ulong tags;
    public uint nr;
    public uint resv2;
}

[StructLayout(LayoutKind.Sequential)]
public struct io_uring_probe_op
{
    public byte op;
    public byte resv;
    public ushort flags;
    public uint resv2;
}

/// <summary>Followed by <c>ops_len</c> entries of <see cref="io_uring_probe_op"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct io_uring_probe
{
    public byte last_op;
    public byte ops_len;
    public ushort resv;
    public fixed uint resv2[3];
}

public enum UringOp : byte
{
    IORING_OP_NOP = 0,
    IORING_OP_FSYNC = 3,
    IORING_OP_READ_FIXED = 4,
    IORING_OP_WRITE_FIXED = 5,
    IORING_OP_SENDMSG = 9,
    IORING_OP_ACCEPT = 13,
    IORING_OP_ASYNC_CANCEL = 14,
    IORING_OP_FALLOCATE = 17,
    IORING_OP_READ = 22,
    IORING_OP_WRITE = 23,
    IORING_OP_RECV = 27,
    IORING_OP_MSG_RING = 40,
    IORING_OP_URING_CMD = 46,
}

/// <summary>Constants of linux/io_uring.h.</summary>
public static class UringConst
{
    public const uint IORING_SETUP_CQSIZE = 1 << 3;
    public const uint IORING_SETUP_CLAMP = 1 << 4;
    public const uint IORING_SETUP_SUBMIT_ALL = 1 << 7;
    public const uint IORING_SETUP_TASKRUN_FLAG = 1 << 9;
    public const uint IORING_SETUP_SQE128 = 1 << 10;
    public const uint IORING_SETUP_CQE32 = 1 << 11;
    public const uint IORING_SETUP_SINGLE_ISSUER = 1 << 12;
    public const uint IORING_SETUP_DEFER_TASKRUN = 1 << 13;

    public const uint IORING_FEAT_SINGLE_MMAP = 1 << 0;
    public const uint IORING_FEAT_NODROP = 1 << 1;
    public const uint IORING_FEAT_SUBMIT_STABLE = 1 << 2;
    public const uint IORING_FEAT_EXT_ARG = 1 << 8;
    public const uint IORING_FEAT_RSRC_TAGS = 1 << 10;

    public const ulong IORING_OFF_SQ_RING = 0;
    public const ulong IORING_OFF_SQES = 0x10000000;

    public const uint IORING_ENTER_GETEVENTS = 1 << 0;
    public const uint IORING_ENTER_EXT_ARG = 1 << 3;

    public const uint IORING_SQ_CQ_OVERFLOW = 1 << 1;
    public const uint IORING_SQ_TASKRUN = 1 << 2;

    public const uint IORING_UNREGISTER_BUFFERS = 1;
    public const uint IORING_UNREGISTER_FILES = 3;
    public const uint IORING_REGISTER_PROBE = 8;
    public const uint IORING_REGISTER_FILES2 = 13;
    public const uint IORING_REGISTER_FILES_UPDATE2 = 14;
    public const uint IORING_REGISTER_BUFFERS2 = 15;
    public const uint IORING_REGISTER_BUFFERS_UPDATE = 16;
    public const uint IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
    public const uint IORING_RSRC_REGISTER_SPARSE = 1 << 0;
    public const ushort IO_URING_OP_SUPPORTED = 1 << 0;

    public const byte IOSQE_FIXED_FILE = 1 << 0;
    public const byte IOSQE_ASYNC = 1 << 4;
    public const uint IORING_FSYNC_DATASYNC = 1 << 0;
    public const uint IORING_ASYNC_CANCEL_ALL = 1 << 0;
    public const uint IORING_ASYNC_CANCEL_FD = 1 << 1;
    public const uint IORING_ASYNC_CANCEL_ANY = 1 << 2;

    public const int __NR_io_uring_setup = 425;
    public const int __NR_io_uring_enter = 426;
    public const int __NR_io_uring_register = 427;
}
