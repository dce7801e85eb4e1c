using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>What is recorded on a served volume of any engine is what <c>weir simulate</c> reads.</summary>
public sealed class RecordTests : IDisposable
{
    private const int Requests = 500, BlockBytes = 64 << 10;

    private readonly TestFolder _folder = new();

    private string Trace => _folder.PathOf("trace");

    public void Dispose() => _folder.Dispose();

    private WeirProcess Serve(string engine, params string[] more)
    {
        string[] cache = engine == "passthrough" ? [] : ["--cache", _folder.File("cache", 32 << 20)];
        return WeirProcess.Serve(
            _folder, [engine, .. cache, "--backing", "disk=" + _folder.File("backing", 128 << 20), .. more]);
    }

    // Blocks in turn, each twice: half of the accesses can hit.
    private static void Load(WeirProcess weir)
    {
        using NbdClient client = weir.Connect();
        byte[] data = Wire.Random(4096, 1);
        for (int i = 0; i < Requests; i++)
        {
            long offset = i / 2 * (long)BlockBytes;
            if (i % 2 == 0) client.Write(offset, data);
            else Assert.Equal(data, client.Read(offset, data.Length));
        }
    }

    private static void CheckSimulated(string trace)
    {
        Outcome outcome = WeirProcess.Run("simulate", trace, "--json", "--sizes", "100%", "--policy", "lru");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement json = JsonDocument.Parse(outcome.Output).RootElement;
        Assert.Equal(Requests, json.GetProperty("trace").GetProperty("requests").GetInt64());
        Assert.Equal(Requests / 2, json.GetProperty("trace").GetProperty("writes").GetInt64());
        Assert.Equal(Requests / 2, json.GetProperty("results")[0].GetProperty("misses").GetInt64());
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void AnOptionRecordsFromTheStart(string engine)
    {
        using WeirProcess weir = Serve(engine, "--option", "trace=" + Trace);
        if (engine == "writeboost") _folder.Remember(weir);
        Assert.Equal(Trace, weir.Text("trace"));
        Load(weir);
        weir.Stop();
        CheckSimulated(Trace);
    }

    [Fact]
    public void MessagesBeginAndEndIt()
    {
        using WeirProcess weir = Serve("passthrough");
        Assert.Equal("off", weir.Text("trace"));
        string control = _folder.PathOf("control");
        Assert.Contains("trace  ", WeirProcess.Run("message", "--control", control, "help").Output);
        Assert.Equal(1, WeirProcess.Run("message", "--control", control, "trace", "off").ExitCode);
        Assert.Equal(
            $"trace: recording {Trace}\n", WeirProcess.Run("message", "--control", control, "trace", Trace).Output);
        long before = weir.Number("queue_allocated_bytes");
        Load(weir);
        Outcome outcome = WeirProcess.Run("message", "--control", control, "trace", "off");
        Assert.Equal($"trace: {Trace}: {Requests} requests, 0 left out\n", outcome.Output);
        Assert.Equal((Requests, 0), (weir.Number("trace_requests"), weir.Number("trace_dropped_requests")));
        Assert.InRange(weir.Number("queue_allocated_bytes"), before, before + 100_000);
        CheckSimulated(Trace);
        weir.Stop();
    }

    /// <summary>The command ends when it is told to, and when the volume does.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ACommandRecordsUntilTheEnd(bool volumeStops)
    {
        using WeirProcess weir = Serve("passthrough");
        string control = _folder.PathOf("control");
        using WeirProcess record = WeirProcess.StartProgram(
            [WeirProcess.Binary, "record", "--control", control, "--output", Trace], null);
        string first = await Task.Run(record.FirstLine, TestContext.Current.CancellationToken);
        Assert.Equal($"trace: recording {Trace}", first);
        Load(weir);
        if (volumeStops) weir.Stop();
        else record.Signal("INT");
        Assert.Equal(0, record.WaitForExit());
        CheckSimulated(Trace);
        if (!volumeStops) weir.Stop();
    }

    [Fact]
    public void WhatCannotBeIsSaid()
    {
        string backing = _folder.File("backing", 1 << 20);
        Outcome outcome = WeirProcess.Run(
            "serve", "passthrough", "--backing", backing, "--option", "trace=" + _folder.PathOf("none/x"));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("cannot be opened: No such file", outcome.Error);
        outcome = WeirProcess.Run("serve", "passthrough", "--backing", backing, "--option", "trace=" + backing);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("is no trace of weir", outcome.Error);
        outcome = WeirProcess.Run("record", "--control", "x", "--output", "a b");
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("expected a path without blanks", outcome.Error);
        outcome = WeirProcess.Run("record", "--control", "x", "--output", "a", "--seconds", "0");
        Assert.Equal(2, outcome.ExitCode);
        Assert.Equal(new byte[1 << 20], File.ReadAllBytes(backing).ToArray());
    }
}
