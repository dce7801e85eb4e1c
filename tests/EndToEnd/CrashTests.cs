using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>kill -9 of the real process under load, and what is there afterwards.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private const int Rounds = 20;
    private const int VolumeBytes = 24 << 20;
    private const int ReadBytes = 1 << 20;

    private const int Seed = 20260917;

    [Fact]
    public void WhatWasAcknowledgedOutlivesTheProcess() => KillAndVerify(memorySurvives: true);

    [Fact]
    public void WithoutItsMemoryWhatWasFlushedSurvivesAndTheRestIsAPrefix() => KillAndVerify(memorySurvives: false);

    /// <summary>The book is only worth something if it can say no.</summary>
    [Fact]
    public void TheLedgerCatchesWhatItMust()
    {
        Ledger ledger = new(16);
        LedgerWrite first = ledger.Submit(0, 8, fua: false);
        ledger.Acknowledge(first);
        LedgerWrite second = ledger.Submit(8, 8, fua: false);
        byte[] onlySecond = [.. new byte[8 * Ledger.SectorBytes], .. Ledger.DataOf(second)];
        Assert.Contains(
            "something submitted after it survived", ledger.Judge(onlySecond, false)[0], StringComparison.Ordinal);

        ledger = new Ledger(8);
        ledger.Acknowledge(ledger.Submit(0, 8, fua: false));
        Assert.Empty(ledger.Judge(new byte[8 * Ledger.SectorBytes], memorySurvived: false));
        ledger.Acknowledge(ledger.Submit(0, 8, fua: false));
        Assert.NotEmpty(ledger.Judge(new byte[8 * Ledger.SectorBytes], memorySurvived: true));

        ledger = new Ledger(8);
        ledger.Acknowledge(ledger.Submit(0, 8, fua: false));
        Ledger.AcknowledgeFlush(ledger.SubmitFlush());
        Assert.Contains(
            "was flushed", ledger.Judge(new byte[8 * Ledger.SectorBytes], false)[0], StringComparison.Ordinal);

        ledger = new Ledger(1);
        Assert.Contains("never written", ledger.Judge(Ledger.DataOf(new Ledger(1).Submit(0, 1, false)), true)[0],
            StringComparison.Ordinal);
    }

    /// <summary>
    /// A cache much smaller than what is written, with small segments: rounds wrap the log and meet write-back.
    /// </summary>
    private void KillAndVerify(bool memorySurvives)
    {
        using TestFolder folder = new();
        string[] arguments =
        [
            "writeboost", "--cache", folder.File("cache", 9 << 20), "--backing", folder.File("backing", VolumeBytes),
            "--segment-size", "128K", "--option", "idle_ms=20", "--option", "high_watermark=40",
        ];
        Ledger ledger = new(VolumeBytes / Ledger.SectorBytes);
        Random random = new(Seed);
        int acknowledged = 0;
        for (int round = 0; round < Rounds; round++)
        {
            using WeirProcess weir = WeirProcess.Serve(folder, arguments);
            if (round == 0) folder.Remember(weir);
            using NbdClient client = weir.Connect();
            if (round > 0) Verify(ledger, client, memorySurvives, round);
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
            if (!memorySurvives) Assert.True(folder.ForgetMemory(), "there was no shared memory to forget");
        }
        using WeirProcess last = WeirProcess.Serve(folder, arguments);
        using (NbdClient client = last.Connect()) Verify(ledger, client, memorySurvives, Rounds);
        last.Stop();
        output.WriteLine($"{Rounds} kills, {acknowledged} acknowledgements, {ledger.Lost} sector versions lost");
        Assert.True(acknowledged > Rounds, "there was no load");
        if (memorySurvives) Assert.Equal(0, ledger.Lost);
    }

    private static void Verify(Ledger ledger, NbdClient client, bool memorySurvives, int round)
    {
        byte[] contents = new byte[VolumeBytes];
        for (int at = 0; at < VolumeBytes; at += ReadBytes) client.Read(at, ReadBytes).CopyTo(contents, at);
        List<string> wrong = ledger.Judge(contents, memorySurvives);
        Assert.True(wrong.Count == 0, $"round {round}, seed {Seed}:\n" + string.Join('\n', wrong));
    }
}
