using System;
using System.Buffers.Binary;
using System.Net;

namespace Weir.Native;

/// <summary>
/// Listening and connecting, control path. Descriptors are blocking: with io_uring that is what waits properly, a
/// non-blocking one would answer <c>-EAGAIN</c> instead. Results: a descriptor or 0, or <c>-errno</c>.
/// </summary>
public static unsafe class Sockets
{
    /// <summary>Connections that wait to be accepted; the kernel takes net.core.somaxconn where that is less.</summary>
    public const int Backlog = 4096;

    private const int AddressBytesMax = 128;
    private const int UnixPathBytesMax = 107;

    /// <summary>Listens on a new Unix socket file of mode 0600; <c>-EADDRINUSE</c> when the path exists.</summary>
    public static int ListenUnix(string path, int backlog = Backlog)
    {
        byte* address = stackalloc byte[AddressBytesMax];
        int length = UnixAddress(path, address);
        if (length < 0) return length;
        int fd = Stream(Const.AF_UNIX);
        if (fd < 0) return fd;
        // The file that bind makes takes the socket's own mode: no moment in which others may connect.
        int result = Libc.ChangeMode(fd, 0x180);
        return Listen(fd, result, address, length, backlog);
    }

    /// <summary>Listens on TCP; port 0 lets the kernel choose (see <see cref="LocalPort"/>).</summary>
    public static int ListenTcp(IPAddress host, int port, int backlog = Backlog)
    {
        byte* address = stackalloc byte[AddressBytesMax];
        int length = InternetAddress(host, port, address, out int family);
        int fd = Stream(family);
        if (fd < 0) return fd;
        int result = SetOption(fd, Const.SOL_SOCKET, Const.SO_REUSEADDR, 1);
        if (family == Const.AF_INET6) _ = SetOption(fd, Const.IPPROTO_IPV6, Const.IPV6_V6ONLY, 0);
        return Listen(fd, result, address, length, backlog);
    }

    /// <summary>Connects to a Unix socket: <c>-ECONNREFUSED</c> when nobody listens there.</summary>
    public static int ConnectUnix(string path)
    {
        byte* address = stackalloc byte[AddressBytesMax];
        int length = UnixAddress(path, address);
        return length < 0 ? length : Connect(Stream(Const.AF_UNIX), address, length);
    }

    /// <summary>Connects to a TCP port.</summary>
    public static int ConnectTcp(IPAddress host, int port)
    {
        byte* address = stackalloc byte[AddressBytesMax];
        int length = InternetAddress(host, port, address, out int family);
        return Connect(Stream(family), address, length);
    }

    /// <summary>Waits for a connection on a listening socket.</summary>
    public static int Accept(int fd) => Libc.Result(LibcImports.accept4(fd, null, null, Const.SOCK_CLOEXEC));

    /// <summary>Two connected Unix stream sockets.</summary>
    public static int Pair(out int first, out int second)
    {
        int* pair = stackalloc int[2];
        int type = Const.SOCK_STREAM | Const.SOCK_CLOEXEC;
        int result = Libc.Result(LibcImports.socketpair(Const.AF_UNIX, type, 0, pair));
        (first, second) = result < 0 ? (-1, -1) : (pair[0], pair[1]);
        return result;
    }

