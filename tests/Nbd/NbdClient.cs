using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Text;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>One reply to an option.</summary>
internal sealed record OptionReply(NbdOption Option, NbdOptionReply Type, byte[] Data);

/// <summary>One chunk of a structured reply.</summary>
internal sealed record ReplyChunk(bool Done, ChunkType Type, ulong Cookie, byte[] Data)
{
    /// <summary>Where the data of an OFFSET_DATA chunk begins.</summary>
    public long Offset => BinaryPrimitives.ReadInt64BigEndian(Data);

    public int Error => (int)BinaryPrimitives.ReadUInt32BigEndian(Data);
}

/// <summary>A raw client: sends and expects bytes, hides nothing, blocks at most a minute.</summary>
internal sealed class NbdClient : IDisposable
{
    private const int TimeoutMs = 60_000;

    public NbdClient(string path)
        : this(AddressFamily.Unix, new UnixDomainSocketEndPoint(path))
    {
    }

    public NbdClient(AddressFamily family, System.Net.EndPoint address)
    {
        ProtocolType protocol = family == AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp;
        Socket = new Socket(family, SocketType.Stream, protocol);
        Socket.ReceiveTimeout = Socket.SendTimeout = TimeoutMs;
        Socket.Connect(address);
    }

    public Socket Socket { get; }

    public void Dispose() => Socket.Dispose();

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[Socket.Send(bytes)..];
    }

    public byte[] Receive(int count)
    {
        byte[] bytes = new byte[count];
        for (int got = 0; got < count;)
        {
            int n = Socket.Receive(bytes.AsSpan(got));
            if (n == 0) throw new EndOfStreamException($"closed after {got} of {count} bytes");
            got += n;
        }
        return bytes;
    }

    /// <summary>The server must end the connection, having said nothing more.</summary>
    public void ExpectClosed()
    {
        try
        {
            Assert.Equal(0, Socket.Receive(new byte[1]));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            // As good as closed: bytes of ours were unread.
        }
    }

    /// <summary>Whatever comes until the end, however long.</summary>
    public long DrainToEnd()
    {
        long count = 0;
        byte[] bytes = new byte[65536];
        try
        {
            int n;
            while ((n = Socket.Receive(bytes)) > 0) count += n;
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
        }
        return count;
    }

    public void Greet(ClientFlags flags = ClientFlags.FixedNewstyle | ClientFlags.NoZeroes)
    {
        byte[] greeting = Receive(Protocol.GreetingBytes);
        Assert.Equal("NBDMAGICIHAVEOPT", Encoding.ASCII.GetString(greeting, 0, 16));
        Assert.Equal(3, BinaryPrimitives.ReadUInt16BigEndian(greeting.AsSpan(16)));
        Send(Wire.UInt32((uint)flags));
    }

    /// <summary>Sends an option and takes its replies up to the acknowledgement or error.</summary>
    public List<OptionReply> Option(NbdOption option, params byte[][] data)
    {
        Send(Wire.Option(option, data));
        List<OptionReply> replies = [];
        do replies.Add(TakeOptionReply());
        while (replies[^1].Type != NbdOptionReply.Ack && (uint)replies[^1].Type < 1u << 31);
        Assert.All(replies, reply => Assert.Equal(option, reply.Option));
        return replies;
    }

    public OptionReply TakeOptionReply()
    {
        byte[] header = Receive(Protocol.OptionReplyHeaderBytes);
        Assert.Equal(Protocol.OptionReplyMagic, BinaryPrimitives.ReadUInt64BigEndian(header));
        NbdOption option = (NbdOption)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(8));
        NbdOptionReply type = (NbdOptionReply)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12));
        return new OptionReply(option, type, Receive((int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16))));
    }

    public void NegotiateStructured() =>
        Assert.Equal(NbdOptionReply.Ack, Assert.Single(Option(NbdOption.StructuredReply)).Type);

    public void SelectAllocation(string name)
    {
        List<OptionReply> replies = Option(
            NbdOption.SetMetaContext, Wire.Text(name), Wire.UInt32(1), Wire.Text("base:allocation"));
        Assert.Equal(NbdOptionReply.MetaContext, replies[0].Type);
        Assert.Equal(NbdOptionReply.Ack, replies[1].Type);
    }

    public List<OptionReply> Go(string name, params ushort[] infos)
    {
        List<OptionReply> replies = Option(NbdOption.Go, Wire.Info(name, infos));
        Assert.Equal(NbdOptionReply.Ack, replies[^1].Type);
        return replies;
    }

    public void Request(
        NbdCommand command, ulong cookie, long offset, long length, CommandFlags flags = 0, byte[]? payload = null)
    {
        Send(Wire.Request(command, cookie, (ulong)offset, (uint)length, flags));
        if (payload != null) Send(payload);
    }

    /// <summary>A simple reply's cookie and error.</summary>
    public (ulong Cookie, int Error) TakeSimple()
    {
        byte[] header = Receive(Protocol.SimpleReplyBytes);
        Assert.Equal(Protocol.SimpleReplyMagic, BinaryPrimitives.ReadUInt32BigEndian(header));
        int error = (int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
        return (BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(8)), error);
    }

    public ReplyChunk TakeChunk()
    {
        byte[] header = Receive(Protocol.ChunkHeaderBytes);
        Assert.Equal(Protocol.StructuredReplyMagic, BinaryPrimitives.ReadUInt32BigEndian(header));
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4));
        ChunkType type = (ChunkType)BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(6));
        ulong cookie = BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(8));
        byte[] data = Receive((int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16)));
        return new ReplyChunk(flags == 1, type, cookie, data);
    }

    /// <summary>One request and its simple reply.</summary>
    public int Ask(NbdCommand command, long offset, long length, CommandFlags flags = 0, byte[]? payload = null)
    {
        Request(command, 77, offset, length, flags, payload);
        (ulong cookie, int error) = TakeSimple();
        Assert.Equal(77UL, cookie);
        return error;
    }

    public void Write(long offset, byte[] data, CommandFlags flags = 0) =>
        Assert.Equal(0, Ask(NbdCommand.Write, offset, data.Length, flags, data));

    /// <summary>A read by simple reply.</summary>
    public byte[] Read(long offset, int length)
    {
        Assert.Equal(0, Ask(NbdCommand.Read, offset, length));
        return Receive(length);
    }

    /// <summary>A read by structured reply, put together; the first error, if any.</summary>
    public (byte[] Data, int Error, int Chunks) ReadStructured(long offset, int length, CommandFlags flags = 0)
    {
        Request(NbdCommand.Read, 99, offset, length, flags);
        byte[] data = new byte[length];
        int error = 0, chunks = 0;
        ReplyChunk chunk;
        do
        {
            chunk = TakeChunk();
            chunks++;
            Assert.Equal(99UL, chunk.Cookie);
            if (chunk.Type == ChunkType.OffsetData)
                chunk.Data.AsSpan(8).CopyTo(data.AsSpan((int)(chunk.Offset - offset)));
            else if (chunk.Type != ChunkType.None && error == 0) error = chunk.Error;
        }
        while (!chunk.Done);
        return (data, error, chunks);
    }
}

