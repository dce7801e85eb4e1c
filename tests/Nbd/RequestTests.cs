using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Io;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

public sealed class RequestTests : IDisposable
{
    private const int Size = 80 << 20;
    private readonly TestVolume _volume = new(Size) { Log = [], Reverse = true };
    private readonly NbdHost _host;

    public RequestTests() => _host = new NbdHost(_volume);

    public void Dispose()
    {
        _host.Dispose();
        _volume.Dispose();
    }

    [Theory]
    [InlineData(0, 512)]
    [InlineData(3584, 512)]
    [InlineData(3584, 1024)]
    [InlineData(4096, 1 << 20)]
    [InlineData(512, 1 << 20)]
    [InlineData(1536, (3 << 20) + 512)]
    [InlineData(7 << 20, 32 << 20)]
    [InlineData(512, 32 << 20)]
    [InlineData(1 << 20, 64 << 20)]
    public void WhatIsWrittenIsRead(int offset, int length)
    {
        byte[] data = Wire.Random(length, offset + length);
        using NbdClient simple = _host.Serve();
        simple.Write(offset, data);
        Assert.True(_volume.Bytes(offset, length).SequenceEqual(data));
        Assert.True(simple.Read(offset, length).AsSpan().SequenceEqual(data));
        using NbdClient structured = _host.Serve(structured: true);
        (byte[] read, int error, int chunks) = structured.ReadStructured(offset, length);
        Assert.Equal(0, error);
        Assert.True(read.AsSpan().SequenceEqual(data));
        Assert.Equal(length <= 1 << 20, chunks == 1);
        Assert.All(_volume.Log!, entry => Assert.True(entry.Length <= 1 << 20));
        Assert.All(_volume.Log!, entry => Assert.True(entry.Offset == offset || entry.Offset % 4096 == 0));
    }

