using System.Runtime.InteropServices;

namespace Weir.Native.Ublk;

#pragma warning disable CS1591, CS8981, IDE1006 // names and meanings are those of linux/ublk_cmd.h

/// <summary>A control command: the second argument of IORING_OP_URING_CMD, in the upper half of a long entry.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ublksrv_ctrl_cmd
{
    public uint dev_id;
    public ushort queue_id;
    public ushort len;
    public ulong addr;
    public ulong data;
    public ushort dev_path_len;
    public ushort pad;
    public uint reserved;
}

/// <summary>What a device is: given to ADD_DEV, which answers with what it has become.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ublksrv_ctrl_dev_info
{
    public ushort nr_hw_queues;
    public ushort queue_depth;
    public ushort state;
    public ushort pad0;
    public uint max_io_buf_bytes;
    public uint dev_id;
    public int ublksrv_pid;
    public uint pad1;
    public ulong flags;
    /// <summary>The server's own; the driver keeps it and does not look at it.</summary>
    public ulong ublksrv_flags;
    public uint owner_uid;
    public uint owner_gid;
    public ulong reserved1;
    public ulong reserved2;
}

/// <summary>A request, in memory that the driver shares read-only, one for each tag of a queue.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ublksrv_io_desc
{
    public uint op_flags;
    public uint nr_sectors;
    public ulong start_sector;
    public ulong addr;
}

/// <summary>A command of a queue, in the last 16 bytes of an entry.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ublksrv_io_cmd
{
    public ushort q_id;
    public ushort tag;
    public int result;
    public ulong addr;
}

[StructLayout(LayoutKind.Sequential)]
public struct ublk_param_basic
{
    public uint attrs;
    public byte logical_bs_shift, physical_bs_shift, io_opt_shift, io_min_shift;
    public uint max_sectors, chunk_sectors;
    public ulong dev_sectors, virt_boundary_mask;
}

[StructLayout(LayoutKind.Sequential)]
public struct ublk_param_discard
{
    public uint discard_alignment, discard_granularity, max_discard_sectors, max_write_zeroes_sectors;
    public ushort max_discard_segments, reserved0;
}

[StructLayout(LayoutKind.Sequential)]
public struct ublk_param_devt
{
    public uint char_major, char_minor, disk_major, disk_minor;
}

[StructLayout(LayoutKind.Sequential)]
public unsafe struct ublk_param_zoned
{
    public uint max_open_zones, max_active_zones, max_zone_append_sectors;
    public fixed byte reserved[20];
}

[StructLayout(LayoutKind.Sequential)]
public unsafe struct ublk_param_dma_align
{
    public uint alignment;
    public fixed byte pad[4];
}

/// <summary>
/// Parameters: <c>len</c> says how much of the structure this is; kernels that know less of it leave the rest.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct ublk_params
{
    public uint len, types;
    public ublk_param_basic basic;
    public ublk_param_discard discard;
    public ublk_param_devt devt;
    public ublk_param_zoned zoned;
    public ublk_param_dma_align dma;
}

/// <summary>Constants of linux/ublk_cmd.h. Opcodes are the ioctl-encoded ones.</summary>
public static class UblkConst
{
    public const uint UBLK_U_CMD_GET_DEV_INFO = 0x80207502;
    public const uint UBLK_U_CMD_ADD_DEV = 0xC0207504;
    public const uint UBLK_U_CMD_DEL_DEV = 0xC0207505;
    public const uint UBLK_U_CMD_START_DEV = 0xC0207506;
    public const uint UBLK_U_CMD_STOP_DEV = 0xC0207507;
    public const uint UBLK_U_CMD_SET_PARAMS = 0xC0207508;
    public const uint UBLK_U_CMD_START_USER_RECOVERY = 0xC0207510;
    public const uint UBLK_U_CMD_END_USER_RECOVERY = 0xC0207511;
    public const uint UBLK_U_CMD_GET_DEV_INFO2 = 0x80207512;
    public const uint UBLK_U_CMD_GET_FEATURES = 0x80207513;
    public const uint UBLK_U_CMD_DEL_DEV_ASYNC = 0x80207514;
    public const uint UBLK_U_CMD_UPDATE_SIZE = 0xC0207515;
    public const uint UBLK_U_CMD_TRY_STOP_DEV = 0xC0207517;
    public const uint UBLK_U_IO_FETCH_REQ = 0xC0107520;
    public const uint UBLK_U_IO_COMMIT_AND_FETCH_REQ = 0xC0107521;

    public const ulong UBLK_F_USER_RECOVERY = 1 << 3;
    public const ulong UBLK_F_USER_RECOVERY_REISSUE = 1 << 4;
    public const ulong UBLK_F_UNPRIVILEGED_DEV = 1 << 5;
    public const ulong UBLK_F_CMD_IOCTL_ENCODE = 1 << 6;
    public const ulong UBLK_F_USER_COPY = 1 << 7;
    public const ulong UBLK_F_UPDATE_SIZE = 1 << 10;
    public const ulong UBLK_F_AUTO_BUF_REG = 1 << 11;
    public const ulong UBLK_F_SAFE_STOP_DEV = 1 << 17;

    public const int UBLK_S_DEV_DEAD = 0;
    public const int UBLK_S_DEV_LIVE = 1;
    public const int UBLK_S_DEV_QUIESCED = 2;

    public const int UBLK_IO_RES_OK = 0;
    public const int UBLK_IO_RES_ABORT = -Errno.ENODEV;

    public const uint UBLK_IO_OP_READ = 0;
    public const uint UBLK_IO_OP_WRITE = 1;
    public const uint UBLK_IO_OP_FLUSH = 2;
    public const uint UBLK_IO_OP_DISCARD = 3;
    public const uint UBLK_IO_OP_WRITE_ZEROES = 5;
    public const uint UBLK_IO_F_FUA = 1 << 13;
    public const uint UBLK_IO_F_NOUNMAP = 1 << 15;
    public const uint UBLK_IO_F_NEED_REG_BUF = 1 << 17;

    /// <summary>Flag of an automatic buffer: what cannot be registered comes all the same, and says so.</summary>
    public const uint UBLK_AUTO_BUF_REG_FALLBACK = 1 << 0;

    public const uint UBLK_ATTR_READ_ONLY = 1 << 0;
    public const uint UBLK_ATTR_VOLATILE_CACHE = 1 << 2;
    public const uint UBLK_ATTR_FUA = 1 << 3;
    public const uint UBLK_PARAM_TYPE_BASIC = 1 << 0;
    public const uint UBLK_PARAM_TYPE_DISCARD = 1 << 1;
    public const uint UBLK_PARAM_TYPE_DMA_ALIGN = 1 << 4;

    public const long UBLKSRV_CMD_BUF_OFFSET = 0;
    public const long UBLKSRV_IO_BUF_OFFSET = 0x80000000;
    public const int UBLK_MAX_QUEUE_DEPTH = 4096;
    public const int UBLK_IO_BUF_BITS = 25;
    public const int UBLK_TAG_OFF = 25;
    public const int UBLK_QID_OFF = 41;
}
