using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

public sealed class HandshakeTests : IDisposable
{
    private const long Size = 16 << 20;
    private readonly TestVolume _volume = new(Size);
    private readonly TestVolume _readOnly = new(1 << 20) { ReadOnly = true };
    private readonly NbdHost _host;

    public HandshakeTests() =>
        _host = new NbdHost([new Export("disk", "a test", _volume), new Export("frozen", "", _readOnly)]);

    public void Dispose()
    {
        _host.Dispose();
        _volume.Dispose();
        _readOnly.Dispose();
    }

    private NbdClient Greeted()
    {
        NbdClient client = _host.Connect();
        client.Greet();
        return client;
    }

    private const ExportFlags Changing = ExportFlags.SendTrim | ExportFlags.SendWriteZeroes | ExportFlags.SendFastZero;

    private const ExportFlags Full = ExportFlags.HasFlags | ExportFlags.SendFlush | ExportFlags.SendFua
        | ExportFlags.SendCache | ExportFlags.CanMultiConn | Changing;

    private static ExportFlags FlagsOf(OptionReply info) =>
        (ExportFlags)BinaryPrimitives.ReadUInt16BigEndian(info.Data.AsSpan(10));

    [Fact]
    public void ListNamesEveryExport()
    {
        using NbdClient client = Greeted();
        List<OptionReply> replies = client.Option(NbdOption.List);
        Assert.Equal(3, replies.Count);
        Assert.Equal(Wire.Concat(Wire.Text("disk"), Encoding.UTF8.GetBytes("a test")), replies[0].Data);
        Assert.Equal(Wire.Text("frozen"), replies[1].Data);
        Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.List, [1]).Single().Type);
    }

    [Theory]
    [InlineData("")]
    [InlineData("disk")]
    public void GoTellsSizeFlagsAndBlockSizes(string name)
    {
        using NbdClient client = Greeted();
        List<OptionReply> replies = client.Go(name, 1, 2, 3, 17);
        Assert.Equal([0, 1, 2, 3], replies.Take(4).Select(r => (int)BinaryPrimitives.ReadUInt16BigEndian(r.Data)));
        Assert.Equal(Size, BinaryPrimitives.ReadInt64BigEndian(replies[0].Data.AsSpan(2)));
        Assert.Equal(Full, FlagsOf(replies[0]));
        Assert.Equal("disk", Encoding.UTF8.GetString(replies[1].Data, 2, 4));
        Assert.Equal("a test", Encoding.UTF8.GetString(replies[2].Data, 2, 6));
        Assert.Equal(Wire.Concat(Wire.UInt32(1), Wire.UInt32(4096), Wire.UInt32(64 << 20)), replies[3].Data[2..]);
        client.Write(0, new byte[512]);
    }

    [Fact]
    public void InfoDoesNotEndTheHandshake()
    {
        using NbdClient client = Greeted();
        List<OptionReply> replies = client.Option(NbdOption.Info, Wire.Info("frozen"));
        Assert.Equal(3, replies.Count);
        ExportFlags flags = FlagsOf(replies[0]);
        Assert.Equal(ExportFlags.ReadOnly | (Full & ~Changing), flags);
        client.Go("disk");
    }

    [Fact]
    public void DontFragmentIsOfferedWithStructuredRepliesOnly()
    {
        using NbdClient client = Greeted();
        client.NegotiateStructured();
        Assert.Equal(Full | ExportFlags.SendDf, FlagsOf(client.Go("disk")[0]));
    }

    [Theory]
    [InlineData(1u, 124)]
    [InlineData(0u, 124)]
    [InlineData(3u, 0)]
    public void ExportNameGoesStraightToRequests(uint flags, int zeroes)
    {
        using NbdClient client = _host.Connect();
        client.Greet((ClientFlags)flags);
        client.Send(Wire.Option(NbdOption.ExportName, Encoding.UTF8.GetBytes("disk")));
        byte[] reply = client.Receive(10 + zeroes);
        Assert.Equal(Size, BinaryPrimitives.ReadInt64BigEndian(reply));
        Assert.Equal(Full, (ExportFlags)BinaryPrimitives.ReadUInt16BigEndian(reply.AsSpan(8)));
        Assert.True(reply.AsSpan(10).IndexOfAnyExcept((byte)0) < 0);
        client.Write(512, new byte[512]);
    }

    [Fact]
    public void ExportNameOfNothingCloses()
    {
        using NbdClient client = Greeted();
        client.Send(Wire.Option(NbdOption.ExportName, Encoding.UTF8.GetBytes("nothing")));
        client.ExpectClosed();
    }

    [Fact]
    public void UnknownNamesAndOptionsAreRefusedAndTheHandshakeGoesOn()
    {
        using NbdClient client = Greeted();
        Assert.Equal(NbdOptionReply.ErrUnknown, client.Option(NbdOption.Go, Wire.Info("nothing")).Single().Type);
        Assert.Equal(NbdOptionReply.ErrUnknown, client.Option(NbdOption.Info, Wire.Info("nothing")).Single().Type);
        Assert.Equal(NbdOptionReply.ErrUnsup, client.Option(NbdOption.StartTls).Single().Type);
        Assert.Equal(NbdOptionReply.ErrUnsup, client.Option(NbdOption.ExtendedHeaders).Single().Type);
        Assert.Equal(NbdOptionReply.ErrUnsup, client.Option((NbdOption)4).Single().Type);
        Assert.Equal(NbdOptionReply.ErrUnsup, client.Option((NbdOption)0xFFFFFFFF, new byte[100]).Single().Type);
        client.Go("disk");
    }

    [Fact]
    public void MalformedOptionsAreRefusedAndTheHandshakeGoesOn()
    {
        using NbdClient client = Greeted();
        byte[][] bad =
        [
            [], [0, 0, 0], Wire.UInt32(4), Wire.UInt32(uint.MaxValue), Wire.Text("disk"),
            Wire.Concat(Wire.Text("disk"), [0, 1]), Wire.Concat(Wire.Info("disk"), [0]),
            Wire.Concat(Wire.UInt32(5000), new byte[5002]),
        ];
        foreach (byte[] data in bad)
        {
            Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.Go, data).Single().Type);
            Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.Info, data).Single().Type);
            Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.SetMetaContext, data).Single().Type);
        }
        Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.StructuredReply, [0]).Single().Type);
        client.Go("disk");
    }

    [Fact]
    public void OptionsTooLongAreReadPastAndRefused()
    {
        using NbdClient client = Greeted();
        Assert.Equal(NbdOptionReply.ErrTooBig, client.Option(NbdOption.Info, new byte[3 << 20]).Single().Type);
        client.Go("disk");
        using NbdClient named = Greeted();
        named.Send(Wire.Option(NbdOption.ExportName, new byte[Protocol.MaxOptionBytes + 1]).AsSpan(0, 16));
        named.ExpectClosed();
    }

    [Fact]
    public void AbortIsAcknowledged()
    {
        using NbdClient client = Greeted();
        Assert.Equal(NbdOptionReply.Ack, client.Option(NbdOption.Abort).Single().Type);
        client.ExpectClosed();
    }

    [Fact]
    public void BadMagicAndUnknownClientFlagsClose()
    {
        using NbdClient client = Greeted();
        client.Send(new byte[16]);
        client.ExpectClosed();
        using NbdClient flags = _host.Connect();
        flags.Greet((ClientFlags)4);
        flags.ExpectClosed();
        using NbdClient old = _host.Connect();
        old.Greet(ClientFlags.None);
        old.Send(Wire.Option(NbdOption.List));
        old.ExpectClosed();
    }

    [Fact]
    public void MetaContexts()
    {
        using NbdClient client = Greeted();
        byte[] query = Wire.Concat(Wire.Text("disk"), Wire.UInt32(1), Wire.Text("base:allocation"));
        Assert.Equal(NbdOptionReply.ErrInvalid, client.Option(NbdOption.SetMetaContext, query).Single().Type);
        client.NegotiateStructured();
        Assert.Equal(2, client.Option(NbdOption.ListMetaContext, Wire.Text(""), Wire.UInt32(0)).Count);
        byte[] all = Wire.Concat(Wire.Text("disk"), Wire.UInt32(1), Wire.Text("base:"));
        Assert.Equal(2, client.Option(NbdOption.ListMetaContext, all).Count);
        Assert.Single(client.Option(NbdOption.ListMetaContext, Wire.Text("disk"), Wire.UInt32(1), Wire.Text("x:")));
        Assert.Single(client.Option(NbdOption.SetMetaContext, all));
        List<OptionReply> twice = client.Option(
            NbdOption.SetMetaContext, Wire.Text("disk"), Wire.UInt32(2),
            Wire.Text("base:allocation"), Wire.Text("base:allocation"));
        Assert.Equal(2, twice.Count);
        Assert.Equal(Wire.Concat(Wire.UInt32(1), Encoding.ASCII.GetBytes("base:allocation")), twice[0].Data);
        byte[] unknown = Wire.Concat(Wire.Text("nothing"), Wire.UInt32(0));
        Assert.Equal(NbdOptionReply.ErrUnknown, client.Option(NbdOption.ListMetaContext, unknown).Single().Type);
        client.Go("disk");
        client.Request(NbdCommand.BlockStatus, 5, 0, 4096);
        Assert.Equal(ChunkType.BlockStatus, client.TakeChunk().Type);
    }

    [Theory]
    [InlineData("frozen", false)]
    [InlineData("disk", true)]
    public void AContextHoldsForItsExportAndUntilTheNextSet(string export, bool deselect)
    {
        using NbdClient client = Greeted();
        client.NegotiateStructured();
        client.SelectAllocation("disk");
        if (deselect) Assert.Single(client.Option(NbdOption.SetMetaContext, Wire.Text("disk"), Wire.UInt32(0)));
        client.Go(export);
        client.Request(NbdCommand.BlockStatus, 5, 0, 4096);
        ReplyChunk chunk = client.TakeChunk();
        Assert.Equal((ChunkType.Error, NbdError.Invalid), (chunk.Type, chunk.Error));
    }

    [Fact]
    public void EveryByteMayComeAlone()
    {
        using NbdClient client = _host.Connect();
        byte[] all = Wire.Concat(
            Wire.UInt32(3), Wire.Option(NbdOption.StructuredReply), Wire.Option(NbdOption.Info, Wire.Info("disk", 1)),
            Wire.Option(NbdOption.Go, Wire.Info("disk", 1)),
            Wire.Request(NbdCommand.Write, 1, 4096, 512), Wire.Random(512, 1), Wire.Request(NbdCommand.Flush, 2, 0, 0));
        foreach (byte b in all) client.Send([b]);
        _ = client.Receive(18);
        Assert.Equal(NbdOptionReply.Ack, client.TakeOptionReply().Type);
        for (int i = 0; i < 8; i++) _ = client.TakeOptionReply();
        Assert.Equal((1UL, 0), client.TakeSimple());
        Assert.Equal((2UL, 0), client.TakeSimple());
        Assert.True(_volume.Bytes(4096, 512).SequenceEqual(Wire.Random(512, 1)));
    }

    [Fact]
    public void OptionsAndRequestsMayBePipelined()
    {
        using NbdClient client = _host.Connect();
        client.Send(Wire.Concat(
            Wire.UInt32(3), Wire.Option(NbdOption.List), Wire.Option(NbdOption.Go, Wire.Info("disk")),
            Wire.Request(NbdCommand.Flush, 9, 0, 0), Wire.Request(NbdCommand.Disconnect, 0, 0, 0)));
        _ = client.Receive(18);
        for (int i = 0; i < 6; i++) _ = client.TakeOptionReply();
        Assert.Equal((9UL, 0), client.TakeSimple());
        client.ExpectClosed();
    }

    /// <summary>A client that only negotiates would hold its place for ever.</summary>
    [Fact]
    public void OptionsEnd()
    {
        using NbdClient client = Greeted();
        for (int i = 0; i < Handshake.MaxOptions; i++) Assert.Equal(3, client.Option(NbdOption.List).Count);
        client.Send(Wire.Option(NbdOption.List));
        client.ExpectClosed();
    }
}
