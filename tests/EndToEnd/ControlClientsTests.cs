using System;
using System.Collections.Generic;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Clients of the control socket that say nothing, read nothing or wait long hold up nobody.</summary>
public sealed class ControlClientsTests : IDisposable
{
    private const int Mib = 1 << 20, Many = 100;

    private readonly TestFolder _folder = new();
    private readonly List<Socket> _clients = [];

    public void Dispose()
    {
        foreach (Socket client in _clients) client.Dispose();
        _folder.Dispose();
    }

    private WeirProcess Serve(string backing) => WeirProcess.Serve(
        _folder, "writeboost", "--cache", _folder.File("cache", 32 * Mib), "--backing", "disk=" + backing);

    private void Say(string words, int receiveBytes = 0)
    {
        Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        if (receiveBytes > 0) client.ReceiveBufferSize = receiveBytes;
        client.Connect(new UnixDomainSocketEndPoint(_folder.PathOf("control")));
        _clients.Add(client);
        try
        {
            client.Send(Encoding.UTF8.GetBytes(words));
        }
        catch (SocketException)
        {
            // It was one too many, and has been shown the door.
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("stat")]
    [InlineData("status json\n")]
    [InlineData("message help\n")]
    public void ManyThatStallLeaveRoomToLookAndToStop(string words)
    {
        using WeirProcess weir = Serve(_folder.File("backing", 64 * Mib));
        for (int i = 0; i < Many; i++) Say(words, receiveBytes: 1);
        Assert.Equal("healthy", weir.Text("state"));
        weir.Stop();
    }

    /// <summary>As many as there may be wait for a drain of a disk that takes its time.</summary>
    [Fact]
    public void ManyThatWaitForADrainLeaveRoomToStop()
    {
        using WeirProcess weir = Serve($"slow:{_folder.File("backing", 64 * Mib)}?seek=500ms");
        using (NbdClient client = weir.Connect())
            for (int i = 0; i < 200; i++) client.Write((i * 37 % 200) * 300_000L / 4096 * 4096, new byte[4096]);
        for (int i = 0; i < Many; i++) Say("message drain\n");
        weir.Stop();
    }
}