    /// <summary>The TCP port that a listening socket got.</summary>
    public static int LocalPort(int fd)
    {
        byte* address = stackalloc byte[AddressBytesMax];
        uint length = AddressBytesMax;
        int result = Libc.Result(LibcImports.getsockname(fd, address, &length));
        return result < 0 ? result : BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(address + 2, 2));
    }

    /// <summary>
    /// The other side of a Unix socket has closed it, and hears nothing any more; that it says no more is not enough.
    /// </summary>
    public static bool HasHungUp(int fd) => TrySend(fd, []) == -Errno.EPIPE;

    /// <summary>
    /// Sends without waiting: how many bytes went, or <c>-EAGAIN</c> when the other side does not read.
    /// </summary>
    public static int TrySend(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* at = bytes)
        {
            return (int)Libc.Result(LibcImports.send(
                fd, at, (nuint)bytes.Length, Const.MSG_DONTWAIT | Const.MSG_NOSIGNAL));
        }
    }

    /// <summary>Ends both directions: pending receives and sends of the peer and of ours end.</summary>
    public static int Shutdown(int fd) => Libc.Result(LibcImports.shutdown(fd, Const.SHUT_RDWR));

    /// <summary>
    /// A peer whose machine has gone is noticed within about <paramref name="seconds"/>, whether we wait for it or it
    /// owes us acknowledgements; fails on other than TCP sockets.
    /// </summary>
    public static int NoticeDeadPeer(int fd, int seconds)
    {
        int result = SetOption(fd, Const.SOL_SOCKET, Const.SO_KEEPALIVE, 1);
        if (result >= 0) result = SetOption(fd, Const.IPPROTO_TCP, Const.TCP_KEEPIDLE, seconds / 2);
        if (result >= 0) result = SetOption(fd, Const.IPPROTO_TCP, Const.TCP_KEEPINTVL, Math.Max(seconds / 6, 1));
        if (result >= 0) result = SetOption(fd, Const.IPPROTO_TCP, Const.TCP_KEEPCNT, 3);
        return result < 0 ? result : SetOption(fd, Const.IPPROTO_TCP, Const.TCP_USER_TIMEOUT, seconds * 1000);
    }

    /// <summary>Sends small packets at once (TCP_NODELAY); fails on other than TCP sockets.</summary>
    public static int SetNoDelay(int fd) => SetOption(fd, Const.IPPROTO_TCP, Const.TCP_NODELAY, 1);

    /// <summary>setsockopt(2) with an int.</summary>
    public static int SetOption(int fd, int level, int name, int value) =>
        Libc.Result(LibcImports.setsockopt(fd, level, name, &value, sizeof(int)));

    private static int Stream(int family) =>
        Libc.Result(LibcImports.socket(family, Const.SOCK_STREAM | Const.SOCK_CLOEXEC, 0));

    private static int Listen(int fd, int result, byte* address, int length, int backlog)
    {
        if (result >= 0) result = Libc.Result(LibcImports.bind(fd, address, (uint)length));
        if (result >= 0) result = Libc.Result(LibcImports.listen(fd, backlog));
        if (result >= 0) return fd;
        _ = Libc.Close(fd);
        return result;
    }

    private static int Connect(int fd, byte* address, int length)
    {
        if (fd < 0) return fd;
        int result = Libc.Result(LibcImports.connect(fd, address, (uint)length));
        if (result >= 0) return fd;
        _ = Libc.Close(fd);
        return result;
    }

    /// <summary>
    /// struct sockaddr_un: family, then the path and its NUL. A path too long is <c>-ENAMETOOLONG</c>.
    /// </summary>
    private static int UnixAddress(string path, byte* address)
    {
        byte[]? bytes = Libc.Path(path);
        if (bytes == null || bytes.Length <= 1) return -Errno.EINVAL;
        if (bytes.Length - 1 > UnixPathBytesMax) return -Errno.ENAMETOOLONG;
        *(ushort*)address = Const.AF_UNIX;
        bytes.CopyTo(new Span<byte>(address + 2, bytes.Length));
        return 2 + bytes.Length;
    }

    /// <summary>
    /// struct sockaddr_in (16 bytes) or sockaddr_in6 (28): family, port and address in network order.
    /// </summary>
    private static int InternetAddress(IPAddress host, int port, byte* address, out int family)
    {
        byte[] bytes = host.GetAddressBytes();
        family = bytes.Length == 4 ? Const.AF_INET : Const.AF_INET6;
        int length = bytes.Length == 4 ? 16 : 28;
        new Span<byte>(address, length).Clear();
        *(ushort*)address = (ushort)family;
        BinaryPrimitives.WriteUInt16BigEndian(new Span<byte>(address + 2, 2), (ushort)port);
        bytes.CopyTo(new Span<byte>(address + (bytes.Length == 4 ? 4 : 8), bytes.Length));
        if (bytes.Length == 16) *(uint*)(address + 24) = (uint)host.ScopeId;
        return length;
    }
}
