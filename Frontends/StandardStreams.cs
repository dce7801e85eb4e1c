using Weir.Native;

namespace Weir.Frontends;

/// <summary>Descriptors 0 to 2.</summary>
internal static class StandardStreams
{
    private const int Last = 2;

    /// <summary>
    /// Gives those that whoever started the program has closed to /dev/null: the next file that is opened would be one
    /// of them, and what is said would be written into a device.
    /// </summary>
    public static void FillUp()
    {
        int fd;
        do fd = Libc.Open("/dev/null", Const.O_RDWR | Const.O_CLOEXEC);
        while (fd is >= 0 and <= Last);
        if (fd > Last) _ = Libc.Close(fd);
    }
}
