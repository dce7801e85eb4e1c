using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Volumes;

/// <summary>Who does background work in which state, whose deadline counts, and how a volume stops.</summary>
public sealed class BackgroundTasksTests
{
    private readonly VolumeHealth _health = new(static _ => { });
    private readonly List<string> _said = [];

    [Theory]
    [InlineData((int)BackgroundState.Serving)]
    [InlineData((int)BackgroundState.Stopping)]
    [InlineData((int)BackgroundState.Failed)]
    [InlineData((int)BackgroundState.ReadOnly)]
    public void EachStateAsksItsOwnAndNobodyElsesDeadlineCounts(int number)
    {
        BackgroundState state = (BackgroundState)number;
        BackgroundState[] states = Enum.GetValues<BackgroundState>();
        BackgroundTask[] tasks =
            [.. states.Select((own, i) => new BackgroundTask($"{own}", own, new Said(_said, own, i)))];
        BackgroundTasks background = New(tasks, state);
        background.Poll(7);
        string[] asked = [.. states.Where(own => (own & state) != 0).Select(static own => $"{own}")];
        Assert.Equal(asked, _said);
        Assert.Equal(Array.FindIndex(states, own => (own & state) != 0), background.DeadlineUs);
    }

    /// <summary>The bug that the table forbids: who is not asked any more keeps the thread awake.</summary>
    [Fact]
    public void WhoIsNotAskedAnyMoreLetsTheThreadSleep()
    {
        BackgroundTasks background = New([new("a", BackgroundState.Serving, new Said(_said, default, 0))]);
        Assert.Equal(0, background.DeadlineUs);
        background.BeginStop();
        Assert.Equal(long.MaxValue, background.DeadlineUs);
    }

    [Fact]
    public void AStopGoesStepByStepAndEndsWithItsResult()
    {
        bool isReady = false;
        BackgroundTasks background = New([], BackgroundState.Serving,
            Step("first", () => true, StopStatus.Running), Step("second", () => isReady, StopStatus.Running),
            Step("third", () => true, StopStatus.Failed(-5)));
        background.Poll(0);
        Assert.Empty(_said);
        background.BeginStop();
        background.Poll(0);
        Assert.Equal(["first"], _said);
        Assert.Equal("second", background.Awaited);
        Assert.Equal(StopStatus.Running, background.StopStatus);
        isReady = true;
        background.Poll(0);
        background.Poll(0);
        Assert.Equal(["first", "second", "third"], _said);
        Assert.Equal(StopStatus.Failed(-5), background.StopStatus);
        Assert.Null(background.Awaited);
    }

    /// <summary>What the cache device would have been told is not said any more.</summary>
    [Fact]
    public void ACacheThatFailsInTheMidstOfAStopLeavesTheOtherTable()
    {
        bool isReady = false;
        BackgroundTasks background = New([], BackgroundState.Serving,
            Step("first", () => true, StopStatus.Running), Step("second", () => isReady, StopStatus.Stopped));
        background.BeginStop();
        background.Poll(0);
        isReady = true;
        _health.Worsen(VolumeState.Failed, "the device is gone");
        background.Poll(0);
        Assert.Equal(["first", "failed"], _said);
        Assert.Equal(StopStatus.Failed(-3), background.StopStatus);
    }

    /// <summary>The whole table of the engine: a line changes only with a reason.</summary>
    [Fact]
    public void WriteboostsTable()
    {
        using Devices devices = new();
        using DirectClient client = devices.Open();
        StringBuilder text = new();
        foreach (BackgroundTask task in client.Background.Tasks)
            text.Append($"{task.Name}: {task.In}\n");
        Assert.Equal("""
            superblock: Writing
            memory: Writing
            sync interval: Working
            ordered flushes: Working
            ordered superblocks: Serving
            growth: Writing
            reclaim: Working
            write-back: Writing
            devices: Writing
            writers' pace: Working
            full cache: Working
            scrub: Serving
            rescue: Failed
            ordered flushes without a cache: Failed

            """, text.ToString());
        client.Stop();
    }

    /// <summary>A volume that is served read-only has warm segments that nobody will ever free.</summary>
    [Fact]
    public void AReadOnlyVolumeSleeps()
    {
        using Devices devices = new();
        using (DirectClient client = devices.Open())
        {
            for (int i = 0; i < 70; i++) client.Write((i % 32) << 16, new byte[1 << 16]);
            long end = client.Volume.Drain();
            client.Until(() => client.Volume.IsWrittenBack(end));
            client.Stop();
        }
        using DirectClient reader = devices.Open(ramSegments: 8, readOnly: true);
        Assert.True(reader.Volume.Log.TailSegment < reader.Volume.Log.DirtySegment, "nothing is warm");
        Assert.True(reader.Volume.Log.FreeSegments < 4, "there is room");
        reader.Read(0, 4096);
        Assert.Equal(long.MaxValue, reader.DeadlineUs);
    }

    private BackgroundTasks New(BackgroundTask[] tasks, BackgroundState state = BackgroundState.Serving,
        params StopStep[] steps)
    {
        BackgroundTasks background = new(_health, state == BackgroundState.ReadOnly, tasks, new()
        {
            [BackgroundState.Stopping] = [.. steps, Step("never", static () => false, StopStatus.Stopped)],
            [BackgroundState.Failed] = [Step("failed", static () => true, StopStatus.Failed(-3))],
            [BackgroundState.ReadOnly] = [Step("read-only", static () => true, StopStatus.Stopped)],
        });
        if (state == BackgroundState.Stopping) background.BeginStop();
        if (state == BackgroundState.Failed) _health.Worsen(VolumeState.Failed, "the device is gone");
        return background;
    }

    private StopStep Step(string name, Func<bool> isReady, StopStatus result) => new(name, isReady, () =>
    {
        _said.Add(name);
        return result;
    });

    private sealed class Said(List<string> said, BackgroundState name, long deadlineUs) : IBackgroundTask
    {
        public long DeadlineUs => deadlineUs;

        public void Poll(long nowUs, BackgroundState state) => said.Add($"{name}");
    }

    private sealed class Devices : IDisposable
    {
        private readonly RamDevice _flash = new((1 << 20) + (32 * (128 << 10))), _disk = new(4 << 20);

        public Devices()
        {
            using RingContext io = new();
            WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        }

        public DirectClient Open(int ramSegments = 2, bool readOnly = false) => new(
            new KeptDevice(_flash), new KeptDevice(_disk),
            new WriteboostOptions { RamSegments = ramSegments, ReadOnly = readOnly });

        public void Dispose()
        {
            _flash.Dispose();
            _disk.Dispose();
        }
    }
}
