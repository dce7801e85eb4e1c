using System;
using System.IO;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <summary>
/// The kernel's ublk driver: opened, or one clear line that says why it cannot be used and what helps.
/// </summary>
internal sealed class UblkHost : IDisposable
{
    private UblkHost(ControlDevice control, ulong features, string identity)
    {
        (Control, Features, Identity) = (control, features, identity);
    }

    /// <summary>The driver's control device.</summary>
    public ControlDevice Control { get; }

    /// <summary>UBLK_F_ bits; 0 where the driver cannot be asked.</summary>
    public ulong Features { get; }

    /// <summary>What the served volume stands on, so that a device left behind is found again.</summary>
    public string Identity { get; }

    /// <summary>Opens the driver.</summary>
    public static UblkHost Open(string identity)
    {
        ControlDevice control = ControlDevice.Open(out int error) ?? throw new UserErrorException(Problem(error));
        int result = control.GetFeatures(out ulong features);
        return new UblkHost(control, result < 0 ? 0 : features, identity);
    }

    /// <inheritdoc/>
    public void Dispose() => Control.Dispose();

    private static string Problem(int error)
    {
        const string rest = "; or use --frontend nbd";
        if (error == -Errno.EACCES || error == -Errno.EPERM)
            return $"ublk: no permission for {ControlDevice.Path}: run as root, or have udev give it to you{rest}";
        if (error != -Errno.ENOENT) return $"ublk: {ControlDevice.Path}: {Errno.Text(error)}{rest}";
        Version kernel = Environment.OSVersion.Version;
        if (kernel < new Version(6, 0))
            return $"ublk: this kernel ({kernel.Major}.{kernel.Minor}) is too old: it needs Linux 6.0 or newer{rest}";
        return File.Exists("/proc/modules")
            ? $"ublk: no {ControlDevice.Path}: load the driver with 'modprobe ublk_drv'; if there is no such module, "
                + $"this kernel is built without it (CONFIG_BLK_DEV_UBLK){rest}"
            : $"ublk: no {ControlDevice.Path}: this kernel has no modules and is built without ublk "
                + $"(CONFIG_BLK_DEV_UBLK){rest}";
    }
}