/// <summary>Bytes of the client's side.</summary>
internal static class Wire
{
    public static byte[] UInt16(ushort value) => [(byte)(value >> 8), (byte)value];

    public static byte[] UInt32(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    public static byte[] Text(string text) =>
        Concat(UInt32((uint)Encoding.UTF8.GetByteCount(text)), Encoding.UTF8.GetBytes(text));

    public static byte[] Info(string name, params ushort[] infos) =>
        Concat(Text(name), UInt16((ushort)infos.Length), Concat(Array.ConvertAll(infos, UInt16)));

    public static byte[] Option(NbdOption option, params byte[][] data)
    {
        byte[] body = Concat(data);
        byte[] header = new byte[Protocol.OptionHeaderBytes];
        BinaryPrimitives.WriteUInt64BigEndian(header, Protocol.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(8), (uint)option);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(12), (uint)body.Length);
        return Concat(header, body);
    }

    public static byte[] Request(NbdCommand command, ulong cookie, ulong offset, uint length, CommandFlags flags = 0)
    {
        byte[] header = new byte[Protocol.RequestHeaderBytes];
        BinaryPrimitives.WriteUInt32BigEndian(header, Protocol.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), (ushort)command);
        BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(8), cookie);
        BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(24), length);
        return header;
    }

    public static byte[] Concat(params byte[][] parts)
    {
        using MemoryStream stream = new();
        foreach (byte[] part in parts) stream.Write(part);
        return stream.ToArray();
    }

    public static byte[] Random(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
