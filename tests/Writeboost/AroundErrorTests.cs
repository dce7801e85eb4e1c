using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Writes that go round the log, and a backing device that refuses them or fails a flush: what it does not take is
/// logged, what it may have lost is said, and neither stops the volume.
/// </summary>
public sealed unsafe class AroundErrorTests : IDisposable
{
    private const int Block = 4096, Enospc = -28, Eio = -5, Large = 64 * Block;

    private readonly RamDevice _flash = new(8 << 20), _disk = new(16 << 20);
    private readonly CountingDevice _backing;
    private readonly List<string> _log = [];
    private readonly WriteboostOptions _options;
    private readonly DirectClient _client;

    public AroundErrorTests()
    {
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _backing = new CountingDevice(_disk);
        _options = new WriteboostOptions { IdleUs = 20_000, SyncIntervalUs = 0, Log = _log.Add };
        _client = new DirectClient(_flash, _backing, _options);
        _backing.Clear();
    }

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
    }

    private VolumeHealth Health => _client.Volume.Health;

    private long AroundBytes => new StatusFigures(_client.Volume)["write_around_bytes"];

    private static byte[] Filled(byte value, int length = Block)
    {
        byte[] data = new byte[length];
        data.AsSpan().Fill(value);
        return data;
    }

    [Theory]
    [InlineData(Enospc, "No space left on device", false, RequestFlags.None)]
    [InlineData(Enospc, "No space left on device", true, RequestFlags.Fua)]
    [InlineData(Eio, "Input/output error", true, RequestFlags.None)]
    [InlineData(Eio, "Input/output error", false, RequestFlags.Fua)]
    public void WhatIsRefusedRoundTheLogIsLogged(int error, string words, bool fetches, RequestFlags flags)
    {
        _options.BypassSequentialWrites = 16;
        _client.FetchesWrites = fetches;
        _client.Write(0, Filled(1, Large));
        Assert.Equal((1, Large), (_backing.Writes, AroundBytes));
        _backing.RefusesWith = error;
        _client.Write(Large, Filled(2, Large));
        _client.Write(2 * Large, Filled(3, Large));
        Assert.Equal(0, _client.Run(RequestKind.Write, 3 * Large, Large, flags: flags));
        Assert.Equal(Large, AroundBytes);
        Assert.Equal(VolumeState.Retrying, Health.State);
        Assert.Contains(words, Health.Reason, StringComparison.Ordinal);
        Assert.Contains("'disk'", Health.Reason, StringComparison.Ordinal);
        for (int i = 0; i < 3; i++) Assert.Equal(Filled((byte)(i + 1), Large), _client.Read(i * Large, Large));
        _client.Flush();
        _backing.RefusesWith = 0;
        _client.Until(() => Health.State == VolumeState.Healthy);
        _client.Until(() => _client.Volume.DirtyBlocks == 0);
        for (int i = 0; i < 3; i++) Assert.Equal((byte)(i + 1), _disk.Start[i * Large]);
        long before = AroundBytes;
        _client.Write(4 * Large, Filled(5, Large));
        Assert.Equal(before + Large, AroundBytes);
        _client.Stop();
    }

    /// <summary>The device is not asked again by every write, and one line says what there is to say.</summary>
    [Fact]
    public void NothingGoesRoundWhileTheDeviceRefuses()
    {
        (_options.WriteAround, _options.AllowWriteback) = (true, false);
        _backing.RefusesWith = Enospc;
        _client.Write(0, Filled(1));
        long tries = _backing.Writes;
        for (int i = 1; i < 100; i++) _client.Write(i * Block, Filled((byte)i));
        Assert.Equal(tries, _backing.Writes);
        Assert.Single(_log, static line => line.StartsWith("volume is retrying", StringComparison.Ordinal));
        Assert.Contains("still refused", _client.Await(() => Carry(_client.Volume.BeginResume())).Failure,
            StringComparison.Ordinal);
        _backing.RefusesWith = 0;
        Assert.Null(_client.Await(() => Carry(_client.Volume.BeginResume())).Failure);
        Assert.Equal(VolumeState.Healthy, Health.State);
        long before = _backing.Writes;
        _client.Write(200 * Block, Filled(7));
        Assert.Equal(before + 1, _backing.Writes);
    }

    [Fact]
    public void WhereTheLogTakesNothingEitherTheClientHearsWhatTheDeviceSaid()
    {
        _options.WriteAround = true;
        _backing.Hold = IoKind.Write;
        _client.Begin(RequestKind.Write, 0, Block, Filled(1));
        _client.Until(() => _backing.HeldCount == 1);
        Assert.Equal(0, AroundBytes);
        Health.Worsen(VolumeState.ReadOnly, "for the test");
        _backing.RefusesWith = Enospc;
        _backing.Release();
        Assert.Equal(Enospc, _client.EndOne());
        Assert.Equal(0, AroundBytes);
    }

    [Fact]
    public void AFailedFlushFailsFlushesUntilSomebodyKnowsAndNothingElse()
    {
        _options.WriteAround = true;
        _client.Write(0, Filled(1));
        _backing.FlushesToFail = 1;
        Assert.Equal(Eio, _client.Run(RequestKind.Flush, 0, 0));
        Assert.Equal((VolumeState.Degraded, 5), (Health.State, (int)Health.State));
        Assert.Contains("'disk'", Health.Reason, StringComparison.Ordinal);
        Assert.Contains("1 write (4 KiB) that went round the log may be lost", Health.Reason, StringComparison.Ordinal);
        // It takes all else, and nothing goes round. What is logged does not depend on it.
        long writes = _backing.Writes;
        _client.Write(Block, Filled(2));
        Assert.Equal(0, _client.Run(RequestKind.Write, 2 * Block, Block, flags: RequestFlags.Fua));
        Assert.Equal(Filled(2), _client.Read(Block, Block));
        Assert.Equal(writes, _backing.Writes);
        for (int i = 0; i < 3; i++) Assert.Equal(Eio, _client.Run(RequestKind.Flush, 0, 0));
        Assert.Contains("may be lost", _client.Await(() => Carry(_client.Volume.BeginFlush())).Failure,
            StringComparison.Ordinal);
        long flushes = _backing.Flushes;
        OrderProgress resumed = _client.Await(() => Carry(_client.Volume.BeginResume()));
        Assert.Null(resumed.Failure);
        Assert.Contains("1 write (4 KiB) that went round the log may be lost", resumed.Said, StringComparison.Ordinal);
        // Believed only because the device has flushed since.
        Assert.True(_backing.Flushes > flushes);
        Assert.Equal(VolumeState.Healthy, Health.State);
        _client.Flush();
        _client.Write(8 << 20, Filled(3));
        _client.Flush();
        Assert.Equal(writes + 1, _backing.Writes);
        _client.Stop();
    }

    [Fact]
    public void WhatStillFailsStaysDegraded()
    {
        _options.WriteAround = true;
        _client.Write(0, Filled(1));
        _backing.FlushesToFail = 1000;
        Assert.Equal(Eio, _client.Run(RequestKind.Flush, 0, 0));
        Assert.Contains("still refused", _client.Await(() => Carry(_client.Volume.BeginResume())).Failure,
            StringComparison.Ordinal);
        Assert.Equal(Eio, _client.Run(RequestKind.Flush, 0, 0));
        Assert.Equal(VolumeState.Degraded, Health.State);
        _client.Write(Block, Filled(2));
        // The log is settled, and yet not all that was acknowledged is kept.
        _client.Stop(Eio);
    }

    /// <summary>A flush that was asked for before somebody knew fails, however late it is answered.</summary>
    [Fact]
    public void WhoAskedBeforeItWasKnownIsTold()
    {
        WritesAround around = new(static () => { });
        ulong[] devices = new ulong[4];
        Assert.True(around.TryEnter(0, 8, out int place));
        around.Leave(place, 1, Block);
        Assert.True(around.TryEnter(8, 16, out place));
        Assert.True(around.TryBeginFlush(devices, out long covers));
        around.EndFlush(covers, failed: true);
        Assert.False(around.TryEnter(16, 24, out _));
        around.Resume();
        // One was under way: it may be lost, and is counted first.
        Assert.True(around.HasFailed);
        around.Leave(place, 1, Block);
        Assert.False(around.HasFailed);
        Assert.True(around.IsLost(1));
        Assert.True(around.IsLost(2));
        Assert.False(around.IsLost(around.Written));
        Assert.True(around.Flushed < around.Written);
        Assert.True(around.TryBeginFlush(devices, out covers));
        Assert.Equal(2UL, devices[0]);
        around.EndFlush(covers, failed: false);
        Assert.Equal(around.Written, around.Flushed);
        Assert.True(around.IsLost(2));
        Assert.False(around.IsLost(0));
    }

    private static OrderProgress Carry(Func<OrderProgress> look)
    {
        OrderProgress at;
        while (!(at = look()).IsOver) System.Threading.Thread.Yield();
        return at;
    }
}
