using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Microsoft.Extensions.Time.Testing;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>Clients that are slow, dead, many, or mad. Whatever they do, a well-behaved one is served.</summary>
public sealed class RobustnessTests : IDisposable
{
    private const int Size = 64 << 20;
    private readonly TestVolume _volume = new(Size);
    private readonly NbdHost _host;

    public RobustnessTests() => _host = new NbdHost(_volume, queues: 2);

    public void Dispose()
    {
        _host.Dispose();
        _volume.Dispose();
    }

    /// <summary>Two clients, one for each queue, each with a write and a read of its own.</summary>
    private void OthersAreServed()
    {
        for (int i = 0; i < 2; i++)
        {
            using NbdClient client = _host.Serve(structured: true);
            byte[] data = Wire.Random(200_704, i);
            client.Write(i << 20, data);
            Assert.True(client.ReadStructured(i << 20, data.Length).Data.AsSpan().SequenceEqual(data));
        }
    }

    [Fact]
    public void NothingOfAnExportIsServedAnyMoreOnceItIsRemoved()
    {
        using TestVolume other = new(Size);
        Export gone = new("gone", "a test", other);
        using NbdHost host = new([new Export("disk", "a test", _volume), gone], queues: 2);
        // One is idle, one in its payload, one in its options; both queues have one.
        using NbdClient idle = host.Connect(), writer = host.Connect(), late = host.Connect();
        foreach (NbdClient client in (NbdClient[])[idle, writer, late]) client.Greet();
        idle.Go("gone");
        writer.Go("gone");
        writer.Send(Wire.Request(NbdCommand.Write, 1, 0, 8192));
        writer.Send(new byte[4096]);
        NbdHost.Until(() => gone.Clients == 2, "both clients of the export");
        host.Server.Remove("gone");
        Assert.Equal(0, gone.Clients);
        idle.ExpectClosed();
        writer.ExpectClosed();
        late.Send(Wire.Option(NbdOption.ExportName, Wire.Text("gone")[4..]));
        late.ExpectClosed();
        using NbdClient others = host.Serve();
        Assert.Equal(new byte[4096], others.Read(0, 4096));
        host.Stop();
    }

    [Fact]
    public void AClientDeadInItsPayload()
    {
        using NbdClient small = _host.Serve();
        small.Send(Wire.Concat(Wire.Request(NbdCommand.Write, 1, 0, 4096), new byte[1000]));
        using NbdClient large = _host.Serve();
        large.Send(Wire.Concat(Wire.Request(NbdCommand.Write, 1, 0, 32 << 20), new byte[5 << 20]));
        OthersAreServed();
        NbdClient gone = _host.Serve();
        gone.Send(Wire.Concat(Wire.Request(NbdCommand.Write, 1, 0, 4096), new byte[1000]));
        gone.Dispose();
        OthersAreServed();
    }

    [Fact]
    public void AClientThatNeverReads()
    {
        using NbdClient deaf = _host.Serve();
        for (int i = 0; i < 64; i++) deaf.Request(NbdCommand.Read, (ulong)i, 0, 1 << 20);
        using NbdClient silent = _host.Connect();
        using NbdClient pile = _host.Serve(structured: true);
        byte[] request = Wire.Request(NbdCommand.Read, 1, 0, 4096);
        pile.Send(Wire.Concat(Enumerable.Repeat(request, 3000).ToArray()));
        OthersAreServed();
        // And when it reads at last, everything is there.
        for (int i = 0; i < 64; i++)
        {
            Assert.Equal(((ulong)i, 0), deaf.TakeSimple());
            _ = deaf.Receive(1 << 20);
        }
    }

    [Fact]
    public void StopDoesNotWaitForAClientThatNeverReads()
    {
        using TestVolume volume = new(Size);
        using NbdHost host = new(volume);
        using NbdClient deaf = host.Serve();
        for (int i = 0; i < 64; i++) deaf.Request(NbdCommand.Read, (ulong)i, 0, 1 << 20);
        using NbdClient half = host.Serve();
        half.Send(Wire.Concat(Wire.Request(NbdCommand.Write, 1, 0, 1 << 20), new byte[1000]));
        using NbdClient greeted = host.Connect();
        greeted.Greet();
        NbdHost.Until(() => volume.Submitted > 0, "a request in the engine");
        host.Stop();
        greeted.ExpectClosed();
    }

