using System;
using System.Linq;
using System.Text;
using System.Threading;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>Every connection is counted for what it was: who was served, and why others were not.</summary>
public sealed class ConnectionFiguresTests : IDisposable
{
    private readonly TestVolume _volume = new(1 << 20);

    public void Dispose() => _volume.Dispose();

    public static TheoryData<string> Breaches =>
        ["http", "zeroes", "few zeroes", "flags", "magic", "plain", "options", "long name", "request"];

    [Theory]
    [MemberData(nameof(Breaches))]
    public void ABreachIsCountedWhereverItHappens(string breach)
    {
        using NbdHost host = new(_volume);
        using NbdClient client = host.Connect();
        Break(client, breach);
        _ = client.DrainToEnd();
        host.UntilNobodyIsThere();
        Assert.Equal((1, breach == "request" ? 1 : 0, 0, 1, 0), Figures(host));
    }

    [Fact]
    public void WhoLeavesWithoutABreachHasMadeNone()
    {
        using NbdHost host = new(_volume);
        host.Connect().Dispose();
        using (NbdClient client = host.Connect())
        {
            client.Greet();
            Assert.Equal(NbdOptionReply.Ack, client.Option(NbdOption.Abort)[^1].Type);
        }
        using (NbdClient client = host.Connect())
        {
            client.Greet();
            client.Send(Wire.Option(NbdOption.ExportName, Encoding.ASCII.GetBytes("nobody")));
            client.ExpectClosed();
        }
        host.Serve().Dispose();
        host.UntilNobodyIsThere();
        Assert.Equal((4, 1, 0, 0, 0), Figures(host));
    }

    [Fact]
    public void WhoFindsNoPlaceIsRefusedAndNotServed()
    {
        using NbdHost host = new(_volume, maxConnections: 1);
        using NbdClient served = host.Serve();
        using (NbdClient refused = host.Connect())
        {
            refused.Greet();
            Assert.Equal(NbdOptionReply.ErrPolicy, refused.Option(NbdOption.Go, Wire.Info("disk"))[^1].Type);
            refused.ExpectClosed();
        }
        served.Dispose();
        host.UntilNobodyIsThere();
        Assert.Equal((2, 1, 1, 0, 0), Figures(host));
    }

    [Fact]
    public void WhoSaysNothingForTooLongIsNoBreach()
    {
        using NbdHost host = new(_volume, idleUs: 50_000);
        using NbdClient silent = host.Connect();
        _ = silent.DrainToEnd();
        host.UntilNobodyIsThere();
        Assert.Equal((1, 0, 0, 0, 1), Figures(host));
    }

    private static void Break(NbdClient client, string breach)
    {
        bool isGreeted = breach is "magic" or "options" or "long name";
        if (isGreeted) client.Greet();
        byte[] magicless = Wire.Option(NbdOption.Go, Wire.Info("disk"));
        magicless[0] ^= 1;
        if (breach == "http") client.Send("GET / HTTP/1.1\r\n\r\n"u8);
        else if (breach == "zeroes") client.Send(new byte[100]);
        else if (breach == "few zeroes") client.Send(new byte[12]);
        else if (breach == "flags") client.Send(Wire.UInt32(1 << 7));
        else if (breach == "magic") client.Send(magicless);
        else if (breach == "plain") client.Send(Wire.Concat(Wire.UInt32(0), Wire.Option(NbdOption.List)));
        else if (breach == "options") client.Send(Repeat(Wire.Option(NbdOption.List), Handshake.MaxOptions + 1));
        else if (breach == "long name") client.Send(Wire.Option(NbdOption.ExportName, new byte[1 << 20]).AsSpan(0, 16));
        else Serve(client);
    }

    private static void Serve(NbdClient client)
    {
        client.Greet();
        client.Go("disk");
        client.Send(new byte[28]);
    }

    private static byte[] Repeat(byte[] bytes, int count) => [.. Enumerable.Repeat(bytes, count).SelectMany(b => b)];

    private static (long Accepted, long Served, long Refused, long Broken, long Expired) Figures(NbdHost host)
    {
        NbdCounters sum = new();
        foreach (NbdCounters queue in host.Server.Counters)
        {
            sum.AcceptedConnections += Volatile.Read(ref queue.AcceptedConnections);
            sum.Connections += Volatile.Read(ref queue.Connections);
            sum.RefusedConnections += Volatile.Read(ref queue.RefusedConnections);
            sum.BrokenConnections += Volatile.Read(ref queue.BrokenConnections);
            sum.ExpiredConnections += Volatile.Read(ref queue.ExpiredConnections);
        }
        return (sum.AcceptedConnections, sum.Connections, sum.RefusedConnections, sum.BrokenConnections,
            sum.ExpiredConnections);
    }
}
