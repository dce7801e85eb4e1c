using System;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>
/// Random requests, good and bad, through the socket to a real engine, beside an array of bytes that takes the same
/// ones: every read must agree.
/// </summary>
public sealed class ModelTests
{
    private const int Size = 24 << 20;

    [Theory]
    [InlineData("passthrough", 1)]
    [InlineData("writeboost", 2)]
    [InlineData("writeboost", 3)]
    [InlineData("writeboost", 4)]
    public void AnEngineAgreesWithAnArray(string engine, int seed)
    {
        using ServedVolume served = new(engine, Size, cacheBytes: 12 << 20);
        using NbdHost host = new(served.Volume);
        using NbdClient client = host.Serve(structured: seed % 2 == 0);
        byte[] model = new byte[Size];
        Random random = new(seed);
        for (int i = 0; i < 1500; i++)
        {
            RequestHeader header = Fuzz.Header(random, Size);
            if (header.Command is NbdCommand.Disconnect or NbdCommand.BlockStatus) continue;
            if (header.Command == NbdCommand.Read && seed % 2 == 0) ReadStructured(client, header, model);
            else Ask(client, header, model, random);
        }
        if (seed % 2 != 0) Assert.True(client.Read(0, Size).AsSpan().SequenceEqual(model));
    }

    private static void ReadStructured(NbdClient client, RequestHeader header, byte[] model)
    {
        // A bad length is not one to make an array of.
        if (header.Length > Protocol.MaxPayloadBytes) return;
        (byte[] data, int error, _) = client.ReadStructured((long)header.Offset, (int)header.Length, header.Flags);
        if (error == 0) Same(data, header, model);
    }

    private static void Ask(NbdClient client, RequestHeader header, byte[] model, Random random)
    {
        bool writes = header.Command == NbdCommand.Write;
        byte[]? payload = writes ? Wire.Random((int)header.Length, random.Next()) : null;
        int error = client.Ask(header.Command, (long)header.Offset, header.Length, header.Flags, payload);
        if (error != 0) return;
        if (header.Command == NbdCommand.Read) Same(client.Receive((int)header.Length), header, model);
        if (writes) payload.CopyTo(model.AsSpan((int)header.Offset));
        long from = (long)header.Offset, end = from + header.Length;
        // A part of a sector is not trimmed: nothing says that it must be.
        if (header.Command == NbdCommand.Trim) (from, end) = ((from + 511) & -512, end & -512);
        if (header.Command is NbdCommand.Trim or NbdCommand.WriteZeroes && end > from)
            model.AsSpan((int)from, (int)(end - from)).Clear();
    }

    private static void Same(byte[] data, RequestHeader header, byte[] model)
    {
        ReadOnlySpan<byte> expected = model.AsSpan((int)header.Offset, (int)header.Length);
        int at = expected.CommonPrefixLength(data);
        Assert.True(at == expected.Length, $"offset {header.Offset} length {header.Length} differs at {at}");
    }
}
