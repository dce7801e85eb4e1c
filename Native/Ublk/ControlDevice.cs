using System;
using System.Collections.Concurrent;
using System.Text;
using Weir.Native.Uring;

namespace Weir.Native.Ublk;

/// <summary>
/// <c>/dev/ublk-control</c>: makes, starts, stops and deletes block devices that this process serves. Every call waits
/// for its end and returns 0 or more, or <c>-errno</c>; any thread, for each brings a ring of its own. Ask for the
/// features first: that tells how the driver wants its commands.
/// </summary>
/// <remarks>
/// Devices of users without rights (UBLK_F_UNPRIVILEGED_DEV): who may command one is who may open its character device,
/// whose path comes before the command's own bytes.
/// </remarks>
public sealed unsafe class ControlDevice : IDisposable
{
    /// <summary>Where it is.</summary>
    public const string Path = "/dev/ublk-control";

    private const uint BareNumberMask = 0xFF;
    private const int PathBytesMax = 32;

    private readonly ConcurrentDictionary<uint, bool> _unprivileged = new();
    private int _fd;
    private volatile bool _isBare;

    private ControlDevice(int fd) => _fd = fd;

    /// <summary>
    /// Opens it; null with the <c>-errno</c> that open(2) gave.
    /// </summary>
    public static ControlDevice? Open(out int error)
    {
        int fd = Libc.Open(Path, Const.O_RDWR | Const.O_CLOEXEC);
        error = Math.Min(fd, 0);
        return fd < 0 ? null : new ControlDevice(fd);
    }

    /// <summary>
    /// UBLK_F_ bits of the driver. Kernels before 6.5 cannot be asked, and say so in several ways: they know commands
    /// by their bare numbers, which are used from then on.
    /// </summary>
    public int GetFeatures(out ulong features)
    {
        ulong bits = 0;
        int result = Command(UblkConst.UBLK_U_CMD_GET_FEATURES, uint.MaxValue, &bits, sizeof(ulong));
        features = bits;
        _isBare = result < 0;
        return result;
    }

    /// <summary>
    /// Makes a device; <paramref name="info"/> then says its number and the flags that it really has.
    /// </summary>
    public int Add(ref ublksrv_ctrl_dev_info info)
    {
        int result = WithInfo(UblkConst.UBLK_U_CMD_ADD_DEV, ref info, hasPath: false);
        if (result >= 0) Know(info);
        return result;
    }

    /// <summary>What device <paramref name="id"/> is.</summary>
    public int GetInfo(uint id, out ublksrv_ctrl_dev_info info)
    {
        info = new() { dev_id = id };
        int result = WithInfo(UblkConst.UBLK_U_CMD_GET_DEV_INFO, ref info, hasPath: false);
        // That of a user without rights, or asked for by one.
        if (result is -Errno.EINVAL or -Errno.EPERM or -Errno.EACCES)
            result = WithInfo(UblkConst.UBLK_U_CMD_GET_DEV_INFO2, ref info, hasPath: true);
        if (result >= 0) Know(info);
        return result;
    }

    /// <summary>Size, block sizes, limits and attributes, before the start.</summary>
    public int SetParameters(uint id, ref ublk_params parameters)
    {
        parameters.len = (uint)sizeof(ublk_params);
        fixed (ublk_params* p = &parameters)
            return Command(UblkConst.UBLK_U_CMD_SET_PARAMS, id, p, sizeof(ublk_params));
    }

    /// <summary>Lets the block device have another size (UBLK_F_UPDATE_SIZE).</summary>
    public int UpdateSize(uint id, long sectors) =>
        Command(UblkConst.UBLK_U_CMD_UPDATE_SIZE, id, data: (ulong)sectors);

    /// <summary>Makes the block device. Its queues must be served: it is read before this returns.</summary>
    public int Start(uint id) => Command(UblkConst.UBLK_U_CMD_START_DEV, id, data: (ulong)Environment.ProcessId);

    /// <summary>
    /// Ends the block device, open or not: what it was asked is answered first, what comes later fails.
    /// </summary>
    public int Stop(uint id) => Command(UblkConst.UBLK_U_CMD_STOP_DEV, id);

    /// <summary>The same, but <c>-EBUSY</c> when somebody has it open (UBLK_F_SAFE_STOP_DEV).</summary>
    public int TryStop(uint id) => Command(UblkConst.UBLK_U_CMD_TRY_STOP_DEV, id);

