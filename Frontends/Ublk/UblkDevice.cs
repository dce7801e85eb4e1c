using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <summary>How the bytes of requests come and go.</summary>
internal enum UblkCopy
{
    /// <summary>By pread and pwrite between the driver's request and our memory (Linux 6.5).</summary>
    User,
    /// <summary>Through a buffer for each tag, which the driver copies to and from.</summary>
    Buffer,
}

/// <summary>
/// One block device, <c>/dev/ublkbN</c>, of the program: made, started, stopped and deleted here, each step on a thread
/// that may wait. Its queues are served by the <see cref="UblkDoor"/>s.
/// </summary>
internal sealed class UblkDevice : IDisposable
{
    /// <summary>Requests on their way at a time, for each hardware queue.</summary>
    public const int DefaultDepth = 128;

    /// <summary>The largest request with data; the kernel splits what is larger.</summary>
    public const int MaxRequestBytes = 1 << 20;

    /// <summary>What the paths of block devices begin with.</summary>
    public const string PathPrefix = "/dev/ublkb";

    private const ulong Recovery = UblkConst.UBLK_F_USER_RECOVERY | UblkConst.UBLK_F_USER_RECOVERY_REISSUE;
    private const int PatienceMs = 10_000;
    private const int TurnMs = 20;
    private const int SectorShift = 9;

    private readonly UblkHost _host;
    private readonly uint _id;
    private readonly CountdownEvent _queues;
    private readonly bool _isLeft;
    private bool _isForced;

    private UblkDevice(UblkHost host, in ublksrv_ctrl_dev_info info, OpenedExport export, bool isLeft)
    {
        (_host, Export, _id, _isLeft) = (host, export, info.dev_id, isLeft);
        Depth = info.queue_depth;
        Copy = (info.flags & UblkConst.UBLK_F_USER_COPY) != 0 ? UblkCopy.User : UblkCopy.Buffer;
        IsEncoded = (info.flags & UblkConst.UBLK_F_CMD_IOCTL_ENCODE) != 0;
        CanRecover = (info.flags & Recovery) == Recovery;
        _queues = new CountdownEvent(info.nr_hw_queues);
        Counters = new UblkCounters[info.nr_hw_queues];
        Array.Fill(Counters, new UblkCounters());
        Descriptor = OpenCharacterDevice();
    }

    /// <summary>What is served.</summary>
    public OpenedExport Export { get; }

    /// <summary>What clients open.</summary>
    public string Path => PathOf(_id);

    /// <summary>The character device, through which the queues are served.</summary>
    public int Descriptor { get; private set; }

    /// <summary>Requests on their way at a time, for each hardware queue.</summary>
    public int Depth { get; }

    /// <summary>How bytes come and go.</summary>
    public UblkCopy Copy { get; }

    /// <summary>The driver knows commands by their ioctl encoding.</summary>
    public bool IsEncoded { get; }

    /// <summary>Another process can take the device over, should this one die.</summary>
    public bool CanRecover { get; }

    /// <summary>What came to each hardware queue.</summary>
    public UblkCounters[] Counters { get; }

    /// <summary>The path of the block device of a number.</summary>
    public static string PathOf(uint id) => $"{PathPrefix}{id}";

    /// <summary>Makes a device for <paramref name="export"/>; nobody sees it before <see cref="Start"/>.</summary>
    public static UblkDevice Add(UblkHost host, OpenedExport export, int queues, UblkCopy copy)
    {
        ulong wanted = Recovery | UblkConst.UBLK_F_CMD_IOCTL_ENCODE;
        if (copy == UblkCopy.User) wanted |= UblkConst.UBLK_F_USER_COPY;
        ublksrv_ctrl_dev_info info = new()
        {
            nr_hw_queues = (ushort)queues, queue_depth = DefaultDepth, max_io_buf_bytes = MaxRequestBytes,
            dev_id = uint.MaxValue, ublksrv_pid = Environment.ProcessId, flags = wanted,
            ublksrv_flags = UblkNote.NewToken(),
        };
        int result = host.Control.Add(ref info);
        if (result < 0) throw new UserErrorException("ublk: cannot make a device: " + Errno.Text(result));
        UblkNote.Write(info, export.Part.Name, host.Identity);
        try
        {
            if (info.nr_hw_queues != queues)
                throw new UserErrorException(
                    $"ublk: a device here has {info.nr_hw_queues} queues at most: use --queues {info.nr_hw_queues}");
            return new UblkDevice(host, info, export, isLeft: false);
        }
        catch
        {
            _ = host.Control.Delete(info.dev_id);
            UblkNote.Delete(info.dev_id);
            throw;
        }
    }

