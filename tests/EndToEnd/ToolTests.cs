using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>The offline tools: what each says and does, on every layout.</summary>
public sealed class ToolTests : IDisposable
{
    private const int SuperblockCopyB = 512 << 10, Mib = 1 << 20, BlockBytes = 4096;

    private readonly TestFolder _folder = new();
    private readonly string _cache;
    private readonly string _backing;

    public ToolTests()
    {
        _cache = _folder.File("cache", 24 << 20);
        _backing = _folder.File("backing", 64 << 20);
    }

    public static TheoryData<string> Layouts() => ["native", "writeboost2", "writeboost1", "lc1"];

    public void Dispose() => _folder.Dispose();

    private static string[] Devices(string cache, string backing) => ["--cache", cache, "--backing", backing];

    private WeirProcess Serve(params string[] more) => WeirProcess.Serve(_folder,
        ["writeboost", .. Devices(_cache, _backing), "--option", "allow_writeback=0", .. more]);

    private Outcome Tool(string name, params string[] more) =>
        WeirProcess.Run([name, "writeboost", "--cache", _cache, .. more]);

    private Outcome Drain(params string[] more) =>
        WeirProcess.Run(["drain", "writeboost", .. Devices(_cache, _backing), .. more]);

    private static byte[] Data(int seed) => Wire.Random(2 * Mib, seed);

    /// <summary>Dirty data in whole blocks and in parts, flushed one by one; an orderly stop or a kill.</summary>
    private byte[] Fill(bool kill = false, params string[] more)
    {
        byte[] data = Data(3);
        using WeirProcess weir = Serve(more);
        _folder.Remember(weir);
        using (NbdClient client = weir.Connect())
        {
            for (int at = 0; at < data.Length; at += 256 << 10)
            {
                client.Write(at, data.AsSpan(at, 256 << 10).ToArray(), Frontends.Nbd.CommandFlags.Fua);
            }
            byte[] part = Wire.Random(1024, 9);
            part.CopyTo(data, 512);
            client.Write(512, part, Frontends.Nbd.CommandFlags.Fua);
        }
        if (kill) weir.Kill(); else weir.Stop();
        return data;
    }

    private static JsonElement[] Items(Outcome outcome, string kind) => outcome.Output.Split('\n')
        .Where(static line => line.Length > 0).Select(static line => JsonDocument.Parse(line).RootElement)
        .Where(item => item.GetProperty("item").GetString() == kind).ToArray();

    private static long Number(JsonElement item, string name) => item.GetProperty(name).GetInt64();

    private static string Text(JsonElement item, string name) => item.GetProperty(name).GetString()!;

    private void Overwrite(long offset, params byte[] bytes)
    {
        using FileStream file = File.OpenWrite(_cache);
        file.Position = offset;
        file.Write(bytes);
    }

