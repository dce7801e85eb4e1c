using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// The cache device does not give some blocks of what it holds. Clean ones come from the backing device; dirty ones
/// read errors, are named, and are given up, like rotten ones; everything else goes on.
/// </summary>
public sealed unsafe class UnreadableTests : IDisposable
{
    private const int Block = 4096, Blocks = 48, Eio = -5;
    private const long Bad = 3 * Block;

    private readonly RamDevice _flash = new(3 << 20), _disk = new(8 << 20);
    private readonly BadBlocks _cache;
    private readonly List<string> _log = [];
    private readonly WriteboostOptions _options;
    private DirectClient _client;

    public UnreadableTests()
    {
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _cache = new BadBlocks(_flash);
        _options = new WriteboostOptions
        {
            RamSegments = 4, AllowWriteback = false, SyncIntervalUs = 0, CacheRetryUs = 0, Log = _log.Add,
        };
        _client = new DirectClient(_cache, _disk, _options);
        for (int i = 0; i < Blocks; i++) _client.Write(i * Block, Filled(i));
        _client.Flush();
    }

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
    }

    private WriteboostVolume Volume => _client.Volume;

    [Fact]
    public void ADirtyBlockReadsAnErrorAloneAndIsNamedUntilItCanBeRead()
    {
        Spoil();
        Assert.Equal(Eio, _client.Run(RequestKind.Read, Bad, Block));
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 0, 8 * Block));
        CheckOthers();
        Assert.Equal(VolumeState.Healthy, Volume.Health.State);
        Assert.Equal(1, Volume.LostBlockCount);
        Assert.Contains($"disk:{Bad}+{Block}", new StatusFigures(Volume).TextOf("lost_blocks"));
        string line =
            Assert.Single(_log, static line => line.Contains("cannot be read", StringComparison.Ordinal));
        Assert.EndsWith("reads EIO until the cache device gives it, or it is written", line, StringComparison.Ordinal);
        _cache.Offsets.Clear();
        Assert.Equal(Filled(3), _client.Read(Bad, Block));
        Assert.Equal(0, Volume.LostBlockCount);
        Assert.Null(Volume.LostSentence);
    }

    /// <summary>Sector by sector, as one that is rotten.</summary>
    [Fact]
    public void ADirtyBlockCanBeOverwrittenOrGivenUp()
    {
        Spoil();
        Assert.Equal(Eio, _client.Run(RequestKind.Read, Bad, Block));
        _client.Write(Bad, Filled(9).AsSpan(0, 1024));
        Assert.Equal(Filled(9)[..1024], _client.Read(Bad, 1024));
        Assert.Equal($"disk {Bad + 1024} 3072\n", Carry("lost_blocks"));
        string said = _client.Await(() => Volume.GiveUp("all", new Patient()));
        Assert.Contains("gave up 1 block", said, StringComparison.Ordinal);
        Assert.Equal(new byte[3072], _client.Read(Bad + 1024, 3072));
        Assert.Equal(0, Volume.LostBlockCount);
    }

    [Fact]
    public void WriteBackLeavesOutWhatCannotBeReadAndNothingElse()
    {
        Spoil();
        string error = Assert.Throws<UserErrorException>(() => Carry("drain")).Message;
        Assert.Contains($"disk:{Bad}+{Block}", error, StringComparison.Ordinal);
        Assert.Contains("give_up", error, StringComparison.Ordinal);
        for (int i = 0; i < Blocks; i++) Assert.Equal(i == 3 ? 0 : i + 1, _disk.Start[i * Block]);
        Assert.Equal(VolumeState.Healthy, Volume.Health.State);
        Assert.Equal(Eio, _client.Run(RequestKind.Read, Bad, Block));
        _client.Stop();
        Reopen();
        Assert.Equal(Eio, _client.Run(RequestKind.Read, Bad, Block));
        CheckOthers();
        _client.Await(() => Volume.GiveUp($"disk:{Bad}+{Block}", new Patient()));
        Assert.Equal(new byte[Block], _client.Read(Bad, Block));
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
    }

    /// <summary>Its neighbours are looked at all the same, and it heals when the device gives it again.</summary>
    [Fact]
    public void TheScrubberNamesItAndNothingElse()
    {
        Spoil();
        Scrub();
        Assert.Equal(1, Volume.LostBlockCount);
        Assert.Contains($"disk:{Bad}+{Block}", new StatusFigures(Volume).TextOf("lost_blocks"));
        Assert.Single(_log, static line => line.Contains("cannot be read", StringComparison.Ordinal));
        // Those of the segment that has it, at each of two passes.
        Assert.True(new StatusFigures(Volume)["scrub_blocks"] >= 2 * 30);
        _cache.Offsets.Clear();
        Scrub();
        Assert.Equal(0, Volume.LostBlockCount);
        _cache.RefusesAll = true;
        long errors = new StatusFigures(Volume)["scrub_errors"];
        Scrub();
        Assert.True(new StatusFigures(Volume)["scrub_errors"] > errors);
        Assert.Equal(0, Volume.LostBlockCount);
    }

    /// <summary>It does not ask a device that gives nothing for every block, and says nothing of the others.</summary>
    [Fact]
    public void TheScrubberNamesOnlyWhatItHasAskedFor()
    {
        const int dirty = 200;
        using RamDevice flash = new(9 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 1 << 20, Guid.NewGuid);
        BadBlocks cache = new(flash);
        using DirectClient client = new(cache, _disk, _options);
        for (int i = 0; i < 2 * dirty; i++) client.Write(i * Block, Filled(i % 100));
        client.Flush();
        Geometry geometry = client.Volume.Geometry;
        for (int slot = 20; slot < 100; slot++) cache.Offsets.Add(geometry.OffsetOf(geometry.Position(1, slot)));
        long passes = new StatusFigures(client.Volume)["scrub_passes"];
        _options.ScrubIntervalUs = 10_000;
        client.Until(() => new StatusFigures(client.Volume)["scrub_passes"] >= passes + 2);
        _options.ScrubIntervalUs = 0;
        Assert.InRange(client.Volume.LostBlockCount, 1, 80);
        cache.Offsets.Clear();
        for (int i = 0; i < 2 * dirty; i++) Assert.Equal(Filled(i % 100), client.Read(i * Block, Block));
        Assert.Equal(0, client.Volume.LostBlockCount);
    }

    // Twice: a pass may be under way.
    private void Scrub()
    {
        long passes = new StatusFigures(Volume)["scrub_passes"];
        _options.ScrubIntervalUs = 10_000;
        _client.Until(() => new StatusFigures(Volume)["scrub_passes"] >= passes + 2);
        _options.ScrubIntervalUs = 0;
    }

    /// <summary>Found by seed 4011 of the simulation: the discard was left out with the block.</summary>
    [Fact]
    public void ADiscardBesideWhatCannotBeReadIsCarriedOut()
    {
        const long at = 6 << 20;
        _disk.Start[at] = 7;
        Assert.Equal(0, _client.Run(RequestKind.Discard, at, 64 * Block));
        // In the same segment.
        _client.Write(Bad, Filled(99));
        _client.Flush();
        Spoil(99);
        Assert.Throws<UserErrorException>(() => Carry("drain"));
        Assert.Equal(0, _disk.Start[at]);
    }

    /// <summary>As long as the cache device is tried for writes: what it gives in the end is written back.</summary>
    [Fact]
    public void AnErrorThatPassesLosesNothing()
    {
        _options.CacheRetryUs = 1_000_000_000;
        Spoil();
        Volume.Drain();
        _client.Until(() => Volume.Health.State == VolumeState.Retrying || Volume.IsDrained);
        Assert.Contains($"disk:{Bad}+{Block}", Volume.Health.Reason, StringComparison.Ordinal);
        Assert.Contains("Input/output error", Volume.Health.Reason, StringComparison.Ordinal);
        _cache.Offsets.Clear();
        Volume.Resume();
        _client.Until(() => Volume.Health.State == VolumeState.Healthy && Volume.IsDrained);
        Assert.Equal(Filled(3), new Span<byte>(_disk.Start + Bad, Block).ToArray());
        Assert.Equal(0, Volume.LostBlockCount);
    }

    /// <summary>A device that gives nothing is not one with bad blocks: nothing of it is given up.</summary>
    [Fact]
    public void ADeviceThatDoesNotAnswerLosesNothing()
    {
        _cache.RefusesAll = true;
        Volume.Drain();
        _client.Until(() => Volume.Health.State == VolumeState.Retrying);
        for (int i = 0; i < 5; i++)
        {
            Volume.Resume();
            Assert.False(_client.HasEnded(20_000));
        }
        _cache.RefusesAll = false;
        Volume.Resume();
        _client.Until(() => Volume.IsDrained);
        Assert.Equal(0, Volume.LostBlockCount);
        for (int i = 0; i < Blocks; i++) Assert.Equal(i + 1, _disk.Start[i * Block]);
    }

    [Fact]
    public void ACleanBlockComesFromTheBackingDevice()
    {
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
        Spoil();
        Assert.Equal(Filled(3), _client.Read(Bad, Block));
        byte[] all = _client.Read(0, 8 * Block);
        for (int i = 0; i < 8; i++) Assert.Equal(i + 1, all[i * Block]);
        Assert.Equal(0, Volume.LostBlockCount);
        Assert.Equal(1, new StatusFigures(Volume)["rotten_clean"]);
    }

    [Fact]
    public void ACheckNamesItAndAStartServesTheRest()
    {
        Spoil();
        _client.Stop();
        CheckItems items = new();
        using (RingContext io = new())
        {
            Superblock superblock = SuperblockReader.Read(
                Layout.Native, new BlockingIo(io), _cache.OpenQueue(io), _cache, out _, out _);
            using OfflineCache cache = new(io, _cache, Layout.Native, superblock) { ReadsPastErrors = true };
            using Checker checker = new(cache, items);
            Assert.True(checker.Run(new PrivateMemoryStore()) > 0);
        }
        Assert.Contains(items.Texts, static text => text.Contains("cannot be read: it reads EIO"));
        Assert.Contains(items.Texts, static text => text.Contains($"disk:{Bad}+{Block}"));
        Reopen();
        Assert.Equal(Eio, _client.Run(RequestKind.Read, Bad, Block));
        CheckOthers();
    }

    /// <summary>An orderly stop has said where the log ends: what lies behind that is nobody's.</summary>
    [Fact]
    public void ABadPlaceBehindTheLogsEndRefusesNoStartAfterAStop()
    {
        _client.Write(Blocks * Block, Filled(Blocks));
        _client.Stop();
        Geometry geometry = Volume.Geometry;
        long end = Volume.Superblock.SettledPosition;
        Assert.NotEqual(0, geometry.SlotOf(end));
        for (int slot = geometry.SlotOf(end); slot < geometry.SlotsPerSegment; slot++)
            _cache.Offsets.Add(geometry.OffsetOf(geometry.Position(geometry.SegmentOf(end), slot)));
        Reopen();
        for (int i = 0; i <= Blocks; i++) Assert.Equal(Filled(i), _client.Read(i * Block, Block));
        _client.Write(Bad, Filled(70));
        _client.Flush();
        Assert.Equal(Filled(70), _client.Read(Bad, Block));
    }

    [Fact]
    public void WhatIsGivenUpAtOnceIsMissed()
    {
        Mutant.Active = WriteboostMutant.R11UnreadLost;
        try
        {
            _options.CacheRetryUs = 1_000_000_000;
            Spoil();
            Volume.Drain();
            _client.Until(() => Volume.LostBlockCount == 1);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private string Carry(string name) => _client.Await(
        () => VolumeCommand.Find(WriteboostCommands.Of(Volume), name).Run(new Patient()));

    private void CheckOthers()
    {
        for (int i = 0; i < Blocks; i++)
            if (i != 3) Assert.Equal(Filled(i), _client.Read(i * Block, Block));
    }

    private void Reopen()
    {
        _client.Dispose();
        _client = new DirectClient(_cache, _disk, _options);
    }

    // Where the log has the block.
    private void Spoil(int content = 3)
    {
        for (long at = 1 << 20; at < _flash.SizeBytes; at += Block)
            if (new ReadOnlySpan<byte>(_flash.Start + at, Block).SequenceEqual(Filled(content))) _cache.Offsets.Add(at);
        Assert.Single(_cache.Offsets);
    }

    private static byte[] Filled(int block)
    {
        byte[] data = new byte[Block];
        Array.Fill(data, (byte)(block + 1));
        return data;
    }
}
