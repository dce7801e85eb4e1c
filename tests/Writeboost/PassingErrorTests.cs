using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>An error that passes is not the end: what a device refuses is tried again, and said, and heals.</summary>
public sealed unsafe class PassingErrorTests : IDisposable
{
    private const int Block = 4096, Enospc = -28, Eio = -5;

    private readonly RamDevice _flash = new(3 << 20), _disk = new(8 << 20);
    private readonly CountingDevice _cache, _backing;
    private readonly List<string> _log = [];
    private readonly WriteboostOptions _options;
    private DirectClient _client;

    public PassingErrorTests()
    {
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        (_cache, _backing) = (new CountingDevice(_flash), new CountingDevice(_disk));
        _options = new WriteboostOptions { IdleUs = 20_000, RamSegments = 4, Log = _log.Add };
        _client = new DirectClient(_cache, _backing, _options);
    }

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
    }

    private VolumeHealth Health => _client.Volume.Health;

    private static byte[] Filled(byte value)
    {
        byte[] data = new byte[Block];
        data.AsSpan().Fill(value);
        return data;
    }

    private string Pace => new StatusFigures(_client.Volume).TextOf("writeback_pace");

    private byte OnDisk(long at) => _disk.Start[at];

    private void AwaitHealth() => _client.Until(() => Health.State == VolumeState.Healthy && _client.Volume.IsDrained);

    /// <summary>Two may be held up by one and the same device: that is said once.</summary>
    [Fact]
    public void AReasonIsSaidOnce()
    {
        List<string> log = [];
        VolumeHealth health = new(log.Add);
        string reason = $"cache device c: writing the superblock failed{VolumeHealth.TriedAgain}: Input/output error";
        health.Hold(Trouble.Superblock, reason);
        health.Hold(Trouble.Writeback, reason);
        Assert.Equal(reason, health.Reason);
        health.Hold(Trouble.LogWrite, "another");
        health.Pass(Trouble.Superblock);
        Assert.Equal(2, health.Reason.Split("; ").Length);
        health.Pass(Trouble.LogWrite);
        health.Pass(Trouble.Writeback);
        Assert.Equal(VolumeState.Healthy, health.State);
        Assert.EndsWith("writing the superblock failed: Input/output error", log[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Enospc, "No space left on device")]
    [InlineData(Eio, "Input/output error")]
    public void WhatTheBackingDeviceRefusesIsTriedAgain(int error, string words)
    {
        _backing.RefusesWith = error;
        _client.Write(0, Filled(1));
        _client.Run(RequestKind.WriteZeroes, 1 << 20, 1 << 16);
        _client.Until(() => Health.State == VolumeState.Retrying);
        Assert.Contains(words, Health.Reason, StringComparison.Ordinal);
        Assert.Contains("'disk'", Health.Reason, StringComparison.Ordinal);
        // More than one try, and one line. Zeroes that may be a hole go to the device as a discard.
        long tries = _backing.Counts[(int)IoKind.Discard];
        _client.Until(() => _backing.Counts[(int)IoKind.Discard] > tries + 1);
        _client.Write(Block, Filled(2));
        _client.Flush();
        Assert.Equal(Filled(1), _client.Read(0, Block));
        Assert.Equal(Filled(2), _client.Read(Block, Block));
        Assert.Single(_log, static line => line.StartsWith("volume is retrying", StringComparison.Ordinal));
        // Between two tries nothing is written.
        _client.Until(() => Pace == "rest");
        _backing.RefusesWith = 0;
        AwaitHealth();
        string healed =
            Assert.Single(_log, static line => line.StartsWith("volume is healthy again", StringComparison.Ordinal));
        Assert.Contains(words, healed, StringComparison.Ordinal);
        Assert.DoesNotContain("tried again", healed, StringComparison.Ordinal);
        _client.Until(() => Pace == "rest");
        Assert.Equal(2, OnDisk(Block));
        _client.Stop();
    }

    [Fact]
    public void ResumeTriesAtOnce()
    {
        _backing.RefusesWith = Enospc;
        _client.Write(0, Filled(1));
        _client.Until(() => Health.State == VolumeState.Retrying);
        long tries = _backing.Writes;
        // The pauses have grown to some seconds.
        _client.Until(() => _backing.Writes > tries + 2);
        _backing.RefusesWith = 0;
        tries = _backing.Writes;
        _client.Until(() => _client.DeadlineUs != long.MaxValue);
        long dueUs = _client.DeadlineUs;
        _client.Volume.Resume();
        _client.Turn();
        Assert.NotEqual(dueUs, _client.DeadlineUs);
        AwaitHealth();
        Assert.True(_backing.Writes > tries);
    }

    /// <summary>All of the cache can be used, then a writer waits, then it is told; nothing of it is lost.</summary>
    [Fact]
    public void AFullCacheLetsWritersWaitAndThenSaysSo()
    {
        _options.NoSpaceTimeoutUs = 1_500_000;
        _backing.RefusesWith = Enospc;
        int written = 0;
        int result;
        while ((result = _client.Run(RequestKind.Write, (long)written * Block, Block)) == 0) written++;
        Assert.Equal(Enospc, result);
        long slots = _client.Volume.Geometry.SlotCount;
        // Each with a header: it is acknowledged when it is durable.
        Assert.InRange(written, slots * 3 / 8, slots);
        Assert.Equal(VolumeState.Retrying, Health.State);
        // The next one does not wait again; reads and flushes are served.
        Assert.Equal(Enospc, _client.Run(RequestKind.Write, (long)written * Block, Block));
        _client.Flush();
        _client.Read(0, Block);
        _backing.RefusesWith = 0;
        _client.Volume.Resume();
        AwaitHealth();
        Assert.Equal(0, _client.Run(RequestKind.Write, (long)written * Block, Block));
        _client.Stop();
    }

    [Fact]
    public void AStopMeanwhileKeepsWhatIsDirty()
    {
        _backing.RefusesWith = Eio;
        _client.Write(0, Filled(3));
        _client.Until(() => Health.State == VolumeState.Retrying);
        _client.Stop();
        _client.Dispose();
        _backing.RefusesWith = 0;
        _client = new DirectClient(_cache, _backing, _options);
        Assert.Equal(Filled(3), _client.Read(0, Block));
        AwaitHealth();
        Assert.Equal(3, OnDisk(0));
    }

    /// <summary>Records and flushes that the cache device refuses are tried again from RAM.</summary>
    [Fact]
    public void WhatTheCacheDeviceRefusesIsTriedAgain()
    {
        _cache.FlushesToFail = 4;
        _client.Write(0, Filled(4));
        _client.Flush();
        Assert.Equal(0, _cache.FlushesToFail);
        _client.Until(() => Health.State == VolumeState.Healthy);
        _cache.WritesToFail = 4;
        _client.Write(Block, Filled(5));
        _client.Flush();
        _client.Until(() => Health.State == VolumeState.Healthy);
        Assert.Contains(_log, static line => line.Contains("flushing failed", StringComparison.Ordinal));
        Assert.Contains(_log, static line => line.Contains("writing the log failed", StringComparison.Ordinal));
        AwaitHealth();
        _client.Stop();
    }

    [Fact]
    public void ACacheDeviceThatStaysBrokenHasFailedInTheEnd()
    {
        _options.CacheRetryUs = 0;
        _cache.FlushesToFail = int.MaxValue;
        Assert.Equal(Eio, _client.Run(RequestKind.Write, 0, Block));
        Assert.Equal(VolumeState.Failed, Health.State);
    }

    /// <summary>State and reason are one: no reader sees the one without the other.</summary>
    [Fact]
    public void StateAndReasonAreChangedTogether()
    {
        VolumeHealth health = new(static _ => { });
        int wrong = 0;
        bool over = false;
        Thread reader = new(() =>
        {
            while (!Volatile.Read(ref over))
            {
                HealthReport now = health.Now;
                bool fits = now.State == VolumeState.Healthy ? now.Reason == "" : now.Reason.Length > 0;
                if (!fits) Interlocked.Increment(ref wrong);
            }
        });
        reader.Start();
        Thread[] changers = new Thread[3];
        for (int t = 0; t < changers.Length; t++)
        {
            Trouble trouble = (Trouble)t;
            changers[t] = new Thread(() =>
            {
                for (int i = 0; i < 20_000; i++)
                {
                    health.Hold(trouble, "no");
                    health.Pass(trouble);
                }
            });
            changers[t].Start();
        }
        foreach (Thread changer in changers) changer.Join();
        Assert.Equal((VolumeState.Healthy, ""), (health.Now.State, health.Now.Reason));
        health.Worsen(VolumeState.Failed, "gone");
        health.Hold(Trouble.Writeback, "no");
        health.Pass(Trouble.Writeback);
        Assert.Equal((VolumeState.Failed, "gone"), (health.Now.State, health.Now.Reason));
        Volatile.Write(ref over, true);
        reader.Join();
        Assert.Equal(0, wrong);
    }
}
