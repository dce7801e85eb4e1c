using System;
using System.IO;
using System.Net;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class RingSocketTests
{
    [Fact]
    public void LongVectorsArriveWhole()
    {
        using DeviceClient h = new();
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        const int length = 3 << 20;
        DeviceClient.Fill(h.Memory, length, 1);
        iovec* vectors = stackalloc iovec[3];
        for (int i = 0; i < 3; i++) vectors[i] = new() { iov_base = h.Memory + i * (1 << 20), iov_len = 1 << 20 };
        IoOp* send = h.Op(IoKind.Other, 0, 0, (byte*)vectors, user: 1);
        h.Io.Send(send, a, 3);
        byte* into = h.Memory + (4 << 20);
        for (int got = 0; got < length;)
        {
            h.Io.Receive(h.Op(IoKind.Other, 0, length - got, into + got, user: 2), b);
            int before = h.Results.Count;
            while (h.Results.FindIndex(before, r => r.User == 2) < 0) h.Drain(h.Outstanding - 1);
            int result = h.Results[h.Results.FindIndex(before, r => r.User == 2)].Result;
            Assert.True(result > 0);
            got += result;
        }
        h.Drain();
        Assert.Contains((1, length), h.Results);
        Assert.True(DeviceClient.Same(h.Memory, into, length));
        Close(a, b);
    }

    [Fact]
    public void TheEndOfAStreamIsZeroAndABrokenPipeAnError()
    {
        using DeviceClient h = new();
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        h.Io.Receive(h.Op(IoKind.Other, 0, 4096, h.Memory), b);
        Assert.Equal(0, Sockets.Shutdown(a));
        h.Drain();
        Assert.Equal(0, h.Results[^1].Result);
        iovec vector = new() { iov_base = h.Memory, iov_len = 4096 };
        IoOp* send = h.Op(IoKind.Other, 0, 0, (byte*)&vector);
        h.Io.Send(send, a, 1);
        h.Drain();
        Assert.Equal(-Errno.EPIPE, h.Results[^1].Result);
        Close(a, b);
    }

    [Fact]
    public void CancelledOperationsCompleteOnce()
    {
        using DeviceClient h = new();
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        IoOp* first = h.Op(IoKind.Other, 0, 512, h.Memory, user: 1);
        h.Io.Receive(first, a);
        for (int i = 0; i < 10; i++) h.Io.Receive(h.Op(IoKind.Other, 0, 512, h.Memory, user: 2), b);
        h.Io.Pump(false, 0);
        h.Io.Cancel(first);
        h.Drain(10);
        Assert.Equal([(1, -Errno.ECANCELED)], h.Results);
        h.Io.CancelFd(b);
        h.Drain();
        Assert.All(h.Results, result => Assert.Equal(-Errno.ECANCELED, result.Result));
        Assert.Equal(11, h.Results.Count);
        Close(a, b);
    }

    /// <summary>More at once than the submission queue holds.</summary>
    [Fact]
    public void AFullSubmissionQueueIsSubmittedOnTheWay()
    {
        using DeviceClient h = new();
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        for (int i = 0; i < 1500; i++) h.Io.Receive(h.Op(IoKind.Other, 0, 1, h.Memory + i), b);
        Assert.Equal(1500, h.Io.InFlight);
        byte* text = h.Memory + 8192;
        DeviceClient.Fill(text, 1500, 2);
        Assert.Equal(1500, Libc.Write(a, text, 1500));
        h.Drain();
        Assert.Equal(0, h.Io.InFlight);
        Assert.All(h.Results, result => Assert.Equal(1, result.Result));
        // Which of them gets which byte is the kernel's choice.
        Span<byte> sent = new(text, 1500), got = new(h.Memory, 1500);
        sent.Sort();
        got.Sort();
        Assert.True(sent.SequenceEqual(got));
        Close(a, b);
    }

    [Fact]
    public void ConnectionsAreAcceptedOnBothKindsOfSocket()
    {
        using DeviceClient h = new();
        string path = Path.Combine(Path.GetTempPath(), $"weir-test-{Guid.NewGuid():n}.sock");
        int unix = Sockets.ListenUnix(path);
        Assert.True(unix >= 0);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(-Errno.EADDRINUSE, Sockets.ListenUnix(path));
        AcceptOne(h, unix, Sockets.ConnectUnix(path));
        Close(unix);
        Assert.Equal(-Errno.ECONNREFUSED, Sockets.ConnectUnix(path));
        Assert.Equal(0, Libc.Unlink(path));
        foreach (IPAddress host in new[] { IPAddress.Loopback, IPAddress.IPv6Loopback })
        {
            int tcp = Sockets.ListenTcp(host, 0);
            if (tcp == -Errno.EADDRNOTAVAIL && host == IPAddress.IPv6Loopback) continue; // a machine without IPv6
            Assert.True(tcp >= 0, Errno.Text(tcp));
            AcceptOne(h, tcp, Sockets.ConnectTcp(host, Sockets.LocalPort(tcp)));
            Close(tcp);
        }
    }

    /// <summary>Whatever is still asked for when the context goes ends with it.</summary>
    [Fact]
    public void DisposingEndsWhatIsInFlight()
    {
        DeviceClient h = new();
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        for (int i = 0; i < 600; i++) h.Io.Receive(h.Op(IoKind.Other, 0, 512, h.Memory), b);
        h.Dispose();
        Close(a, b);
    }

    private static void AcceptOne(DeviceClient h, int listener, int client)
    {
        Assert.True(client >= 0, Errno.Text(client));
        h.Io.Accept(h.Op(IoKind.Other, 0, 0, null), listener);
        h.Drain();
        int server = h.Results[^1].Result;
        Assert.True(server >= 0, Errno.Text(server));
        ulong sent = 0x1122334455667788, got = 0;
        Assert.Equal(8, Libc.Write(client, &sent, 8));
        h.Io.Receive(h.Op(IoKind.Other, 0, 8, (byte*)&got), server);
        h.Drain();
        Assert.Equal(sent, got);
        Close(client, server);
    }

    private static void Close(params ReadOnlySpan<int> descriptors)
    {
        foreach (int fd in descriptors) Assert.Equal(0, Libc.Close(fd));
    }
}
