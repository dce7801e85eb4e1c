using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Everything is read and decided before anything is written (R12): the table keeps to it.</summary>
public sealed unsafe class RecoveryStepsTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _disk = new(16 << 20);
    private readonly RamDevice _flash = new(8 << 20);
    private readonly SimRamStore _store = new(new SimWorld(1, trace: false), outlivesProcess: true);

    public static TheoryData<string, string> Starts => new(
        from layout in Layout.All
        from before in new[] { "format", "stop", "process death", "power cut" }
        select (layout.Name, before));

    public void Dispose()
    {
        _store.Dispose();
        _disk.Dispose();
        _flash.Dispose();
    }

    [Theory]
    [MemberData(nameof(Starts))]
    public void NoStepThatReadsWrites(string layout, string before)
    {
        Live(Layout.Find(layout), before);
        CountingDevice cache = new(_flash), backing = new(_disk);
        List<(string Name, StepKind Kind, long ChangesBefore)> begun = [];
        WriteboostOptions options = Options(Layout.Find(layout));
        options.StepBegins = (name, kind) => begun.Add((name, kind, ChangesOf(cache) + ChangesOf(backing)));
        using (DirectClient client = new(cache, backing, options, _store))
            begun.Add(("serve", StepKind.Writes, ChangesOf(cache) + ChangesOf(backing)));
        Assert.Equal(WriteboostVolume.RecoverySteps.Table.All.Count, begun.Count - 1);
        for (int i = 0; i + 1 < begun.Count; i++)
        {
            if (begun[i].Kind == StepKind.Reads)
                Assert.True(begun[i].ChangesBefore == begun[i + 1].ChangesBefore, $"'{begun[i].Name}' writes");
        }
        Assert.True(begun[^1].ChangesBefore > 0, "no step writes");
    }

    /// <summary>A write that memory alone has lies beyond the end of the device that is given.</summary>
    [Theory]
    [InlineData("lc1")]
    [InlineData("writeboost1")]
    [InlineData("writeboost2")]
    public void WhatMemoryHasIsCheckedBeforeItIsWritten(string layout)
    {
        Live(Layout.Find(layout), "process death");
        byte[] was = new ReadOnlySpan<byte>(_flash.Start, (int)_flash.SizeBytes).ToArray();
        using RamDevice small = new(4 << 20);
        WriteboostOptions options = Options(Layout.Find(layout));
        options.Rebind = true;
        UserErrorException e = Assert.Throws<UserErrorException>(
            () => new DirectClient(_flash, small, options, _store).Dispose());
        Assert.Contains("holds data for", e.Message, StringComparison.Ordinal);
        Assert.True(new ReadOnlySpan<byte>(_flash.Start, was.Length).SequenceEqual(was), "the cache was written to");
    }

    [Fact]
    public void AStepThatWritesIsNotFollowedByOneThatReads() => Assert.ThrowsAny<Exception>(
        static () => new StartSteps<int>(
            new StartStep<int>("write", StepKind.Writes, static _ => { }),
            new StartStep<int>("read", StepKind.Reads, static _ => { })));

    [Fact]
    public void WhatStepsHaveTakenIsGivenBackTheLastFirst()
    {
        StartSteps<List<string>> steps = new(
            new("look", StepKind.Reads, static l => l.Add("look"), Undo: static l => l.Add("undo look")),
            new("make", StepKind.Writes, static l => l.Add("make"), Undo: static l => l.Add("undo make")),
            new("fail", StepKind.Writes, static _ => throw new UserErrorException("no"),
                Undo: static l => l.Add("undo fail")));
        List<string> done = [];
        Assert.Throws<UserErrorException>(() => steps.Run(done, mayWrite: true));
        Assert.Equal(["look", "make", "undo make", "undo look"], done);
        done.Clear();
        steps.Run(done, mayWrite: false);
        Assert.Equal(["look"], done);
    }

    [Fact]
    public void AtTheEndOfALifeAllIsGivenBackTheLastFirst()
    {
        StartSteps<List<string>> steps = new(
            new("look", StepKind.Reads, static l => l.Add("look"), Undo: static l => l.Add("undo look")),
            new("say", StepKind.Reads, static l => l.Add("say")),
            new("make", StepKind.Writes, static l => l.Add("make"), Undo: static l => l.Add("undo make")));
        List<string> done = [];
        steps.Run(done, mayWrite: true);
        steps.Undo(done);
        Assert.Equal(["look", "say", "make", "undo make", "undo look"], done);
    }

    private static long ChangesOf(CountingDevice device) => device.Counts[(int)IoKind.Write]
        + device.Counts[(int)IoKind.WriteZeroes] + device.Counts[(int)IoKind.Discard];

    private static WriteboostOptions Options(Layout layout) => new()
    {
        Layout = layout, AllowWriteback = false, SyncIntervalUs = 0, RamSegments = 8,
    };

    // A life before, and its end. What it wrote last is in memory only.
    private void Live(Layout layout, string end)
    {
        int segment = Math.Clamp(128 << 10, layout.MinSegmentBytes, layout.MaxSegmentBytes);
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, layout, segment, Guid.NewGuid);
        if (end == "format") return;
        CountingDevice cache = new(_flash);
        using (DirectClient client = new(cache, _disk, Options(layout), _store))
        {
            client.Write(0, Data(1));
            client.Flush();
            cache.Hold = end == "stop" ? IoKind.None : IoKind.Write;
            client.Write(8 << 20, Data(2));
            if (end == "stop") client.Stop();
        }
        if (end == "stop") return;
        _store.ProcessDied();
        if (end == "power cut") _store.Empty();
    }

    private static byte[] Data(byte value)
    {
        byte[] data = new byte[Block];
        Array.Fill(data, value);
        return data;
    }
}
