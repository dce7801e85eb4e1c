using System;
using System.Globalization;
using System.Net;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Nbd;

/// <summary>Where clients connect: a Unix socket or a TCP port. Control path but for the descriptor.</summary>
internal sealed unsafe class Listener : IDisposable
{
    /// <summary>A client whose machine has gone without a word keeps its place this long.</summary>
    public const int DeadPeerSeconds = 60;

    private readonly string? _path;
    private readonly string? _host;
    private readonly int _port;
    private readonly ulong _inode;

    private Listener(int fd, string path)
    {
        Descriptor = fd;
        _path = path;
        _inode = Libc.Status(path, out statx status) == 0 ? status.stx_ino : 0;
    }

    private Listener(int fd, string host, int port)
    {
        Descriptor = fd;
        _host = host;
        _port = port;
    }

    /// <summary>The listening socket.</summary>
    public int Descriptor { get; private set; }

    /// <summary>Clients come over TCP.</summary>
    public bool IsTcp => _path == null;

    /// <summary>The accept under way, on the first queue's thread.</summary>
    public IoOp* Accept { get; set; }

    /// <summary>The descriptor of a client that waits for a place; -1: none. Meanwhile no other is accepted.</summary>
    public int Newcomer { get; set; } = -1;

    /// <summary>When a place was last asked for, for the newcomer.</summary>
    public long RoomAskedUs { get; set; }

    /// <summary>The accept failed and is tried again a little later.</summary>
    public bool AcceptWaits { get; set; }

    /// <summary>Small replies go out at once, and a peer whose machine died is noticed in the end.</summary>
    public static void TuneTcp(int fd)
    {
        _ = Sockets.SetNoDelay(fd);
        _ = Sockets.NoticeDeadPeer(fd, DeadPeerSeconds);
    }

    /// <summary>
    /// Listens at <c>unix:PATH</c> or <c>tcp:HOST:PORT</c>; <c>tcp:PORT</c> is 127.0.0.1, IPv6 hosts stand in brackets,
    /// port 0 lets the kernel choose. Throws <see cref="UserErrorException"/> with one line.
    /// </summary>
    /// <param name="address">As the user wrote it.</param>
    /// <param name="insecure">Other machines may connect, of whom nothing is known.</param>
    public static Listener Open(string address, bool insecure = false)
    {
        string path = address.StartsWith("unix:", StringComparison.Ordinal) ? address[5..] : "";
        if (path.Length > 0) return new Listener(UnixSocketFile.Listen(path), path);
        if (address.StartsWith("tcp:", StringComparison.Ordinal)) return OpenTcp(address[4..], insecure);
        throw new UserErrorException($"cannot listen at '{address}': expected unix:PATH or tcp:HOST:PORT", 2);
    }

    /// <summary>What a client is told to connect to, for the export called <paramref name="name"/>.</summary>
    public string Uri(string name)
    {
        string export = System.Uri.EscapeDataString(name);
        if (_path == null) return $"nbd://{_host}:{_port}/{export}";
        string path = System.Uri.EscapeDataString(_path).Replace("%2F", "/", StringComparison.Ordinal);
        return $"nbd+unix:///{export}?socket={path}";
    }

    /// <summary>Closes, and removes the socket file if it is still this one's.</summary>
    public void Dispose()
    {
        if (Descriptor < 0) return;
        bool isOurs = _path != null && Libc.Status(_path, out statx status) == 0 && status.stx_ino == _inode;
        if (isOurs) _ = Libc.Unlink(_path!);
        if (Newcomer >= 0) _ = Libc.Close(Newcomer);
        _ = Libc.Close(Descriptor);
        Descriptor = Newcomer = -1;
    }

    private static Listener OpenTcp(string address, bool insecure)
    {
        int colon = address.LastIndexOf(':');
        string host = colon < 0 ? "127.0.0.1" : address[..colon];
        string number = address[(colon + 1)..];
        bool isPort = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int port);
        string plain = host is "localhost" or "" ? "127.0.0.1" : host.Trim('[', ']');
        if (!isPort || port > 65535 || !IPAddress.TryParse(plain, out IPAddress? ip))
            throw new UserErrorException($"cannot listen at 'tcp:{address}': expected a numeric HOST and a PORT", 2);
        if (!insecure && !IPAddress.IsLoopback(ip))
            throw new UserErrorException($"cannot listen at 'tcp:{address}': other machines could connect, and nobody "
                + "is asked who he is, nor is anything encrypted: expected a loopback address such as 127.0.0.1, "
                + "unix:PATH, or --insecure", 2);
        int fd = Sockets.ListenTcp(ip, port);
        if (fd < 0) throw new UserErrorException($"cannot listen at 'tcp:{address}': {Errno.Text(fd)}");
        string shown = plain.Contains(':', StringComparison.Ordinal) ? $"[{plain}]" : plain;
        return new Listener(fd, shown, Sockets.LocalPort(fd));
    }
}
