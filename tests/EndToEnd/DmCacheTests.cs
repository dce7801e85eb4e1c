using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>The engine <c>dmcache</c> in the real process: fio, kill -9, and the kernel's tools as judges.</summary>
public sealed class DmCacheTests
{
    private const int VolumeBytes = 24 << 20, ReadBytes = 1 << 20, Rounds = 8;

    public static TheoryData<string> Modes => ["writeback", "writethrough", "passthrough"];

    private static string[] Arguments(TestFolder folder, string mode, bool isNew = true) =>
    [
        "dmcache", "--cache", isNew ? folder.File("cache", 5 << 20) : folder.PathOf("cache"),
        "--metadata", isNew ? folder.File("metadata", 4 << 20) : folder.PathOf("metadata"),
        "--backing", isNew ? folder.File("backing", VolumeBytes) : folder.PathOf("backing"),
        "--block-size", "32K", "--option", "mode=" + mode, "--option", "policy=lru", "--option", "idle_ms=20",
        "--option", "high_watermark=20",
    ];

    /// <summary>A cache much smaller than what is written; every kind of size.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
    public void FioReadsBackWhatItWrote(string mode)
    {
        using TestFolder folder = new();
        using WeirProcess weir = WeirProcess.Serve(folder, Arguments(folder, mode));
        Outcome fio = WeirProcess.ToolIn(
            folder.Path, "fio", "--name=job", "--ioengine=nbd", "--uri=" + weir.Uri, "--verify=crc32c",
            "--verify_fatal=1", "--verify_state_save=0", "--iodepth=32", "--output-format=json", "--rw=randrw",
            "--bsrange=512-256k", "--size=20M", "--fsync=64");
        Assert.True(fio.ExitCode == 0, fio.Error + fio.Output);
        JsonElement job = JsonDocument.Parse(fio.Output[fio.Output.IndexOf('{', StringComparison.Ordinal)..])
            .RootElement.GetProperty("jobs")[0];
        Assert.True(job.GetProperty("read").GetProperty("total_ios").GetInt64() > 0, "nothing was read back");
        Assert.Equal(mode == "passthrough", weir.Number("promotions") == 0);
        weir.Stop();
        Judge(folder);
    }

    /// <summary>kill -9 under load, again and again: what was acknowledged is there, and metadata are clean.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
    public void WhatWasAcknowledgedOutlivesTheProcess(string mode)
    {
        using TestFolder folder = new();
        Ledger ledger = new(VolumeBytes / Ledger.SectorBytes);
        Random random = new(20261130);
        int acknowledged = 0;
        for (int round = 0; round < Rounds; round++)
        {
            using WeirProcess weir = WeirProcess.Serve(folder, Arguments(folder, mode, isNew: round == 0));
            using NbdClient client = weir.Connect();
            if (round > 0) Verify(ledger, client, round);
            LedgerClient load = new(ledger, random);
            int killAfterMs = random.Next(10, 250);
            Thread killer = new(() =>
            {
                Thread.Sleep(killAfterMs);
                weir.Kill();
            });
            killer.Start();
            load.Run(client);
            killer.Join();
            acknowledged += load.Acknowledged;
            Judge(folder);
        }
        using WeirProcess last = WeirProcess.Serve(folder, Arguments(folder, mode, isNew: false));
        using (NbdClient client = last.Connect()) Verify(ledger, client, Rounds);
        last.Stop();
        Assert.True(acknowledged > Rounds, "there was no load");
        Assert.Equal(0, ledger.Lost);
    }

    /// <summary>
    /// D25: a table of the seed opens metadata that another one has open. Here whoever comes second is refused, one
    /// shared device is enough, and tools are told too.
    /// </summary>
    [Fact]
    public void MetadataAreOpenedOnce()
    {
        using TestFolder folder = new(), others = new();
        string[] own = Arguments(folder, "writeback"), other = Arguments(others, "writeback");
        using WeirProcess weir = WeirProcess.Serve(folder, own);
        for (int device = 2; device <= 6; device += 2)
        {
            string[] mixed = [.. other];
            mixed[device] = own[device];
            IsInUse(["serve", .. mixed, "--listen", "unix:" + others.PathOf("nbd")]);
        }
        foreach (string tool in new[] { "check", "dump", "repair" }) IsInUse([tool, .. own[..5]]);
        weir.Stop();
    }

    /// <summary>dmsetup runs anywhere.</summary>
    [Fact]
    public void TableLinesNameWholePaths()
    {
        using TestFolder folder = new();
        string[] arguments = Arguments(folder, "writeback");
        for (int i = 2; i <= 6; i += 2)
            arguments[i] = System.IO.Path.GetRelativePath(System.IO.Path.GetTempPath(), arguments[i]);
        using WeirProcess weir = WeirProcess.Serve(folder, arguments);
        Outcome status = WeirProcess.Run("status", "--control", folder.PathOf("control"), "--dm");
        Assert.Contains($" cache {folder.PathOf("metadata")} {folder.PathOf("cache")} {folder.PathOf("backing")} 64 ",
            status.Output, StringComparison.Ordinal);
        weir.Stop();
    }

