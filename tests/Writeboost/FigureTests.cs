using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Frontends.Status;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>What a volume says of itself is so, in every state.</summary>
public sealed class FigureTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _disk = new(16 << 20), _flash = new(8 << 20);
    private readonly CountingDevice _backing, _cache;

    public FigureTests() => (_backing, _cache) = (new CountingDevice(_disk), new CountingDevice(_flash));

    public void Dispose()
    {
        _flash.Dispose();
        _disk.Dispose();
    }

    private DirectClient Open(WriteboostOptions options, string layout = "native", IRamStore? memory = null)
    {
        options.Layout = Layout.Find(layout);
        (options.AllowWriteback, options.SyncIntervalUs) = (false, 0);
        options.Fallback = static device => new PassthroughVolume(device);
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, options.Layout, options.Layout.DefaultSegmentBytes, Guid.NewGuid);
        return new DirectClient(_cache, new NotedDevice(_backing), options, memory ?? new PrivateMemory());
    }

    [Fact]
    public void RangesThatAreWrittenBackAreNotDirty()
    {
        using DirectClient client = Open(new WriteboostOptions());
        client.Run(RequestKind.WriteZeroes, 0, 1 << 20);
        client.Run(RequestKind.Discard, 2 << 20, 1 << 20);
        Assert.Equal(2, new StatusFigures(client.Volume)["dirty_ranges"]);
        client.DrainAll();
        StatusFigures after = new(client.Volume);
        Assert.Equal((0, 2), (after["dirty_ranges"], after["ranges_in_log"]));
        client.Volume.DropCaches();
        client.Until(() => !client.Volume.IsDropping);
        client.Until(() => new StatusFigures(client.Volume)["ranges_in_log"] == 0);
    }

    /// <summary>The cache device fails, RAM has all of it, and the backing device gets it.</summary>
    [Fact]
    public void NothingIsDirtyWithoutACache()
    {
        using DirectClient client = Open(new WriteboostOptions { CacheRetryUs = 0 });
        for (int i = 0; i < 32; i++) client.Write(i * Block, new byte[Block]);
        Assert.Equal(32, new StatusFigures(client.Volume)["dirty_blocks"]);
        _cache.WritesLeft = 0;
        client.Run(RequestKind.Flush, 0, 0);
        client.Until(() => client.Volume.Health.State == VolumeState.PassThrough);
        StatusFigures figures = new(client.Volume);
        Assert.Equal((0, 0), (figures["dirty_blocks"], figures["dirty_ranges"]));
        HealthNote note = new();
        client.Volume.Report(note);
        Assert.StartsWith("the volume was pass-through: cache device: ", note.Lines.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("dirty", note.Lines.Single(), StringComparison.Ordinal);
        OrderProgress drain = client.Volume.BeginDrain()();
        Assert.Equal((true, null), (drain.IsOver, drain.Failure));
        Assert.Equal("", VolumeCommand.Find(WriteboostCommands.Of(client.Volume), "dirty_ranges").Answer!());
    }

    /// <summary>Orders say what is true then: what there is to be flushed are the backing devices.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void WithoutACacheOrdersSayWhatIsTrue(string layout)
    {
        List<string> lines = [];
        using DirectClient client = Open(
            new WriteboostOptions { Log = lines.Add, CacheRetryUs = 0 }, layout, new DeletedMemory());
        for (int i = 0; i < 32; i++) client.Write(i * Block, new byte[Block]);
        Func<OrderProgress> before = client.Volume.BeginFlush();
        _cache.WritesLeft = 0;
        client.Until(() => client.Volume.Health.State == VolumeState.PassThrough);
        client.Until(() => before().IsOver);
        Assert.Null(before().Failure);
        client.Write(0, new byte[Block]);
        long flushes = _backing.Flushes;
        const string done = "done, the cache device has failed, and all that was acknowledged is durable on the "
            + "backing devices";
        Assert.Equal($"flush_current_buffer: {done}\n", Carry(client, "flush_current_buffer"));
        Assert.Equal(flushes + 1, _backing.Flushes);
        Assert.Equal("drain: done, nothing was dirty\n", Carry(client, "drain"));
        Assert.Equal("drop_caches: done, nothing was dirty\n", Carry(client, "drop_caches"));
        _backing.FlushesToFail = 1;
        string error = Assert.Throws<UserErrorException>(() => Carry(client, "flush_current_buffer")).Message;
        Assert.Contains("a flush failed at ", error, StringComparison.Ordinal);
        Assert.Contains("may be lost", error, StringComparison.Ordinal);
        Assert.Contains("may be lost", client.Volume.BeginResume()().Said, StringComparison.Ordinal);
        Assert.Equal($"flush_current_buffer: {done}\n", Carry(client, "flush_current_buffer"));
        // Weir itself has removed the memory, which nobody needs any more.
        long endUs = client.Io.NowUs + 600_000;
        client.Until(() => client.Io.NowUs > endUs);
        Assert.DoesNotContain(lines, static line => line.Contains("memory", StringComparison.Ordinal));
    }

    private static string Carry(DirectClient client, string name) => client.Await(
        () => VolumeCommand.Find(WriteboostCommands.Of(client.Volume), name).Run(new Patient()));

    /// <summary>As of the engine passthrough: beside a cache, and once there is none.</summary>
    [Fact]
    public void FlushesWithoutTheCacheAreResumedToo()
    {
        using RamDevice plain = new(1 << 20);
        using PassthroughVolume beside = new(plain, "plain");
        WriteboostOptions options = new() { Uncached = [(beside, plain)], CacheRetryUs = 0 };
        using DirectClient client = Open(options);
        beside.FailFlushes(-5);
        CheckResumed(client, () => beside.FlushLoss);
        client.Write(0, new byte[Block]);
        _cache.WritesLeft = 0;
        client.Run(RequestKind.Flush, 0, 0);
        client.Until(() => client.Volume.Health.State == VolumeState.PassThrough);
        _backing.FlushesToFail = 1;
        Assert.Equal(-5, client.Run(RequestKind.Flush, 0, 0));
        Assert.Equal(-5, client.Run(RequestKind.Flush, 0, 0));
        CheckResumed(client, static () => null);
        client.Flush();
        Assert.Throws<UserErrorException>(client.Volume.BeginResume);
    }

    private static void CheckResumed(DirectClient client, Func<string?> loss)
    {
        string said = new StatusFigures(client.Volume).TextOf("flushes_without_cache");
        Assert.Contains("may be lost, and flushes fail until 'weir message resume'", said, StringComparison.Ordinal);
        HealthNote note = new();
        client.Volume.Report(note);
        Assert.Contains(said, note.Lines);
        Assert.Contains("may be lost", client.Volume.BeginResume()().Said, StringComparison.Ordinal);
        Assert.Null(loss());
        Assert.False(new StatusFigures(client.Volume).HasText("flushes_without_cache"));
    }

    [Fact]
    public void WhatStaysInTheCacheIsSaidOnceTheVolumeHasStopped()
    {
        using DirectClient client = Open(new WriteboostOptions());
        client.Write(0, new byte[Block]);
        client.Run(RequestKind.Discard, 2 << 20, 1 << 20);
        HealthNote healthy = new();
        client.Volume.Report(healthy);
        Assert.Empty(healthy.Lines);
        client.Volume.Health.Worsen(VolumeState.ReadOnly, "for a test");
        HealthNote note = new();
        client.Volume.Report(note);
        Assert.Equal("the volume was read-only: for a test; 1 dirty block and 1 discarded or zeroed ranges stay on the "
            + "cache device", note.Lines.Single());
    }

    [Fact]
    public void AVolumeWithoutACacheHasTheSameStates()
    {
        using PassthroughVolume volume = new(new KeptDevice(_disk));
        using PassthroughVolume frozen = new(new KeptDevice(_disk), "", readOnly: true);
        foreach (PassthroughVolume one in new[] { volume, frozen })
        {
            StatusFigures figures = new(one);
            Assert.Equal(("healthy", 0), (figures.TextOf("state"), figures["state_number"]));
            HealthNote note = new();
            one.Report(note);
            Assert.Empty(note.Lines);
        }
        volume.FailFlushes(-5);
        HealthNote failed = new();
        volume.Report(failed);
        Assert.Matches(
            "^the volume was degraded: backing device .*: a flush failed at [0-9-]+ [0-9:]+Z: Input/output error "
            + "\\(EIO\\); what was written since the last flush that succeeded may be lost, and flushes fail until "
            + "'weir message resume'$", failed.Lines.Single());
    }

    /// <summary>An option that the layout does not heed is refused, and leaves everything as it was.</summary>
    [Theory]
    [InlineData("write_around_mode", "1")]
    [InlineData("bypass_sequential_writes", "16")]
    public void OptionsThatALayoutDoesNotHeedAreRefused(string key, string value)
    {
        foreach (string layout in new[] { "writeboost2", "writeboost1", "lc1" })
        {
            WriteboostOptions options = new() { Layout = Layout.Find(layout) };
            Tunable tunable = Tunable.Find(WriteboostTunables.Of(options), key);
            UserErrorException error = Assert.Throws<UserErrorException>(() => tunable.Set(value, atStart: false));
            Assert.Equal(2, error.ExitCode);
            Assert.Contains(layout, error.Message, StringComparison.Ordinal);
            Assert.Equal(0, tunable.Read());
            tunable.Set("0", atStart: false);
        }
        WriteboostOptions native = new();
        Tunable.Find(WriteboostTunables.Of(native), key).Set(value, atStart: false);
        native.Layout = Layout.Find("writeboost2");
        Assert.Throws<UserErrorException>(native.CheckLayout);
    }

    // One beside which a note can be left.
    private sealed class NotedDevice(Device inner) : WrappedDevice(inner)
    {
        public override int LeaveNote(string name, string text) => 0;
    }

    [Fact]
    public void ADevicesOwnValueIsAnswered()
    {
        using DirectClient client = Open(new WriteboostOptions());
        List<Tunable> all = WriteboostTunables.Of(client.Volume.Options);
        Tunable tunable = Tunable.Find(all, "MIGRATE_threshold");
        Assert.Equal("disk=30", tunable.Set("disk=30", atStart: false));
        Assert.Equal("70", tunable.Show(tunable.Read()));
        Assert.Equal(30, client.Volume.Backings.ToList().Single().WritebackThreshold);
    }

    /// <summary>Memory that is seen to be gone once it is deleted, whoever has done it.</summary>
    private sealed class DeletedMemory : IRamStore
    {
        private readonly PrivateMemoryStore _store = new();
        private bool _isDeleted;

        public string BootId => _store.BootId;

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) => [];

        public IRamRegion Create(string name, long sizeBytes)
        {
            _isDeleted = false;
            return new Region(this, _store.Create(name, sizeBytes));
        }

        public void Delete(string name) => _isDeleted = true;

        private sealed unsafe class Region(DeletedMemory memory, IRamRegion inner) : IRamRegion
        {
            public byte* Pointer => inner.Pointer;

            public long SizeBytes => inner.SizeBytes;

            public bool CanVanish => true;

            public string? FindLoss() => memory._isDeleted ? "was removed" : null;

            public void Dispose() => inner.Dispose();
        }
    }
}
