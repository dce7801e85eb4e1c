using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A client's memory is taken when it comes. Where there is none, it is turned away; others go on.</summary>
public sealed class ClientMemoryTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private WeirProcess Serve()
    {
        string backing = _folder.File("disk", 1 << 20), control = _folder.PathOf("control");
        WeirProcess weir = WeirProcess.StartProgram(
            [WeirProcess.Binary, "serve", "passthrough", "--backing", backing, "--listen",
                "unix:" + _folder.PathOf("nbd"), "--control", control],
            control);
        Assert.StartsWith("weir: ready ", weir.FirstLine(), StringComparison.Ordinal);
        return weir;
    }

    private NbdClient Connect()
    {
        NbdClient client = new(_folder.PathOf("nbd"));
        client.Greet();
        client.Go("");
        return client;
    }

    [Fact]
    public void AClientWithoutMemoryIsTurnedAwayAndOthersGoOn()
    {
        using WeirProcess weir = Serve();
        using NbdClient first = Connect();
        using (Connect())
        {
            // Sixteen MiB of addresses more than there are now: one client's or two's.
            Tool.Run("prlimit", $"--pid={weir.Id}", $"--as={AddressBytes(weir) + (16 << 20)}:");
            List<NbdClient> served = [];
            bool isServed = true;
            while (isServed && served.Count < 100)
            {
                NbdClient client = new(_folder.PathOf("nbd"));
                served.Add(client);
                Assert.True(client.Socket.Poll(TimeSpan.FromMinutes(1), SelectMode.SelectRead));
                isServed = client.Socket.Available > 0;
            }
            Assert.InRange(served.Count, 1, 4);
            foreach (NbdClient client in served) client.Dispose();
            WeirProcess.Until(() => weir.Error.Contains("turned away", StringComparison.Ordinal), "the line about it");
        }
        Assert.Equal(new byte[512], first.Read(0, 512));
        Tool.Run("prlimit", $"--pid={weir.Id}", "--as=unlimited:");
        using NbdClient last = Connect();
        Assert.Equal(new byte[512], last.Read(0, 512));
    }

    private static long AddressBytes(WeirProcess weir) =>
        1024 * long.Parse(File.ReadLines($"/proc/{weir.Id}/status")
            .Single(line => line.StartsWith("VmSize:", StringComparison.Ordinal))
            .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], null);
}