    /// <summary>Takes over the device of <paramref name="note"/>, whose server died.</summary>
    public static UblkDevice Recover(UblkHost host, OpenedExport export, UblkNote note, int queues)
    {
        if (note.Info.nr_hw_queues != queues)
            throw new UserErrorException($"{PathOf(note.Info.dev_id)}: has {note.Info.nr_hw_queues} queues: recover it "
                + $"with --queues {note.Info.nr_hw_queues}");
        int result = 0;
        for (int waitedMs = 0; waitedMs < PatienceMs; waitedMs += TurnMs)
        {
            result = host.Control.BeginRecovery(note.Info.dev_id);
            if (result != -Errno.EBUSY) break;
            Thread.Sleep(TurnMs);
        }
        if (result < 0)
            throw new UserErrorException($"{PathOf(note.Info.dev_id)}: cannot be taken over: {Errno.Text(result)}");
        UblkNote.Write(note.Info, export.Part.Name, host.Identity);
        return new UblkDevice(host, note.Info, export, isLeft: true);
    }

    /// <summary>The operation as this driver knows it.</summary>
    public uint Encoded(uint operation) => IsEncoded ? operation : operation & 0xFF;

    /// <summary>All queues wait for requests, or are about to: shows the device, or lets what waits for it go on.
    /// </summary>
    public void Start()
    {
        int result = _isLeft ? _host.Control.EndRecovery(_id) : StartNew();
        if (result < 0) throw new UserErrorException($"{Path}: cannot be started: {Errno.Text(result)}");
    }

    /// <summary>
    /// Ends the block device and waits until its queues have ended. False, and nothing has changed, when somebody has
    /// it open and <paramref name="force"/> does not say that this does not matter.
    /// </summary>
    public bool TryStop(bool force)
    {
        bool isSafe = (_host.Features & UblkConst.UBLK_F_SAFE_STOP_DEV) != 0;
        if (!force && !isSafe && UblkUsers.IsOpen(Path)) return false;
        int result = force || !isSafe ? _host.Control.Stop(_id) : _host.Control.TryStop(_id);
        if (result == -Errno.EBUSY && !force) return false;
        Invariant.Check(result >= 0);
        _isForced = force;
        _queues.Wait();
        return true;
    }

    /// <summary>One hardware queue serves nobody any more; from its thread.</summary>
    public void QueueHasEnded() => _queues.Signal();

    /// <summary>Forgets the device, which has been stopped or was never started, and whose queues have ended.</summary>
    public void Dispose()
    {
        if (Descriptor < 0) return;
        _ = Libc.Close(Descriptor);
        Descriptor = -1;
        // Whoever still has it open would be waited for.
        _ = _host.Control.Delete(_id, isPatient: !_isForced);
        UblkNote.Delete(_id);
        _queues.Dispose();
    }

    private int StartNew()
    {
        ublk_params parameters = Parameters();
        int result = _host.Control.SetParameters(_id, ref parameters);
        return result < 0 ? result : _host.Control.Start(_id);
    }

    private int OpenCharacterDevice()
    {
        string path = $"/dev/ublkc{_id}";
        int fd = -Errno.ENOENT;
        // Where udev makes it, it takes a moment.
        for (int waitedMs = 0; fd == -Errno.ENOENT && waitedMs < PatienceMs; waitedMs += TurnMs)
        {
            fd = Libc.Open(path, Const.O_RDWR | Const.O_CLOEXEC);
            if (fd == -Errno.ENOENT) Thread.Sleep(TurnMs);
        }
        return fd >= 0 ? fd : throw new UserErrorException($"{path}: {Errno.Text(fd)}");
    }

    // A cache that lies about nothing: what is written is volatile until a flush, and FUA is honoured.
    private ublk_params Parameters()
    {
        uint all = (uint)Math.Min(Export.Part.SizeBytes >> SectorShift, uint.MaxValue >> SectorShift);
        return new ublk_params
        {
            types = UblkConst.UBLK_PARAM_TYPE_BASIC | UblkConst.UBLK_PARAM_TYPE_DISCARD,
            basic = new ublk_param_basic
            {
                attrs = UblkConst.UBLK_ATTR_VOLATILE_CACHE | UblkConst.UBLK_ATTR_FUA
                    | (Export.Volume.ReadOnly ? UblkConst.UBLK_ATTR_READ_ONLY : 0),
                logical_bs_shift = SectorShift, physical_bs_shift = 12, io_min_shift = 12, io_opt_shift = 12,
                max_sectors = MaxRequestBytes >> SectorShift,
                dev_sectors = (ulong)Export.Part.SizeBytes >> SectorShift,
            },
            discard = new ublk_param_discard
            {
                discard_granularity = 4096,
                max_discard_sectors = Export.Volume.CanDiscard ? all : 0,
                max_write_zeroes_sectors = all,
                max_discard_segments = 1,
            },
        };
    }
}
