using System.IO;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>Listening Unix sockets: mode 0600, and a file left by a dead process is removed, nothing else is.</summary>
internal static class UnixSocketFile
{
    private const int PatienceMs = 2000;

    /// <summary>The listening descriptor. Throws when somebody listens there, or the path is something else.</summary>
    public static int Listen(string path)
    {
        int fd = Sockets.ListenUnix(path);
        if (fd == -Errno.EADDRINUSE)
        {
            RemoveStale(path);
            fd = Sockets.ListenUnix(path);
        }
        return fd >= 0 ? fd : throw new UserErrorException($"{path}: cannot listen: {Errno.Text(fd)}");
    }

    /// <summary>Throws what <see cref="Listen"/> would, before anything else is done; leaves nothing behind.</summary>
    public static void Check(string path)
    {
        _ = Libc.Close(Listen(path));
        File.Delete(path);
    }

    private static void RemoveStale(string path)
    {
        int result = Libc.Status(path, out statx status);
        if (result == 0 && (status.stx_mode & Const.S_IFMT) != Const.S_IFSOCK)
            throw new UserErrorException($"{path}: exists and is not a socket");
        if (!IsRefused(path)) throw new UserErrorException($"{path}: in use: another process listens there");
        File.Delete(path);
    }

    /// <summary>
    /// A killed process listens until io_uring has let its accept go, a moment after its death: ask more than once,
    /// ever more slowly.
    /// </summary>
    private static bool IsRefused(string path)
    {
        for (int waitMs = 10; ; waitMs *= 2)
        {
            int peer = Sockets.ConnectUnix(path);
            if (peer >= 0) _ = Libc.Close(peer);
            if (peer == -Errno.ECONNREFUSED) return true;
            if (peer < 0 || waitMs > PatienceMs) return false;
            Thread.Sleep(waitMs);
        }
    }
}
