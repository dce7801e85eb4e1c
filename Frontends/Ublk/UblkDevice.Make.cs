using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <content>Devices made, or taken over, and what they say of themselves.</content>
internal sealed partial class UblkDevice
{
    /// <summary>The best way to move bytes that a driver with these UBLK_F_ bits has.</summary>
    public static UblkCopy CopyOf(ulong features)
    {
        if ((features & UblkConst.UBLK_F_USER_COPY) == 0) return UblkCopy.Buffer;
        return (features & UblkConst.UBLK_F_AUTO_BUF_REG) != 0 ? UblkCopy.Direct : UblkCopy.User;
    }

    /// <summary>As on the command line.</summary>
    public static string NameOf(UblkCopy copy) => copy.ToString().ToLowerInvariant();

    /// <summary>
    /// Makes a device for <paramref name="export"/>; nobody sees it before <see cref="Start"/>. Bytes come and go by
    /// <paramref name="copy"/>, or without it as best they can.
    /// </summary>
    public static UblkDevice Add(UblkHost host, OpenedExport export, int queues, UblkCopy? copy)
    {
        ublksrv_ctrl_dev_info info = new()
        {
            nr_hw_queues = (ushort)queues, queue_depth = DefaultDepth, max_io_buf_bytes = MaxRequestBytes,
            dev_id = uint.MaxValue, ublksrv_pid = Environment.ProcessId,
            flags = FlagsOf(copy ?? CopyOf(host.Features)) | Recovery | UblkConst.UBLK_F_CMD_IOCTL_ENCODE,
            ublksrv_flags = UblkNote.NewToken(),
        };
        int result = host.Control.Add(ref info);
        if (result is -Errno.EPERM or -Errno.EACCES)
        {
            info.flags = Unprivileged | UblkConst.UBLK_F_CMD_IOCTL_ENCODE;
            result = host.Control.Add(ref info);
        }
        if (result < 0) throw new UserErrorException("ublk: cannot make a device: " + Errno.Text(result));
        UblkDevice? device = null;
        try
        {
            CheckMade(info, queues, copy);
            UblkNote.Write(info, export.Part.Name, host.Identity);
            device = new UblkDevice(host, info, export, isLeft: false);
            device.Describe();
            return device;
        }
        catch
        {
            device?.Close();
            Forget(host, info);
            throw;
        }
    }

    /// <summary>Takes over the device of <paramref name="note"/>, whose server died.</summary>
    public static UblkDevice Recover(UblkHost host, OpenedExport export, UblkNote note, int queues, UblkCopy? copy)
    {
        if (copy != null && copy != CopyOf(note.Info.flags))
            throw new UserErrorException($"{PathOf(note.Info.dev_id)}: was made with --ublk-copy "
                + $"{NameOf(CopyOf(note.Info.flags))}, which stays");
        if (note.Info.nr_hw_queues != queues)
            throw new UserErrorException($"{PathOf(note.Info.dev_id)}: has {note.Info.nr_hw_queues} queues: recover it "
                + $"with --queues {note.Info.nr_hw_queues}");
        // First: what comes after it cannot be begun again everywhere.
        UblkNote.Write(note.Info, export.Part.Name, host.Identity);
        int result = 0;
        for (int waitedMs = 0; waitedMs < PatienceMs; waitedMs += TurnMs)
        {
            result = host.Control.BeginRecovery(note.Info.dev_id);
            if (result != -Errno.EBUSY) break;
            Thread.Sleep(TurnMs);
        }
        // Linux 6.12 has this for a device whose taking over was begun, and not ended: there it goes on from here.
        bool isBegun = result == -Errno.EINVAL && note.Info.state == UblkConst.UBLK_S_DEV_QUIESCED;
        if (result < 0 && !isBegun)
            throw new UserErrorException($"{PathOf(note.Info.dev_id)}: cannot be taken over: {Errno.Text(result)}");
        return new UblkDevice(host, note.Info, export, isLeft: true);
    }

