using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <summary>
/// One block device, <c>/dev/ublkbN</c>, of the program: made, started, stopped and deleted here, each step on a thread
/// that may wait. Its queues are served by the <see cref="UblkHardwareQueue"/>s.
/// </summary>
internal sealed partial class UblkDevice : IDisposable
{
    /// <summary>Requests on their way at a time, for each hardware queue.</summary>
    public const int DefaultDepth = 128;

    /// <summary>The largest request with data; the kernel splits what is larger.</summary>
    public const int MaxRequestBytes = 1 << 20;

    /// <summary>The driver counts in sectors of 512 bytes, whatever the device's own are.</summary>
    public const int SectorShift = 9;

    /// <summary>What the paths of block devices begin with.</summary>
    public const string PathPrefix = "/dev/ublkb";

    private const ulong Recovery = UblkConst.UBLK_F_USER_RECOVERY | UblkConst.UBLK_F_USER_RECOVERY_REISSUE;
    // For users without rights the kernel neither keeps a device whose server dies, nor lets them bring the bytes: they
    // might leave out some, and show what was in that memory before.
    private const ulong Unprivileged = UblkConst.UBLK_F_UNPRIVILEGED_DEV;
    private const int PatienceMs = 10_000;
    private const int TurnMs = 20;
    private const int StopTurnMs = 1000;

    private readonly UblkHost _host;
    private readonly ublksrv_ctrl_dev_info _info;
    private readonly CountdownEvent _queues;
    private readonly nint[] _descriptors;
    private long _sizeBytes;

    private UblkDevice(UblkHost host, in ublksrv_ctrl_dev_info info, OpenedExport export, bool isLeft)
    {
        (_host, Export, _info, WasLeft) = (host, export, info, isLeft);
        Depth = info.queue_depth;
        Copy = CopyOf(info.flags);
        IsEncoded = (info.flags & UblkConst.UBLK_F_CMD_IOCTL_ENCODE) != 0;
        CanRecover = (info.flags & Recovery) == Recovery;
        _queues = new CountdownEvent(info.nr_hw_queues);
        Counters = new UblkCounters[info.nr_hw_queues];
        Array.Fill(Counters, new UblkCounters());
        _descriptors = new nint[info.nr_hw_queues];
        Descriptor = OpenCharacterDevice();
        try
        {
            for (int queue = 0; queue < _descriptors.Length; queue++) _descriptors[queue] = MapDescriptors(queue);
        }
        catch
        {
            Close();
            throw;
        }
    }

    /// <summary>It was another process's, which died.</summary>
    public bool WasLeft { get; }

    /// <summary>What is served.</summary>
    public OpenedExport Export { get; }

    /// <summary>What clients open.</summary>
    public string Path => PathOf(Id);

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

    /// <summary>The operation as this driver knows it.</summary>
    public uint Encoded(uint operation) => IsEncoded ? operation : operation & 0xFF;

    /// <summary>All queues wait for requests, or are about to: shows the device, or lets what waits for it go on.
    /// </summary>
    public void Start()
    {
        int result = WasLeft ? _host.Control.EndRecovery(Id) : _host.Control.Start(Id);
        if (result < 0) throw new UserErrorException($"{Path}: cannot be started: {Errno.Text(result)}");
    }

    /// <summary>
    /// Ends the block device and waits until its queues have ended: 0. Or <c>-errno</c>, and nothing has changed:
    /// <c>-EBUSY</c> when somebody has it open and <paramref name="force"/> does not say that this does not matter.
    /// </summary>
    public int TryStop(bool force)
    {
        bool isSafe = (_host.Features & UblkConst.UBLK_F_SAFE_STOP_DEV) != 0;
        if (!force && !isSafe && UblkUsers.IsOpen(Path)) return -Errno.EBUSY;
        int result = force || !isSafe ? _host.Control.Stop(Id) : _host.Control.TryStop(Id);
        // Gone already: somebody else has stopped it.
        bool isGone = result is -Errno.ENODEV or -Errno.ENOENT || _queues.IsSet;
        if (result < 0 && !isGone) return result;
        // A command that came to a queue only after the stop is taken back by the next one.
        while (!_queues.Wait(StopTurnMs)) _ = _host.Control.Stop(Id);
        return 0;
    }

    /// <summary>
    /// Its export may have grown: whoever has it open learns of it at once, on kernels that can (Linux 6.16). 0, or
    /// <c>-errno</c>, and it has the size it had.
    /// </summary>
    public int Resize()
    {
        long sizeBytes = Export.Part.SizeBytes;
        if (sizeBytes == _sizeBytes || _queues.IsSet || (_host.Features & UblkConst.UBLK_F_UPDATE_SIZE) == 0) return 0;
        int result = _host.Control.UpdateSize(Id, sizeBytes >> SectorShift);
        if (result < 0) return result;
        _sizeBytes = sizeBytes;
        return 0;
    }

    /// <summary>One hardware queue serves nobody any more; from its thread.</summary>
    public void QueueHasEnded() => _queues.Signal();

    /// <summary>Forgets the device, which has been stopped or was never started, and whose queues have ended.</summary>
    public void Dispose()
    {
        if (Descriptor < 0) return;
        Close();
        Forget(_host, _info);
        _queues.Dispose();
    }

    /// <summary>The requests of a hardware queue, as the driver shows them: one for each tag.</summary>
    public unsafe ublksrv_io_desc* Descriptors(int queue) => (ublksrv_io_desc*)_descriptors[queue];

    private uint Id => _info.dev_id;

    private unsafe int DescriptorBytes =>
        ((Depth * sizeof(ublksrv_io_desc)) + Environment.SystemPageSize - 1) & -Environment.SystemPageSize;

    // Here and not on the queue's thread: what fails here fails alone.
    private unsafe nint MapDescriptors(int queue)
    {
        int apart = UblkConst.UBLK_MAX_QUEUE_DEPTH * sizeof(ublksrv_io_desc);
        nint map = Libc.Map((nuint)DescriptorBytes, Const.PROT_READ, Const.MAP_SHARED, Descriptor,
            UblkConst.UBLKSRV_CMD_BUF_OFFSET + ((long)queue * apart));
        return map >= 0
            ? map : throw new UserErrorException($"{Path}: cannot map its requests: {Errno.Text((int)map)}");
    }

    private unsafe void Close()
    {
        foreach (nint map in _descriptors)
            if (map > 0) _ = Libc.Unmap((void*)map, (nuint)DescriptorBytes);
        _ = Libc.Close(Descriptor);
        Descriptor = -1;
    }

    private int OpenCharacterDevice()
    {
        string path = ControlDevice.CharacterPath(Id);
        int fd;
        int waitedMs = 0;
        // Where udev makes it, or gives it to us, it takes a moment.
        while ((fd = Libc.Open(path, Const.O_RDWR | Const.O_CLOEXEC)) is -Errno.ENOENT or -Errno.EACCES
            && waitedMs < PatienceMs)
        {
            Thread.Sleep(TurnMs);
            waitedMs += TurnMs;
        }
        return fd >= 0 ? fd : throw new UserErrorException($"{path}: {Errno.Text(fd)}");
    }
}
