using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using Weir.Core.Base;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ListenerTests
{
    private static string NewPath() => Path.Combine(Path.GetTempPath(), $"weir {Guid.NewGuid():n}.sock");

    [Fact]
    public void TheSocketIsForItsOwnerAloneAndGoesWithTheServer()
    {
        string path = NewPath();
        using (Listener listener = Listener.Open("unix:" + path))
        {
            UnixFileMode mode = File.GetUnixFileMode(path);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
            string expected = $"nbd+unix:///my%20disk?socket={path.Replace(" ", "%20", StringComparison.Ordinal)}";
            Assert.Equal(expected, listener.Uri("my disk"));
        }
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void AStaleSocketIsReplaced()
    {
        string path = NewPath();
        using (Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path));
            dead.Listen();
            UserErrorException live = Assert.Throws<UserErrorException>(() => Listener.Open("unix:" + path));
            Assert.Contains(path, live.Message, StringComparison.Ordinal);
            Assert.True(File.Exists(path));
            // Closing through the handle leaves the file, as a killed process does.
            dead.SafeHandle.Close();
        }
        if (!File.Exists(path)) MakeStale(path);
        Listener.Open("unix:" + path).Dispose();
    }

    /// <summary>The runtime removed the file with the socket: rename it away and back round the close.</summary>
    private static void MakeStale(string path)
    {
        using Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        dead.Bind(new UnixDomainSocketEndPoint(path));
        File.Move(path, path + ".kept");
        dead.Dispose();
        File.Move(path + ".kept", path);
    }

    [Fact]
    public void AFileThatIsNoSocketStays()
    {
        string path = NewPath();
        File.WriteAllText(path, "precious");
        Assert.Throws<UserErrorException>(() => Listener.Open("unix:" + path));
        Assert.Equal("precious", File.ReadAllText(path));
        File.Delete(path);
    }

    [Theory]
    [InlineData("10809")]
    [InlineData("udp:1.2.3.4:5")]
    [InlineData("tcp:127.0.0.1:99999")]
    [InlineData("tcp:no-such-name:10809")]
    [InlineData("tcp:127.0.0.1:port")]
    public void AddressesThatAreNone(string address) =>
        Assert.Equal(2, Assert.Throws<UserErrorException>(() => Listener.Open(address)).ExitCode);

    /// <summary>Anyone there could have the volume: not without a word.</summary>
    [Theory]
    [InlineData("tcp:0.0.0.0:0")]
    [InlineData("tcp:[::]:0")]
    [InlineData("tcp:192.0.2.1:10809")]
    public void OtherMachinesAreLetInOnlyWhenToldSo(string address)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Listener.Open(address));
        Assert.Equal(2, e.ExitCode);
        Assert.Contains(address, e.Message, StringComparison.Ordinal);
        Assert.Contains("--insecure", e.Message, StringComparison.Ordinal);
        if (!address.StartsWith("tcp:0", StringComparison.Ordinal)) return;
        using Listener listener = Listener.Open(address, insecure: true);
        Assert.True(listener.IsTcp);
    }

    [Theory]
    [InlineData("tcp:0", "127.0.0.1")]
    [InlineData("tcp:127.0.0.1:0", "127.0.0.1")]
    [InlineData("tcp:localhost:0", "127.0.0.1")]
    public void TcpIsLocalUnlessToldOtherwise(string address, string host)
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost server = new(volume, listen: [address]);
        Uri uri = new(server.Uri);
        Assert.Equal((host, "/disk"), (uri.Host, uri.AbsolutePath));
        using NbdClient client = new(AddressFamily.InterNetwork, new IPEndPoint(IPAddress.Loopback, uri.Port));
        client.Greet();
        client.Go("disk");
        client.Write(0, Wire.Random(8192, 1));
        Assert.Equal(Wire.Random(8192, 1), client.Read(0, 8192));
        Assert.Throws<UserErrorException>(() => Listener.Open("tcp:" + uri.Port));
    }

    [Fact]
    public void SeveralListenersServeTheSame()
    {
        string path = NewPath();
        using TestVolume volume = new(1 << 20);
        using NbdHost server = new(volume, listen: ["unix:" + path, "tcp:0"]);
        using NbdClient local = new(path);
        local.Greet();
        local.Go("");
        local.Write(0, Wire.Random(512, 7));
        using NbdClient remote = new(
            AddressFamily.InterNetwork, new IPEndPoint(IPAddress.Loopback, new Uri(server.Server.Uri(1, 0)).Port));
        remote.Greet();
        remote.Go("");
        Assert.Equal(Wire.Random(512, 7), remote.Read(0, 512));
    }

    /// <summary>Many come at once when machines start; the kernel's default limit is 4096.</summary>
    [Fact]
    public void ManyClientsMayWaitToBeAccepted()
    {
        const int many = 400;
        int limit = int.Parse(
            File.ReadAllText("/proc/sys/net/core/somaxconn"), System.Globalization.CultureInfo.InvariantCulture);
        string path = NewPath();
        using Listener listener = Listener.Open("unix:" + path);
        Socket[] clients = new Socket[Math.Min(many, limit)];
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            {
                Blocking = false,
            };
            // EAGAIN, where the queue is full.
            clients[i].Connect(new UnixDomainSocketEndPoint(path));
        }
        foreach (Socket client in clients) client.Dispose();
    }
}