    /// <summary>bench --force writes over an old cache too, whose metadata are gone.</summary>
    [Fact]
    public void BenchWritesOverAnOldCacheWhenForced()
    {
        using TestFolder folder = new();
        string[] bench = ["bench", .. Arguments(folder, "writeback"), "--size", "1M", "--seconds", "0.1"];
        using (System.IO.FileStream cache = System.IO.File.OpenWrite(folder.PathOf("cache"))) cache.WriteByte(1);
        Outcome refused = WeirProcess.Run(bench), forced = WeirProcess.Run([.. bench, "--force"]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("holds unknown content", refused.Error, StringComparison.Ordinal);
        Assert.True(forced.ExitCode == 0, forced.Error);
    }

    private static void IsInUse(string[] command)
    {
        Outcome outcome = WeirProcess.Run(command);
        Assert.True(outcome.ExitCode == 1, $"{command[0]}: {outcome.ExitCode}, {outcome.Output}");
        Assert.Contains("in use by another weir", outcome.Error, StringComparison.Ordinal);
    }

    /// <summary>
    /// Killed under load, then cache and metadata are thrown away: the backing device alone has all that was
    /// acknowledged.
    /// </summary>
    [Theory]
    [InlineData("writethrough")]
    [InlineData("passthrough")]
    public void TheBackingDeviceIsCompleteWithoutTheCache(string mode)
    {
        using TestFolder folder = new();
        Ledger ledger = new(VolumeBytes / Ledger.SectorBytes);
        Random random = new(14);
        folder.File("backing", VolumeBytes);
        for (int round = 0; round < 3; round++)
        {
            string[] arguments = Arguments(folder, mode, isNew: false);
            folder.File("cache", 5 << 20);
            folder.File("metadata", 4 << 20);
            using (WeirProcess weir = WeirProcess.Serve(folder, arguments))
            {
                using NbdClient client = weir.Connect();
                LedgerClient load = new(ledger, random);
                load.Run(client, 1000);
                int killAfterMs = random.Next(10, 100);
                Thread killer = new(() =>
                {
                    Thread.Sleep(killAfterMs);
                    weir.Kill();
                });
                killer.Start();
                load.Run(client);
                killer.Join();
            }
            System.IO.File.Delete(folder.PathOf("cache"));
            System.IO.File.Delete(folder.PathOf("metadata"));
            List<string> wrong = ledger.Judge(
                System.IO.File.ReadAllBytes(folder.PathOf("backing")), memorySurvived: true);
            Assert.True(wrong.Count == 0, $"round {round}:\n" + string.Join('\n', wrong));
        }
        Assert.Equal(0, ledger.Lost);
    }

    /// <summary>Drained, the backing device alone has everything; modes change while it is served.</summary>
    [Fact]
    public void ADrainedCacheLeavesTheBackingDeviceComplete()
    {
        using TestFolder folder = new();
        byte[] data = new byte[1 << 20];
        new Random(1).NextBytes(data);
        using (WeirProcess weir = WeirProcess.Serve(folder, Arguments(folder, "writeback")))
        {
            using NbdClient client = weir.Connect();
            Assert.Equal(0, client.Ask(Frontends.Nbd.NbdCommand.Write, 1 << 20, data.Length, 0, data));
            Assert.Equal(data, client.Read(1 << 20, data.Length));
            Assert.StartsWith("0 49152 cache 8 ", DmStatus(folder), StringComparison.Ordinal);
            weir.Kill();
        }
        Outcome drain = WeirProcess.Run(
            "drain", "dmcache", "--cache", folder.PathOf("cache"), "--metadata", folder.PathOf("metadata"), "--backing",
            folder.PathOf("backing"));
        Assert.True(drain.ExitCode == 0, drain.Error);
        Judge(folder);
        Assert.Equal(data, System.IO.File.ReadAllBytes(folder.PathOf("backing"))[(1 << 20)..(2 << 20)]);
    }

    private static string DmStatus(TestFolder folder)
    {
        Outcome status = WeirProcess.Run("status", "--control", folder.PathOf("control"), "--dm");
        Assert.True(status.ExitCode == 0, status.Error);
        return status.Output;
    }

    private static void Judge(TestFolder folder)
    {
        Outcome check = WeirProcess.Tool("cache_check", folder.PathOf("metadata"));
        Assert.True(check.ExitCode == 0, check.Error + check.Output);
        Outcome own = WeirProcess.Run("check", "dmcache", "--metadata", folder.PathOf("metadata"));
        Assert.True(own.ExitCode == 0, own.Error + own.Output);
    }

    private static void Verify(Ledger ledger, NbdClient client, int round)
    {
        byte[] contents = new byte[VolumeBytes];
        for (int at = 0; at < VolumeBytes; at += ReadBytes) client.Read(at, ReadBytes).CopyTo(contents, at);
        List<string> wrong = ledger.Judge(contents, memorySurvived: true);
        Assert.True(wrong.Count == 0, $"round {round}:\n" + string.Join('\n', wrong));
    }
}
