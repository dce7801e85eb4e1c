using System;
using System.Collections.Generic;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>
/// The figures of requests are the client's: one for what it has asked for, with its bytes, whatever the engine is
/// asked for its sake.
/// </summary>
public sealed class AskedFiguresTests
{
    private const int Size = 65 << 20, Long = 64 << 20;

    private static readonly string[] s_kinds = ["read", "write", "flush", "discard", "write_zeroes"];

    private static readonly Dictionary<string, string> s_passthroughNames = new()
    {
        ["requests_read"] = "reads", ["requests_write"] = "writes", ["requests_flush"] = "flushes",
        ["requests_discard"] = "discards", ["requests_write_zeroes"] = "write_zeroes",
        ["read_bytes"] = "read_bytes", ["write_bytes"] = "write_bytes",
    };

    [Theory]
    [InlineData("writeboost", "native")]
    [InlineData("writeboost", "writeboost2")]
    [InlineData("writeboost", "writeboost1")]
    [InlineData("writeboost", "lc1")]
    [InlineData("passthrough", "")]
    public void EveryRequestCountsOnceWithItsOwnBytes(string engine, string layout)
    {
        using ServedVolume served = new(engine, Size, 96 << 20, layout: layout);
        using NbdHost host = new(served.Volume);
        using NbdClient client = host.Serve();
        Asks(served, "write", 1, () => client.Write(1000, [1]));
        Asks(served, "write", 2, () => client.Write(4095, [1, 2]));
        Asks(served, "write", 2, () => client.Write(511, [1, 2], CommandFlags.Fua));
        Asks(served, "write", 99993, () => client.Write(7, new byte[99993]));
        Asks(served, "write", 4096, () => client.Write(8192, new byte[4096]));
        Asks(served, "read", 1, () => client.Read(77, 1));
        Asks(served, "read", 5000, () => client.Read(511, 5000));
        Asks(served, "write_zeroes", 1001, () => Ask(client, NbdCommand.WriteZeroes, 333, 1001));
        Asks(served, "write_zeroes", 3, () => Ask(client, NbdCommand.WriteZeroes, 333, 3));
        foreach (int bytes in served.Volume.Exports[0].CanDiscard ? [1001, 100] : Array.Empty<int>())
            Asks(served, "discard", bytes, () => Ask(client, NbdCommand.Trim, 100, bytes));
        Asks(served, "flush", 0, () => Ask(client, NbdCommand.Flush, 0, 0));
        Asks(served, "write", Long, () => client.Write(512, new byte[Long]));
        Asks(served, "read", Long, () => client.Read(512, Long));
        Asks(served, "read", Long - 3, () => client.Read(513, Long - 3));
    }

    private static void Ask(NbdClient client, NbdCommand command, long offset, long length) =>
        Assert.Equal(0, client.Ask(command, offset, length));

    private static void Asks(ServedVolume served, string kind, long bytes, Action ask)
    {
        StatusFigures before = new(served.Volume);
        ask();
        StatusFigures after = new(served.Volume);
        foreach (string other in s_kinds)
        {
            long requests = other == kind ? 1 : 0, sum = other == kind ? bytes : 0;
            Assert.Equal((other, requests), (other, Grown("requests_" + other)));
            if (!before.Has(NameOf(other + "_bytes"))) continue;
            Assert.Equal((other, sum), (other, Grown(other + "_bytes")));
        }

        string NameOf(string name) => served.Volume.Engine == "passthrough"
            ? s_passthroughNames.GetValueOrDefault(name, "none")
            : name;
        long Grown(string name) => after[NameOf(name)] - before[NameOf(name)];
    }
}