    private void AssertServed(byte[] data, params string[] more)
    {
        using WeirProcess weir = Serve(more);
        _folder.Remember(weir);
        using (NbdClient client = weir.Connect()) Assert.Equal(data, client.Read(0, data.Length));
        weir.Stop();
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ACacheIsCheckedDumpedAndDrained(string layout)
    {
        byte[] data = Fill(more: ["--layout", layout]);
        string before = TestFolder.HashOf(_cache);
        string[] named = layout == "lc1" ? ["--layout", layout] : [];
        Outcome check = Tool("check", ["--json", .. named]);
        Assert.True(check.ExitCode == 0, check.Output + check.Error);
        Assert.Equal("sound", Text(Items(check, "summary")[0], "verdict"));
        Assert.Equal(layout, Text(Items(check, "superblock")[0], "layout"));
        // A part of a block beside the whole one counts twice: both are needed.
        Assert.Equal(513, Number(Items(check, "summary")[0], "dirty_blocks"));
        Outcome dump = Tool("dump", ["--json", .. named]);
        Assert.Equal(0, dump.ExitCode);
        Assert.Equal(513, Items(dump, "entry").Count(static entry => Text(entry, "kind") == "data"));
        Assert.Equal(before, TestFolder.HashOf(_cache));
        Assert.NotEqual(data, File.ReadAllBytes(_backing)[..data.Length]);
        Outcome drain = Drain(named);
        Assert.True(drain.ExitCode == 0, drain.Error);
        Assert.Contains("blocks written back", drain.Output, StringComparison.Ordinal);
        Assert.Equal(data, File.ReadAllBytes(_backing)[..data.Length]);
        Assert.Equal(0, Number(Items(Tool("check", ["--json", .. named]), "summary")[0], "dirty_blocks"));
        Assert.Equal(0, Drain(named).ExitCode);
        AssertServed(data, named);
    }

    /// <summary>What of a device that is not given stays is no success, and said.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("lc1")]
    public void ADrainWithoutOneOfTheDevicesIsNone(string layout)
    {
        string other = _folder.File("other", 8 << 20);
        string[] first = ["--layout", layout, "--cache", _cache, "--backing", "1:a=" + _backing];
        string[] both = [.. first, "--backing", "2:b=" + other];
        using (WeirProcess weir = WeirProcess.Serve(
            _folder, ["writeboost", .. both, "--option", "allow_writeback=0"]))
        {
            _folder.Remember(weir);
            using (NbdClient a = weir.Connect("a")) a.Write(0, Wire.Random(4096, 1));
            using (NbdClient b = weir.Connect("b")) b.Write(4096, Wire.Random(8192, 2));
            weir.Stop();
        }
        Outcome alone = WeirProcess.Run(["drain", "writeboost", .. first]);
        Assert.Equal(1, alone.ExitCode);
        Assert.Contains("2 blocks (8 KiB) of device 2", alone.Error,
            StringComparison.Ordinal);
        Outcome drain = WeirProcess.Run(["drain", "writeboost", .. both]);
        Assert.True(drain.ExitCode == 0, drain.Error);
        Assert.Equal(Wire.Random(8192, 2), File.ReadAllBytes(other)[4096..12288]);
    }

    /// <summary>A layout in which nothing is found is not repaired into being.</summary>
    [Theory]
    [InlineData("native", "lc1", "holds a weir cache, not one in layout lc1")]
    [InlineData("writeboost2", "writeboost1", "layout writeboost2), not one in layout writeboost1")]
    [InlineData("writeboost1", "writeboost2", "layout writeboost1), not one in layout writeboost2")]
    [InlineData("", "lc1", "no log of layout lc1 found")]
    [InlineData("", "writeboost2", "no log of layout writeboost2 found")]
    public void ARepairInTheWrongLayoutWritesNothing(string holds, string asked, string words)
    {
        if (holds != "") Fill(more: ["--layout", holds]);
        string before = TestFolder.HashOf(_cache);
        Outcome repair = Tool("repair", "--layout", asked, "--write");
        Assert.Equal(1, repair.ExitCode);
        Assert.Contains(words, repair.Error, StringComparison.Ordinal);
        Assert.Equal(before, TestFolder.HashOf(_cache));
    }

    /// <summary>The two layouts that share a magic number are told apart by their records.</summary>
    [Theory]
    [InlineData("writeboost1")]
    [InlineData("writeboost2")]
    public void AnEmptyCacheOfTheKernelsIsNotGuessedAt(string layout)
    {
        Outcome format = WeirProcess.Run("format", "writeboost", "--cache", _cache, "--layout", layout);
        Assert.True(format.ExitCode == 0, format.Error);
        Outcome refused = WeirProcess.Run(["serve", "writeboost", .. Devices(_cache, _backing)]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("say which with --layout", refused.Error, StringComparison.Ordinal);
        byte[] data = Fill(more: ["--layout", layout]);
        AssertServed(data);
        Outcome dump = Tool("dump", "--json");
        Assert.Equal(layout, Text(Items(dump, "superblock")[0], "layout"));
    }

    /// <summary>Both copies of the device table lie behind those of the superblock.</summary>
    [Theory]
    [InlineData(4096 + 100)]
    [InlineData(SuperblockCopyB + 4096 + 100)]
    public void ADamagedCopyOfTheDeviceTableIsAProblemUntilTheNextStart(int offset)
    {
        byte[] data = Fill();
        Overwrite(offset, 0x55, 0xAA, 0x55, 0xAA);
        Outcome check = Tool("check");
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("problem: a copy of the device table is damaged", check.Output, StringComparison.Ordinal);
        AssertServed(data);
        Assert.Equal(0, Tool("check").ExitCode);
    }

    /// <summary>Whoever forgets to name the layout is not told to overwrite his cache, and nothing else.</summary>
    [Fact]
    public void AnUnnamedCacheOfLc1IsHintedAt()
    {
        Fill(more: ["--layout", "lc1"]);
        Outcome serve = WeirProcess.Run(["serve", "writeboost", .. Devices(_cache, _backing)]);
        Outcome check = Tool("check");
        foreach (Outcome refused in new[] { serve, check })
        {
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("say so with --layout lc1", refused.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ARottenBlockIsNamed()
    {
        Fill();
        Overwrite((2L * Mib) + (7 * BlockBytes) + 100, 0x55, 0xAA);
        Outcome check = Tool("check");
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("problem: block 6 of device", check.Output, StringComparison.Ordinal);
        Assert.Contains("segment 1 slot 7, is rotten: it reads EIO", check.Output, StringComparison.Ordinal);
        Assert.Contains("verdict=damaged", check.Output, StringComparison.Ordinal);
        Assert.Contains("slot=7 kind=data", Tool("dump", "--segment", "1").Output, StringComparison.Ordinal);
    }

    /// <summary>
    /// What a rotten block has lost is named the same by all that could claim success, until it is given up.
    /// </summary>
    [Fact]
    public void WhatIsLostIsNamedByAllUntilItIsGivenUp()
    {
        const string range = "weir:24576+4096";
        byte[] data = Fill();
        Overwrite((2L * Mib) + (7 * BlockBytes) + 100, 0x55, 0xAA);
        AssertNames(range, Tool("check"), "4096 bytes of 'weir' from 24576 on are lost");
        using (WeirProcess weir = Serve())
        {
            using (NbdClient client = weir.Connect())
                Assert.NotEqual(0, client.Ask(Frontends.Nbd.NbdCommand.Read, 24576, 4096));
            AssertNames(range, Message("drop_caches"), "give_up");
            Assert.Equal("weir 24576 4096\n", Message("lost_blocks").Output);
            Assert.Contains(range, weir.Text("lost_blocks"), StringComparison.Ordinal);
            Assert.Equal(2, Message("give_up").ExitCode);
            Assert.Equal(2, Message("give_up", "weir").ExitCode);
            AssertNames(range, Message("give_up", "weir:0+4096"), "nothing there is lost");
            Outcome stop = WeirProcess.Run("stop", "--control", _folder.PathOf("control"));
            Assert.Equal(1, stop.ExitCode);
            Assert.Contains(range, stop.Error, StringComparison.Ordinal);
            Assert.Equal(1, weir.WaitForExit());
            Assert.Contains(range, weir.Error, StringComparison.Ordinal);
        }
        Outcome check = Tool("check");
        AssertNames(range, check, "verdict=damaged problems=1 ");
        for (int i = 0; i < 2; i++) AssertNames(range, Drain(), "all else is written back", "--give-up");
        Assert.Equal(2, Drain("--give-up", "weir:1+4096").ExitCode);
        Outcome drain = Drain("--give-up", range);
        Assert.True(drain.ExitCode == 0, drain.Error);
        Assert.Equal(0, Tool("check").ExitCode);
        data.AsSpan(24576, BlockBytes).Clear();
        Assert.Equal(data, File.ReadAllBytes(_backing)[..data.Length]);
        AssertServed(data);
    }

    private static void AssertNames(string range, Outcome outcome, params string[] words)
    {
        string said = outcome.Output + outcome.Error;
        Assert.True(outcome.ExitCode == 1, said);
        foreach (string word in words.Append(range)) Assert.Contains(word, said, StringComparison.Ordinal);
    }

    private Outcome Message(params string[] words) =>
        WeirProcess.Run(["message", "--control", _folder.PathOf("control"), .. words]);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ALostSuperblockIsRebuilt(bool kill)
    {
        byte[] data = Fill(kill);
        if (kill) Assert.True(_folder.ForgetMemory());
        Overwrite(0, new byte[Mib]);
        Assert.Contains("repair", Tool("check").Error, StringComparison.Ordinal);
        string before = TestFolder.HashOf(_cache);
        Outcome plan = Tool("repair");
        Assert.True(plan.ExitCode == 0, plan.Error + plan.Output);
        Assert.Contains("plan: would write a rebuilt superblock", plan.Output, StringComparison.Ordinal);
        Assert.Equal(before, TestFolder.HashOf(_cache));
        Outcome repair = Tool("repair", "--write");
        Assert.True(repair.ExitCode == 0, repair.Error + repair.Output);
        Assert.Equal(0, Tool("check").ExitCode);
        AssertServed(data);
    }

    [Fact]
    public void OneSuperblockCopyIsMended()
    {
        byte[] data = Fill();
        Assert.Contains("nothing to repair", Tool("repair", "--write").Output, StringComparison.Ordinal);
        Overwrite(SuperblockCopyB + 100, 0xff, 0xfe);
        Assert.Equal(1, Tool("check").ExitCode);
        Assert.Equal(0, Tool("repair", "--write").ExitCode);
        Assert.Equal(0, Tool("check").ExitCode);
        AssertServed(data);
    }

    /// <summary>
    /// A rotten header: nothing is served until somebody decides what to give up, and is told what that is.
    /// </summary>
    [Fact]
    public void WhatLiesBehindARottenHeaderIsGivenUpOnlyWhenAsked()
    {
        byte[] data = Fill();
        JsonElement[] records = Items(Tool("dump", "--json"), "record");
        JsonElement rotten = records.Single(static item => Number(item, "sequence") == 5);
        long kept = records.Where(static item => Number(item, "sequence") < 5)
            .Sum(static item => Number(item, "entries")) * BlockBytes;
        long offset = Mib + (Number(rotten, "segment") * Mib) + (Number(rotten, "slot") * BlockBytes);
        Overwrite(offset + 300, 0x55, 0xAA, 0x55);
        Assert.Contains("record 5", Tool("check").Output, StringComparison.Ordinal);
        Outcome advice = Tool("repair");
        Assert.Equal(1, advice.ExitCode);
        Assert.Contains("--drop-after 4 --write", advice.Output, StringComparison.Ordinal);
        Assert.Contains("lost_entry", advice.Output, StringComparison.Ordinal);
        Assert.Equal(1, Tool("repair", "--write").ExitCode);
        Assert.Equal(2, Tool("repair", "--drop-after", "7", "--write").ExitCode);
        Outcome plan = Tool("repair", "--drop-after", "4");
        Assert.Equal(0, plan.ExitCode);
        Assert.Equal(1, Tool("check").ExitCode);
        Outcome repair = Tool("repair", "--drop-after", "4", "--write", "--json");
        Assert.True(repair.ExitCode == 0, repair.Error);
        Assert.Equal(1, Number(Items(repair, "lost")[0], "records_unreadable"));
        Assert.Equal(0, Tool("check").ExitCode);
        data.AsSpan((int)kept).Clear();
        Data(3).AsSpan(0, BlockBytes).CopyTo(data);
        AssertServed(data);
    }

    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    public void ALostMagicNumberIsWrittenAgain(string layout)
    {
        byte[] data = Fill(more: ["--layout", layout]);
        Overwrite(0, new byte[Mib]);
        Assert.NotEqual(0, Tool("check").ExitCode);
        Outcome repair = Tool("repair", "--layout", layout, "--write");
        Assert.True(repair.ExitCode == 0, repair.Error);
        Assert.Equal(0, Tool("check").ExitCode);
        AssertServed(data);
    }

    /// <summary>Without a word about the layout, as all tools.</summary>
    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    public void ARepairRecognisesTheKernelsLayouts(string layout)
    {
        Fill(more: ["--layout", layout]);
        Outcome repair = Tool("repair");
        Assert.True(repair.ExitCode == 0, repair.Error);
        Assert.Contains("nothing to repair", repair.Output, StringComparison.Ordinal);
        Assert.Equal(2, Tool("repair", "--damaged", "some").ExitCode);
        Assert.Equal(2, Tool("repair", "--damaged", "keep", "--segment", "99").ExitCode);
    }

    /// <summary>Interrupted, it has lost nothing, and goes on where it was.</summary>
    [Fact]
    public void ADrainIsInterruptedAndGoesOn()
    {
        byte[] data = Fill();
        string slow = $"slow:{_backing}?seek=100ms&bandwidth=100K";
        using (WeirProcess drain = WeirProcess.StartProgram(
            [WeirProcess.Binary, "drain", "writeboost", .. Devices(_cache, slow)], null))
        {
            WeirProcess.Until(
                () => drain.Error.Contains("recovered", StringComparison.Ordinal), "the drain's beginning");
            drain.Signal("INT");
            Assert.Equal(1, drain.WaitForExit());
            Assert.Contains("interrupted: ", drain.Error, StringComparison.Ordinal);
        }
        Assert.True(Number(Items(Tool("check", "--json"), "summary")[0], "dirty_blocks") > 0);
        Assert.Equal(0, Drain().ExitCode);
        Assert.Equal(data, File.ReadAllBytes(_backing)[..data.Length]);
    }

    /// <summary>What it says is left is what the cache has: what was kept of a batch is written.</summary>
    [Fact]
    public void AnInterruptedDrainCountsWhatIsLeft()
    {
        const int blocks = 600;
        using (WeirProcess weir = Serve())
        {
            _folder.Remember(weir);
            using (NbdClient client = weir.Connect())
                for (int i = 0; i < blocks; i++) client.Write(i * 64L << 10, Wire.Random(BlockBytes, i));
            weir.Stop();
        }
        // A minute's work, which is kept every second.
        string slow = $"slow:{_backing}?seek=100ms";
        string said;
        using (WeirProcess drain = WeirProcess.StartProgram(
            [WeirProcess.Binary, "drain", "writeboost", .. Devices(_cache, slow)], null))
        {
            WeirProcess.Until(() => DrainSaysOf(drain.Error) >= 60, "sixty blocks that are written");
            drain.Signal("INT");
            Assert.Equal(1, drain.WaitForExit());
            said = drain.Error;
        }
        long left = Number(Items(Tool("check", "--json"), "summary")[0], "dirty_blocks");
        Assert.True(left < blocks, "nothing was kept");
        Assert.Contains($"interrupted: {left} blocks (", said, StringComparison.Ordinal);
    }

    // "weir: 12.5%  64 of 512 blocks, 8/s, 56 s left"
    private static long DrainSaysOf(string error)
    {
        Match match = Regex.Match(error, @"(\d+) of \d+ blocks, [^\n]*\n\z");
        return match.Success ? long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>Before it begins it looks at the device, and says so, and heeds who wants none of it.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADrainThatLooksAtASlowDeviceSaysSoAndCanBeInterrupted(string layout)
    {
        string[] named = ["--layout", layout];
        Fill(more: named);
        // Something that the cache knows of what the device holds.
        using (WeirProcess weir = Serve(named))
        {
            _folder.Remember(weir);
            Outcome done = WeirProcess.Run("message", "--control", _folder.PathOf("control"), "drain");
            Assert.True(done.ExitCode == 0, done.Error);
            using (NbdClient client = weir.Connect()) client.Write(4 * Mib, Data(4));
            weir.Stop();
        }
        string slow = $"slow:{_backing}?seek=2s";
        using (WeirProcess drain = WeirProcess.StartProgram(
            [WeirProcess.Binary, "drain", "writeboost", .. Devices(_cache, slow), .. named], null))
        {
            WeirProcess.Until(
                () => drain.Error.Contains("looked at, to know it by", StringComparison.Ordinal), "what it does");
            drain.Signal("INT");
            Assert.Equal(1, drain.WaitForExit());
            Assert.Contains("interrupted: ", drain.Error, StringComparison.Ordinal);
        }
        Assert.Equal(0, Drain(named).ExitCode);
        Assert.Equal(Data(4), File.ReadAllBytes(_backing)[(4 * Mib)..(6 * Mib)]);
    }

    /// <summary>What was acknowledged before a kill and lies in memory only is drained too.</summary>
    [Fact]
    public void ADrainWritesWhatAKilledServerHadAcknowledged()
    {
        byte[] data = Fill(kill: true);
        Assert.Equal(0, Drain().ExitCode);
        Assert.Equal(data, File.ReadAllBytes(_backing)[..data.Length]);
    }

    [Fact]
    public void OutputEndsQuietlyWithItsReader()
    {
        Fill();
        string command = $"{WeirProcess.Binary} dump writeboost --cache {_cache} | head -n 3";
        Outcome outcome = WeirProcess.Tool("bash", "-c", "set -o pipefail; " + command);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
    }

    [Fact]
    public void ALayoutIsRecognisedOrRefused()
    {
        Assert.Equal(0, WeirProcess.Run(
            "format", "writeboost", "--cache", _cache, "--layout", "writeboost1").ExitCode);
        byte[] data = Fill(more: ["--layout", "writeboost1"]);
        Assert.Contains("layout writeboost1", Tool("check", "--layout", "writeboost2").Error, StringComparison.Ordinal);
        Assert.Contains("layout writeboost1", Tool("check", "--layout", "lc1").Error, StringComparison.Ordinal);
        Assert.Contains("layout writeboost1", WeirProcess.Run(
            "format", "writeboost", "--cache", _cache).Error, StringComparison.Ordinal);
        using WeirProcess weir = Serve();
        Assert.Equal("writeboost1", weir.Text("layout"));
        using (NbdClient client = weir.Connect()) Assert.Equal(data, client.Read(0, data.Length));
        weir.Stop();
    }
}