    /// <summary>Deletes a device that nobody serves, and what is noted of it. It goes when all who have it open do.
    /// </summary>
    public static void Forget(UblkHost host, in ublksrv_ctrl_dev_info info)
    {
        uint id = info.dev_id;
        int result = host.Control.GetInfo(id, out ublksrv_ctrl_dev_info now);
        // Another one's by now, under the same number.
        if (result >= 0 && now.ublksrv_flags != info.ublksrv_flags) return;
        // Its character device may not be ours yet, where udev gives it to us.
        for (int waitedMs = 0; waitedMs < PatienceMs; waitedMs += TurnMs)
        {
            result = host.Control.Delete(id);
            if (result != -Errno.EACCES) break;
            Thread.Sleep(TurnMs);
        }
        // What could not be deleted is shown by 'weir list'.
        if (result is >= 0 or -Errno.ENODEV or -Errno.ENOENT) UblkNote.Delete(id);
    }

    private void Describe()
    {
        _sizeBytes = Export.Part.SizeBytes;
        ublk_params parameters = Parameters();
        int result = _host.Control.SetParameters(Id, ref parameters);
        if (result < 0) throw new UserErrorException($"{Path}: cannot be described: {Errno.Text(result)}");
    }

    private static ulong FlagsOf(UblkCopy copy) => copy switch
    {
        UblkCopy.Direct => UblkConst.UBLK_F_USER_COPY | UblkConst.UBLK_F_AUTO_BUF_REG,
        UblkCopy.User => UblkConst.UBLK_F_USER_COPY,
        _ => 0,
    };

    // The driver drops what it does not know, and does not say so.
    private static void CheckMade(in ublksrv_ctrl_dev_info info, int queues, UblkCopy? copy)
    {
        if (info.nr_hw_queues != queues)
            throw new UserErrorException(
                $"ublk: a device here has {info.nr_hw_queues} queues at most: use --queues {info.nr_hw_queues}");
        UblkCopy got = CopyOf(info.flags);
        if (copy == null || copy == got) return;
        string why = (info.flags & Unprivileged) != 0 ? "without CAP_SYS_ADMIN there is only" : "this kernel has only";
        throw new UserErrorException($"--ublk-copy {NameOf(copy.Value)}: {why} {NameOf(got)}");
    }

    // A cache that lies about nothing: what is written is volatile until a flush, and FUA is honoured.
    private ublk_params Parameters()
    {
        uint all = (uint)Math.Min(_sizeBytes >> SectorShift, uint.MaxValue >> SectorShift);
        return new ublk_params
        {
            types = UblkConst.UBLK_PARAM_TYPE_BASIC | UblkConst.UBLK_PARAM_TYPE_DISCARD
                | UblkConst.UBLK_PARAM_TYPE_DMA_ALIGN,
            basic = new ublk_param_basic
            {
                attrs = UblkConst.UBLK_ATTR_VOLATILE_CACHE | UblkConst.UBLK_ATTR_FUA
                    | (Export.Part.ReadOnly ? UblkConst.UBLK_ATTR_READ_ONLY : 0),
                logical_bs_shift = SectorShift, physical_bs_shift = 12, io_min_shift = 12, io_opt_shift = 12,
                max_sectors = MaxRequestBytes >> SectorShift,
                dev_sectors = (ulong)_sizeBytes >> SectorShift,
            },
            discard = new ublk_param_discard
            {
                discard_granularity = (uint)Export.Part.DiscardGranularityBytes,
                max_discard_sectors = Export.Part.CanDiscard ? all : 0,
                max_write_zeroes_sectors = all,
                max_discard_segments = 1,
            },
            // The memory of whoever asks goes to the devices below as it is: they want it so.
            dma = new ublk_param_dma_align { alignment = (1 << SectorShift) - 1 },
        };
    }
}