    [Fact]
    public void FlagsReachTheEngine()
    {
        using NbdClient client = _host.Serve();
        client.Write(0, new byte[512], CommandFlags.Fua);
        Assert.Equal(0, client.Ask(NbdCommand.Trim, 4096, 8192, CommandFlags.Fua));
        Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, 0, 40 << 20, CommandFlags.NoHole | CommandFlags.FastZero));
        Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
        Assert.Equal(0, client.Ask(NbdCommand.Cache, 0, 1 << 20));
        (RequestKind, RequestFlags, long, long)[] expected =
        [
            (RequestKind.Write, RequestFlags.Fua, 0, 512),
            (RequestKind.Discard, RequestFlags.Fua, 4096, 8192),
            (RequestKind.WriteZeroes, RequestFlags.NoHole | RequestFlags.FastZero, 0, 40 << 20),
            (RequestKind.Flush, RequestFlags.None, 0, 0),
        ];
        Assert.Equal(expected, _volume.Log!);
    }

    [Fact]
    public void EmptyRequestsSucceedAndDoNothing()
    {
        using NbdClient client = _host.Serve();
        NbdCommand[] commands = [NbdCommand.Read, NbdCommand.Write, NbdCommand.Trim, NbdCommand.WriteZeroes];
        foreach (NbdCommand command in commands)
            Assert.Equal(0, client.Ask(command, 4096, 0));
        using NbdClient structured = _host.Serve(structured: true);
        structured.Request(NbdCommand.Read, 3, Size, 0);
        ReplyChunk chunk = structured.TakeChunk();
        Assert.Equal((true, ChunkType.None, 3UL), (chunk.Done, chunk.Type, chunk.Cookie));
        Assert.Empty(_volume.Log!);
    }

    [Fact]
    public void RefusedWritesAreReadPastAndTheConnectionGoesOn()
    {
        using NbdClient client = _host.Serve();
        Assert.Equal(NbdError.NoSpace, client.Ask(NbdCommand.Write, Size, 1 << 20, 0, new byte[1 << 20]));
        byte[] large = new byte[(64 << 20) + 512];
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Write, 0, large.Length, 0, large));
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Write, 0, 512, CommandFlags.NoHole, new byte[512]));
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Read, Size - 512, 1024));
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Trim, Size, 512));
        Assert.Equal(NbdError.NoSpace, client.Ask(NbdCommand.WriteZeroes, Size - 512, 1024));
        Assert.Equal(NbdError.Invalid, client.Ask((NbdCommand)99, 0, 512));
        Assert.Empty(_volume.Log!);
        client.Write(0, new byte[512]);
    }

    [Fact]
    public void ReadOnlyRefusesEveryChange()
    {
        using TestVolume volume = new(1 << 20) { ReadOnly = true, Log = [] };
        using NbdHost host = new(volume);
        using NbdClient client = host.Serve();
        Assert.Equal(NbdError.Perm, client.Ask(NbdCommand.Write, 0, 512, 0, new byte[512]));
        Assert.Equal(NbdError.Perm, client.Ask(NbdCommand.Trim, 0, 512));
        Assert.Equal(NbdError.Perm, client.Ask(NbdCommand.WriteZeroes, 0, 512));
        Assert.Empty(volume.Log!);
        Assert.Equal(512, client.Read(0, 512).Length);
    }

    [Fact]
    public void AVolumeThatCannotDiscardOrZeroFastSaysSo()
    {
        using TestVolume volume = new(1 << 20) { CanDiscard = false, CanFastZero = false };
        using NbdHost host = new(volume);
        using NbdClient client = host.Serve();
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Trim, 0, 512));
        Assert.Equal(NbdError.NotSupported, client.Ask(NbdCommand.WriteZeroes, 0, 512, CommandFlags.FastZero));
        Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, 0, 512));
    }

    [Fact]
    public void BadMagicCloses()
    {
        using NbdClient client = _host.Serve();
        byte[] request = Wire.Request(NbdCommand.Read, 1, 0, 512);
        request[0] ^= 1;
        client.Send(request);
        client.ExpectClosed();
    }

    [Fact]
    public void EngineErrorsReachTheClientAndTheConnectionGoesOn()
    {
        using NbdClient client = _host.Serve();
        _volume.FailOffset = 5 << 20;
        Assert.Equal(NbdError.Io, client.Ask(NbdCommand.Read, 5 << 20, 4096));
        Assert.Equal(NbdError.Io, client.Ask(NbdCommand.Write, 4 << 20, 3 << 20, 0, new byte[3 << 20]));
        _volume.FailResult = -28;
        Assert.Equal(NbdError.NoSpace, client.Ask(NbdCommand.Write, 5 << 20, 512, 0, new byte[512]));
        Assert.Equal(4096, client.Read(0, 4096).Length);
    }

    [Fact]
    public void AStructuredReadTellsWhereItFailed()
    {
        using NbdClient client = _host.Serve(structured: true);
        _volume.FailOffset = 5 << 20;
        client.Request(NbdCommand.Read, 1, 3 << 20, 4 << 20);
        List<ReplyChunk> chunks = [];
        do chunks.Add(client.TakeChunk()); while (!chunks[^1].Done);
        Assert.Equal(4, chunks.Count);
        ReplyChunk failed = Assert.Single(chunks, chunk => chunk.Type == ChunkType.ErrorOffset);
        Assert.Equal(NbdError.Io, failed.Error);
        Assert.Equal(5L << 20, System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(failed.Data.AsSpan(6)));
        Assert.Equal(4096, client.ReadStructured(0, 4096).Data.Length);
    }

    [Fact]
    public void ALongSimpleReadFailsByReplyAtItsStartAndByClosingLater()
    {
        using NbdClient client = _host.Serve();
        _volume.FailOffset = 0;
        Assert.Equal(NbdError.Io, client.Ask(NbdCommand.Read, 0, 20 << 20));
        client.Write(1 << 20, new byte[512]);
        _volume.FailOffset = 19 << 20;
        client.Request(NbdCommand.Read, 7, 0, 20 << 20);
        Assert.Equal((7UL, 0), client.TakeSimple());
        Assert.True(client.DrainToEnd() < 20 << 20);
    }

    [Fact]
    public void DontFragmentIsOneChunk()
    {
        using NbdClient client = _host.Serve(structured: true);
        Assert.Equal(1, client.ReadStructured(512, 1 << 20, CommandFlags.DontFragment).Chunks);
        Assert.Equal(NbdError.Overflow, client.ReadStructured(512, (1 << 20) + 512, CommandFlags.DontFragment).Error);
        using NbdClient simple = _host.Serve();
        Assert.Equal(NbdError.Invalid, simple.Ask(NbdCommand.Read, 0, 512, CommandFlags.DontFragment));
    }

    [Fact]
    public void BlockStatus()
    {
        using NbdClient client = _host.Serve(structured: true, status: true);
        Assert.Equal(0, client.Ask(NbdCommand.Trim, 8192, 4096));
        client.Request(NbdCommand.BlockStatus, 4, 4608, 64 << 10);
        ReplyChunk chunk = client.TakeChunk();
        Assert.Equal((true, ChunkType.BlockStatus, 4UL), (chunk.Done, chunk.Type, chunk.Cookie));
        uint[] expected = [1, 3584, 0, 4096, 3, (64 << 10) - 3584 - 4096, 0];
        Assert.Equal(Wire.Concat(expected.Select(Wire.UInt32).ToArray()), chunk.Data);
        client.Request(NbdCommand.BlockStatus, 5, 4608, 64 << 10, CommandFlags.ReqOne);
        Assert.Equal(Wire.Concat(Wire.UInt32(1), Wire.UInt32(3584), Wire.UInt32(0)), client.TakeChunk().Data);
        client.Request(NbdCommand.BlockStatus, 6, 0, 0);
        Assert.Equal(NbdError.Invalid, client.TakeChunk().Error);
        client.Request(NbdCommand.BlockStatus, 7, Size - 4096, 8192);
        Assert.Equal(NbdError.Invalid, client.TakeChunk().Error);
    }

    [Fact]
    public void RequestsCompleteOutOfOrder()
    {
        using NbdClient client = _host.Serve();
        _volume.Hold = true;
        for (int i = 0; i < 64; i++) client.Request(NbdCommand.Read, (ulong)i, i * 512, 512);
        NbdHost.Until(() => _volume.Submitted == 64, "64 requests in the engine");
        _volume.Hold = false;
        List<ulong> order = [];
        for (int i = 0; i < 64; i++)
        {
            (ulong cookie, int error) = client.TakeSimple();
            Assert.Equal(0, error);
            order.Add(cookie);
            _ = client.Receive(512);
        }
        Assert.Equal(Enumerable.Range(0, 64).Select(i => (ulong)(63 - i)), order);
    }

    [Fact]
    public void MorePipelinedThanThereAreSlotsAndMemory()
    {
        using NbdClient client = _host.Serve();
        const int count = 1000;
        _volume.Hold = true;
        static byte[] Request(int i) =>
            Wire.Request(NbdCommand.Read, (ulong)i, (ulong)(i % 64) << 20, i % 3 == 0 ? 256u << 10 : 512);
        client.Send(Wire.Concat(Enumerable.Range(0, count).Select(Request).ToArray()));
        NbdHost.Until(() => _volume.Submitted > 50, "requests in the engine");
        _volume.Hold = false;
        HashSet<ulong> seen = [];
        for (int i = 0; i < count; i++)
        {
            (ulong cookie, int error) = client.TakeSimple();
            Assert.Equal(0, error);
            Assert.True(seen.Add(cookie));
            _ = client.Receive(cookie % 3 == 0 ? 256 << 10 : 512);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RepliesThatWaitForTheClientKeepTheirData(bool structured)
    {
        const int count = 48, length = 64 << 10;
        byte[] data = Wire.Random(count * length, 8);
        data.CopyTo(_volume.Bytes(0, data.Length));
        using NbdClient client = _host.Serve(structured);
        for (int i = 0; i < count; i++) client.Request(NbdCommand.Read, (ulong)i, i * length, length);
        NbdHost.Until(() => _volume.Submitted == count, "every read in the engine");
        // More than the socket holds is still in the server; these writes use its memory again and again.
        for (int i = 0; i < 64; i++)
            client.Request(NbdCommand.Write, 1000, 40 << 20, 256 << 10, 0, Wire.Random(256 << 10, i));
        NbdHost.Until(() => _volume.Submitted == count + 64, "every write in the engine");
        for (int i = 0; i < count + 64; i++)
        {
            (ulong cookie, byte[] read) = TakeReply(client, structured, length);
            if (cookie < count) Assert.True(read.AsSpan().SequenceEqual(data.AsSpan((int)cookie * length, length)));
        }
    }

    /// <summary>A read's reply, or a write's, which is simple and has no data.</summary>
    private static (ulong Cookie, byte[] Data) TakeReply(NbdClient client, bool structured, int length)
    {
        byte[] magic = new byte[4];
        Assert.Equal(4, client.Socket.Receive(magic, System.Net.Sockets.SocketFlags.Peek));
        if (structured && magic[3] == (byte)(Protocol.StructuredReplyMagic & 0xFF))
        {
            ReplyChunk chunk = client.TakeChunk();
            return (chunk.Cookie, chunk.Data[8..]);
        }
        (ulong cookie, int error) = client.TakeSimple();
        Assert.Equal(0, error);
        return (cookie, cookie < 1000 ? client.Receive(length) : []);
    }

    [Fact]
    public void ALongSimpleReadIsNotMixedWithOtherReplies()
    {
        byte[] data = Wire.Random(12 << 20, 3);
        data.CopyTo(_volume.Bytes(0, data.Length));
        using NbdClient client = _host.Serve();
        client.Send(Wire.Concat(
            Wire.Request(NbdCommand.Read, 1, 0, 4096), Wire.Request(NbdCommand.Read, 2, 0, 12 << 20),
            Wire.Request(NbdCommand.Flush, 3, 0, 0), Wire.Request(NbdCommand.Read, 4, 4096, 2 << 20)));
        Assert.Equal((1UL, 0), client.TakeSimple());
        Assert.True(client.Receive(4096).AsSpan().SequenceEqual(data.AsSpan(0, 4096)));
        Assert.Equal((2UL, 0), client.TakeSimple());
        Assert.True(client.Receive(12 << 20).AsSpan().SequenceEqual(data));
        Assert.Equal((3UL, 0), client.TakeSimple());
        Assert.Equal((4UL, 0), client.TakeSimple());
        Assert.True(client.Receive(2 << 20).AsSpan().SequenceEqual(data.AsSpan(4096, 2 << 20)));
    }

    [Fact]
    public void DisconnectWaitsForWhatIsInProgress()
    {
        using NbdClient client = _host.Serve();
        _volume.Hold = true;
        client.Send(Wire.Concat(Wire.Request(NbdCommand.Flush, 8, 0, 0), Wire.Request(NbdCommand.Disconnect, 0, 0, 0)));
        NbdHost.Until(() => _volume.Submitted == 1, "the flush in the engine");
        _volume.Hold = false;
        Assert.Equal((8UL, 0), client.TakeSimple());
        client.ExpectClosed();
    }

    [Fact]
    public void AClientThatSendsNoMoreGetsItsReplies()
    {
        using NbdClient client = _host.Serve();
        _volume.Hold = true;
        client.Request(NbdCommand.Flush, 8, 0, 0);
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        NbdHost.Until(() => _volume.Submitted == 1, "the flush in the engine");
        _volume.Hold = false;
        Assert.Equal((8UL, 0), client.TakeSimple());
        client.ExpectClosed();
    }
}