    /// <summary>
    /// Forgets the device, which has been stopped; it goes when whoever has one of its files open has closed it.
    /// Kernels that cannot do that wait for them.
    /// </summary>
    public int Delete(uint id)
    {
        int result = _isBare ? -Errno.EOPNOTSUPP : Command(UblkConst.UBLK_U_CMD_DEL_DEV_ASYNC, id);
        // To users without rights the newer command is an invalid one.
        bool isUnknown = result is -Errno.EOPNOTSUPP or -Errno.EINVAL;
        return isUnknown ? Command(UblkConst.UBLK_U_CMD_DEL_DEV, id) : result;
    }

    /// <summary>Begins to take over a device whose server died; <c>-EBUSY</c> while the driver still notices.</summary>
    public int BeginRecovery(uint id) => Command(UblkConst.UBLK_U_CMD_START_USER_RECOVERY, id);

    /// <summary>The queues are served again: what waits goes on.</summary>
    public int EndRecovery(uint id) =>
        Command(UblkConst.UBLK_U_CMD_END_USER_RECOVERY, id, data: (ulong)Environment.ProcessId);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }

    /// <summary>The character device of a number, through which its queues are served.</summary>
    public static string CharacterPath(uint id) => $"/dev/ublkc{id}";

    private void Know(in ublksrv_ctrl_dev_info info) =>
        _unprivileged[info.dev_id] = (info.flags & UblkConst.UBLK_F_UNPRIVILEGED_DEV) != 0;

    private int WithInfo(uint operation, ref ublksrv_ctrl_dev_info info, bool hasPath)
    {
        fixed (ublksrv_ctrl_dev_info* p = &info)
            return Command(operation, info.dev_id, p, sizeof(ublksrv_ctrl_dev_info), 0, hasPath);
    }

    private int Command(uint operation, uint id, void* buffer = null, int bytes = 0, ulong data = 0) =>
        Command(operation, id, buffer, bytes, data, _unprivileged.TryGetValue(id, out bool has) && has);

    private int Command(uint operation, uint id, void* buffer, int bytes, ulong data, bool hasPath)
    {
        byte* whole = stackalloc byte[PathBytesMax + bytes];
        int pathBytes = hasPath ? Encoding.ASCII.GetBytes(CharacterPath(id), new Span<byte>(whole, PathBytesMax)) : 0;
        new ReadOnlySpan<byte>(buffer, bytes).CopyTo(new Span<byte>(whole + pathBytes, bytes));
        ublksrv_ctrl_cmd command = new()
        {
            dev_id = id, queue_id = ushort.MaxValue, len = (ushort)(pathBytes + bytes), addr = (ulong)whole,
            dev_path_len = (ushort)pathBytes, data = data,
        };
        int result = Run(_isBare ? operation & BareNumberMask : operation, command);
        new ReadOnlySpan<byte>(whole + pathBytes, bytes).CopyTo(new Span<byte>(buffer, bytes));
        return result;
    }

    private static Ring? OpenRing(out int error)
    {
        error = 0;
        try
        {
            return new Ring(4, 8, UringConst.IORING_SETUP_SQE128);
        }
        catch (NativeException e)
        {
            error = -e.Errno;
            return null;
        }
    }

    private int Run(uint operation, in ublksrv_ctrl_cmd command)
    {
        using Ring? ring = OpenRing(out int error);
        if (ring == null) return error;
        io_uring_sqe* entry = ring.Submission.TryReserve();
        Sqe.Command(entry, new FileRef(_fd, false), operation, 0, 1);
        // A long entry: the command is the second half and the 16 bytes before it.
        new Span<byte>((byte*)entry + 48, 80).Clear();
        *(ublksrv_ctrl_cmd*)((byte*)entry + 48) = command;
        ring.Submission.Publish();
        io_uring_cqe completion;
        while (ring.Completion.CopyOut(new Span<io_uring_cqe>(&completion, 1)) == 0)
        {
            int entered = ring.Enter(ring.Submission.Pending, 1, null);
            if (entered < 0 && entered is not (-Errno.EINTR or -Errno.EAGAIN or -Errno.EBUSY)) return entered;
        }
        return completion.res;
    }
}