    [Fact]
    public void StopAnswersWhatIsInProgress()
    {
        using TestVolume volume = new(Size) { Hold = true };
        using NbdHost host = new(volume);
        using NbdClient client = host.Serve();
        for (int i = 0; i < 10; i++) client.Request(NbdCommand.Read, (ulong)i, 0, 4096);
        NbdHost.Until(() => volume.Submitted == 10, "ten requests in the engine");
        host.Server.Stop();
        Thread release = new(() => volume.Hold = false);
        release.Start();
        host.Stop();
        release.Join();
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(((ulong)i, 0), client.TakeSimple());
            _ = client.Receive(4096);
        }
        client.ExpectClosed();
    }

    [Fact]
    public void IdleHandshakesEndAndIdleClientsStay()
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, idleUs: 50_000);
        using NbdClient served = Stubborn(host);
        using NbdClient silent = host.Connect();
        Assert.Equal(Protocol.GreetingBytes, silent.DrainToEnd());
        NbdHost.Until(() => EndsHalfway(host), "the end of a client that says no more");
        Assert.Equal(512, served.Read(0, 512).Length);
    }

    /// <summary>However often it says something: there is a time for all of it.</summary>
    [Fact]
    public void AHandshakeThatGoesOnForEverEnds()
    {
        const int idleUs = 30_000_000, times = 4, most = 100;
        FakeTimeProvider time = FakeTime.New();
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, idleUs: idleUs, time: time);
        using NbdClient client = host.Connect();
        client.Greet();
        int answered = 0;
        try
        {
            // None so late that it would end for that: half of what there is for each.
            for (; answered < most; answered++)
            {
                client.Option(NbdOption.StructuredReply);
                time.Advance(TimeSpan.FromMicroseconds(idleUs / 2));
            }
        }
        catch (Exception e) when (e is System.Net.Sockets.SocketException or EndOfStreamException)
        {
        }
        Assert.InRange(answered, 2 * times, (2 * times) + 1);
        NbdHost.Until(() => host.Server.Counters[0].ExpiredConnections == 1, "the count of it");
    }

    /// <summary>Negotiates one option, then waits for the end; false when it was too slow for that one.</summary>
    private static bool EndsHalfway(NbdHost host)
    {
        try
        {
            using NbdClient client = host.Connect();
            client.Send(Wire.Concat(Wire.UInt32(3), Wire.Option(NbdOption.StructuredReply)));
            return client.DrainToEnd() == Protocol.GreetingBytes + Protocol.OptionReplyHeaderBytes;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    /// <summary>On a busy machine even this client may be too slow; then once more.</summary>
    private static NbdClient Stubborn(NbdHost host)
    {
        NbdClient? client = null;
        NbdHost.Until(() => (client = TryServe(host)) != null, "a served client");
        return client!;
    }

    private static NbdClient? TryServe(NbdHost host)
    {
        try
        {
            return host.Serve();
        }
        // Closed, or told that there is no place.
        catch (Exception closed) when (closed is System.IO.IOException or System.Net.Sockets.SocketException
            or Xunit.Sdk.XunitException)
        {
            return null;
        }
    }

    [Fact]
    public void AClientThatSaysGoodbyeAndDoesNotListenIsForgotten()
    {
        using TestVolume volume = new(Size);
        using NbdHost host = new(volume, maxConnections: 1, idleUs: 50_000);
        using NbdClient deaf = Stubborn(host);
        for (int i = 0; i < 4; i++) deaf.Request(NbdCommand.Read, 1, 0, 1 << 20);
        deaf.Request(NbdCommand.Disconnect, 0, 0, 0);
        NbdHost.Until(() => TryRead(host), "a place");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void AQueueThatCannotStartStopsTheOthers(int bad)
    {
        using TestVolume volume = new(1 << 20) { BadQueue = bad };
        Assert.Throws<InvalidOperationException>(() => new NbdHost(volume, queues: 3, listen: []));
    }

    [Fact]
    public void FortyClientsAtOnce()
    {
        List<Exception> failures = [];
        Thread[] threads = Enumerable.Range(0, 40).Select(i => new Thread(() => Client(i, failures))).ToArray();
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.Empty(failures);
    }

    private void Client(int number, List<Exception> failures)
    {
        try
        {
            using NbdClient client = _host.Serve(structured: number % 2 == 0);
            for (int round = 0; round < 20; round++)
            {
                byte[] data = Wire.Random(512 * (1 + number * round % 300), number * 1000 + round);
                long offset = (long)number << 20;
                client.Write(offset, data, CommandFlags.Fua);
                byte[] read = number % 2 == 0
                    ? client.ReadStructured(offset, data.Length).Data : client.Read(offset, data.Length);
                Assert.True(read.AsSpan().SequenceEqual(data));
            }
            client.Send(Wire.Request(NbdCommand.Disconnect, 0, 0, 0));
            client.ExpectClosed();
        }
        catch (Exception failure)
        {
            lock (failures) failures.Add(failure);
        }
    }

    [Fact]
    public void OneClientTooManyIsTurnedAway()
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, queues: 2, maxConnections: 3);
        NbdClient[] clients = [host.Serve(), host.Serve(), host.Serve()];
        using NbdClient extra = host.Connect();
        extra.Greet();
        OptionReply refusal = Assert.Single(extra.Option(NbdOption.Go, Wire.Info("disk")));
        Assert.Equal(NbdOptionReply.ErrPolicy, refusal.Type);
        string text = System.Text.Encoding.UTF8.GetString(refusal.Data);
        Assert.Contains("all 3 connections", text, StringComparison.Ordinal);
        extra.ExpectClosed();
        using NbdClient second = host.Connect();
        second.Greet();
        Assert.NotEmpty(second.Option(NbdOption.List));
        _ = second.Option(NbdOption.Go, Wire.Info("disk"));
        second.ExpectClosed();
        Assert.Single(host.Lines);
        foreach (NbdClient client in clients) Assert.Equal(512, client.Read(0, 512).Length);
        clients[0].Dispose();
        // The place is free when the server has noticed; until then newcomers are turned away.
        NbdHost.Until(() => TryRead(host), "a place");
        clients[1].Dispose();
        clients[2].Dispose();
    }

    /// <summary>
    /// Clients that connect and say nothing lose their places to those that do: each of these gets in at once, and
    /// nobody is told that the places are taken until those served have them all.
    /// </summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(2, 100)]
    public void SilentClientsKeepNobodyOut(int queues, int inBacklog)
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, queues, maxConnections: 24);
        int count = host.Server.MostOpen + inBacklog;
        NbdClient[] silent = Enumerable.Range(0, count).Select(_ => host.Connect()).ToArray();
        for (int i = 0; i < 20; i++)
        {
            using NbdClient client = host.Serve();
            Assert.Equal(512, client.Read(0, 512).Length);
        }
        Assert.Empty(host.Lines);
        // Some of those may not have gone yet; then once more.
        NbdClient[] served = Enumerable.Range(0, 24).Select(_ => Stubborn(host)).ToArray();
        foreach (NbdClient client in served) Assert.Equal(512, client.Read(0, 512).Length);
        using NbdClient extra = host.Connect();
        extra.Greet();
        Assert.Equal(NbdOptionReply.ErrPolicy, Assert.Single(extra.Option(NbdOption.Go, Wire.Info("disk"))).Type);
        foreach (NbdClient client in (NbdClient[])[.. silent, .. served]) client.Dispose();
        host.UntilNobodyIsThere();
    }

    /// <summary>The one silent longest goes, and nobody but it.</summary>
    [Fact]
    public void OneSilentClientGoesForOneThatComes()
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, queues: 2, maxConnections: 8);
        List<NbdClient> silent = [];
        for (int i = 0; i < host.Server.MostOpen; i++)
        {
            silent.Add(host.Connect());
            _ = silent[i].Receive(Protocol.GreetingBytes);
        }
        using NbdClient served = host.Serve();
        silent[0].ExpectClosed();
        // The last to come is nearly the last to go: it can still choose.
        silent[^1].Send(Wire.UInt32((uint)(ClientFlags.FixedNewstyle | ClientFlags.NoZeroes)));
        silent[^1].Go("disk");
        Assert.Empty(host.Lines);
        foreach (NbdClient client in silent) client.Dispose();
    }

    /// <summary>A stop does not wait for a client that has not been given a place yet.</summary>
    [Fact]
    public void StopEndsAClientThatWaitsForAPlace()
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume, maxConnections: 1);
        NbdClient[] many = Enumerable.Range(0, 2 * host.Server.MostOpen).Select(_ => host.Connect()).ToArray();
        host.Stop();
        foreach (NbdClient client in many) _ = client.DrainToEnd();
        foreach (NbdClient client in many) client.Dispose();
    }

    private static bool TryRead(NbdHost host)
    {
        using NbdClient? client = TryServe(host);
        return client?.Read(0, 512).Length == 512;
    }

    /// <summary>Bytes without sense, after a sensible beginning of random length: the server lives on.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void NonsenseIsSurvived(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 200; round++)
        {
            byte[] bytes = Fuzz.Stream(random, Size);
            using NbdClient client = _host.Connect();
            // It reads nothing, so the server may stop reading too: then it goes away.
            client.Socket.SendTimeout = 100;
            try
            {
                client.Send(bytes);
                if (random.Next(2) == 0) client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
                if (random.Next(4) == 0) _ = client.Socket.Receive(new byte[100]);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // The server has closed on nonsense, as it should.
            }
        }
        OthersAreServed();
        _host.UntilNobodyIsThere();
    }

    /// <summary>A valid handshake, then requests with random fields: each gets its one reply.</summary>
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public void EveryRequestIsAnswered(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 20; round++)
        {
            using NbdClient client = _host.Serve();
            for (int i = 0; i < 50; i++)
            {
                RequestHeader header = Fuzz.Header(random, Size);
                if (header.Command == NbdCommand.Disconnect) continue;
                byte[]? payload = header.Command == NbdCommand.Write ? new byte[header.Length] : null;
                int error = client.Ask(header.Command, (long)header.Offset, header.Length, header.Flags, payload);
                if (error == 0 && header.Command == NbdCommand.Read) _ = client.Receive((int)header.Length);
            }
        }
    }
}
