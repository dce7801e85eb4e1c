using System;
using System.IO;
using Weir.Frontends.Nbd;

namespace Weir.Tests.Nbd;

/// <summary>Clients' bytes, partly sensible: from nothing but noise to valid requests with odd fields.</summary>
internal static class Fuzz
{
    /// <summary>A whole conversation of one client.</summary>
    public static byte[] Stream(Random random, long sizeBytes)
    {
        using MemoryStream stream = new();
        stream.Write(Wire.UInt32(random.Next(8) == 0 ? (uint)random.Next() : 3));
        for (int i = random.Next(6); i > 0; i--) stream.Write(Option(random));
        if (random.Next(3) != 0) stream.Write(Wire.Option(NbdOption.StructuredReply));
        if (random.Next(4) != 0) stream.Write(Wire.Option(NbdOption.Go, Wire.Info("disk")));
        for (int i = random.Next(40); i > 0; i--) Request(random, sizeBytes, stream);
        byte[] bytes = stream.ToArray();
        for (int i = random.Next(3); i > 0; i--) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        return bytes[..random.Next(1, bytes.Length + 1)];
    }

    /// <summary>A request with fields that are right, at an edge, or anything.</summary>
    public static RequestHeader Header(Random random, long sizeBytes) => new()
    {
        Magic = Protocol.RequestMagic,
        Command = (NbdCommand)random.Next(10),
        Flags = random.Next(3) == 0 ? (CommandFlags)random.Next(65536) : (CommandFlags)random.Next(2),
        Cookie = (ulong)random.NextInt64(),
        Offset = random.Next(4) switch
        {
            0 => (ulong)random.NextInt64(),
            1 => (ulong)(sizeBytes - random.Next(3) * 512L),
            2 => (ulong)random.NextInt64(sizeBytes),
            _ => (ulong)random.NextInt64(sizeBytes / 512) * 512,
        },
        Length = random.Next(6) switch
        {
            0 => (uint)random.Next(100_000),
            1 => (uint)(random.Next(5) * 1_048_576 + random.Next(3) * 512),
            2 => 0,
            _ => (uint)random.Next(1, 64) * 512,
        },
    };

    private static byte[] Option(Random random)
    {
        NbdOption option = (NbdOption)random.Next(14);
        if (option == NbdOption.Abort) option = NbdOption.List;
        return random.Next(4) switch
        {
            0 => Wire.Option(option, Wire.Random(random.Next(200), random.Next())),
            1 => Wire.Option(option, new byte[random.Next(100_000)]),
            2 => Wire.Option(option, Wire.Info("disk", 1, 2, 3)),
            _ => Wire.Option(
                option, Wire.Text("disk"), Wire.UInt32((uint)random.Next(3)), Wire.Text("base:allocation")),
        };
    }

    private static void Request(Random random, long sizeBytes, MemoryStream stream)
    {
        RequestHeader header = Header(random, sizeBytes);
        stream.Write(Wire.Request(header.Command, header.Cookie, header.Offset, header.Length, header.Flags));
        if (header.Command == NbdCommand.Write) stream.Write(new byte[header.Length]);
    }
}
