using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// What a read costs, in device operations, and where its bytes come from: the weak spots W4, W5, W6 and W10 of the
/// kernel's ancestors, the read cache, and what goes round the log.
/// </summary>
public sealed class ReadPathTests : IDisposable
{
    private const int Block = 4096, Large = 1 << 20;
    private readonly RamDevice _disk = new(16 << 20);
    private readonly RamDevice _flash = new(8 << 20);
    private readonly CountingDevice _backing;
    private readonly CountingDevice _cache;
    private readonly WriteboostOptions _options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
    private DirectClient? _client;

    public ReadPathTests()
    {
        _backing = new CountingDevice(_disk);
        _cache = new CountingDevice(_flash);
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
    }

    [Fact]
    public void ALargeReadIsOneOperation()
    {
        Open();
        Assert.Equal(new byte[Large], Client.Read(Large, Large));
        Assert.Equal((1, 0), (_backing.Reads, _cache.Reads));
    }

    [Fact]
    public void ALargeReadGoesOverTheFewBlocksThatAreLogged()
    {
        Open();
        byte[] expected = new byte[Large];
        foreach (int at in new[] { 40 * Block, 41 * Block, 100 * Block + 512, 255 * Block })
        {
            byte[] data = Filled(at == 100 * Block + 512 ? 1024 : Block, (byte)(at >> 12));
            data.CopyTo(expected, at);
            Client.Write(Large + at, data);
        }
        Assert.Equal(expected, Client.Read(Large, Large));
        Assert.Equal(1, _backing.Reads);
        FillLog();
        _backing.Clear();
        Assert.Equal(expected, Client.Read(Large, Large));
        Assert.Equal((1, 4), (_backing.Reads, _cache.Reads));
        Assert.Equal(0, _backing.Writes);
    }

    [Fact]
    public void APartlyDirtyBlockIsMergedInMemory()
    {
        Open();
        Client.Write(512, Filled(512, 7));
        FillLog();
        byte[] expected = new byte[Block];
        Filled(512, 7).CopyTo(expected, 512);
        Assert.Equal(expected, Client.Read(0, Block));
        Assert.Equal((1, 1), (_backing.Reads, _cache.Reads));
        Assert.Equal(0, _backing.Writes);
    }

    [Fact]
    public void ABlockInRamIsServedFromThere()
    {
        Open();
        Client.Write(0, Filled(Block, 1));
        Assert.Equal(Filled(Block, 1), Client.Read(0, Block));
        Assert.Equal((0, 0, 0), (_backing.Reads, _cache.Reads, _backing.Writes));
    }

    [Fact]
    public void OverwritingAPartlyDirtyBlockTouchesNoDevice()
    {
        Open();
        Client.Write(0, Filled(512, 1));
        FillLog();
        _cache.Clear();
        Client.Write(1024, Filled(512, 2));
        Client.Write(0, Filled(Block, 3));
        Assert.Equal((0, 0, 0), (_backing.Reads, _backing.Writes, _cache.Reads));
    }

    [Fact]
    public void AShortReadIsKeptAndServedWithoutTheBackingDevice()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, 8 * Block, 5);
        Open();
        Assert.Equal(Filled(8 * Block, 5), Client.Read(0, 8 * Block));
        Assert.Equal(Filled(8 * Block, 5), Client.Read(0, 8 * Block));
        Assert.Equal(Filled(512, 5), Client.Read(3 * Block, 512));
        Assert.Equal(1, _backing.Reads);
        Assert.Equal((8, 0), (Figures["blocks_staged"], Figures["dirty_blocks"]));
    }

    [Fact]
    public void WhatWasKeptIsNeverServedAfterAChange()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, 4 * Block, 5);
        Open();
        Client.Read(0, 4 * Block);
        Client.Write(0, Filled(Block, 6));
        Client.Write(Block + 512, Filled(512, 7));
        Assert.Equal(0, Client.Run(RequestKind.Discard, 2 * Block, 2 * Block));
        byte[] expected = new byte[4 * Block];
        Filled(Block, 6).CopyTo(expected, 0);
        Filled(Block, 5).CopyTo(expected, Block);
        Filled(512, 7).CopyTo(expected, Block + 512);
        Assert.Equal(expected, Client.Read(0, 4 * Block));
        Client.DrainAll();
        Assert.Equal(expected, Client.Read(0, 4 * Block));
    }

    [Fact]
    public void LongReadsAndStreamsPassBy()
    {
        _options.ReadCacheThreshold = 8;
        Open();
        Client.Read(0, 9 * Block);
        for (int i = 0; i < 64; i++) Client.Read(Large + (i * Block), Block);
        Assert.Equal(8, Figures["blocks_staged"]);
        Assert.Equal((9 + 56) * Block, Figures["sequential_read_bytes"]);
    }

    [Fact]
    public void ReadsForceNoFlushAndLeaveWritersTheirRoom()
    {
        _options.ReadCacheThreshold = 8;
        _options.RamSegments = 4;
        Open();
        long flushes = _cache.Flushes;
        for (int i = 0; i < 1000; i++) Client.Read(i * 997 % 4000 * (long)Block, Block);
        Assert.Equal(flushes, _cache.Flushes);
        Assert.True(Figures["blocks_not_staged"] > 0);
        for (int i = 0; i < 40; i++) Client.Write(i * Block, Filled(Block, (byte)i));
    }

    [Fact]
    public void CleanBlocksStayWarmOverAStopAndNotOverACrash()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, Block, 5);
        Open();
        Client.Read(0, Block);
        Client.Stop();
        Open();
        _backing.Clear();
        Assert.Equal(Filled(Block, 5), Client.Read(0, Block));
        Assert.Equal(0, _backing.Reads);
        Client.Flush();
        Open();
        Assert.Equal(Filled(Block, 5), Client.Read(0, Block));
        Assert.Equal(1, _backing.Reads);
    }

    [Fact]
    public void AWriteRoundTheLogIsOneOperationAndNothingStaleComesBack()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, 4 * Block, 5);
        Open();
        Client.Read(0, 4 * Block);
        _options.WriteAround = true;
        Client.Write(Block, Filled(64 * Block, 6));
        Assert.Equal((1, 0), (_backing.Writes, Figures["dirty_blocks"]));
        Assert.Equal(Filled(4 * Block, 6), Client.Read(Block, 4 * Block));
        Client.Stop();
        _options.WriteAround = false;
        Open();
        Assert.Equal(Filled(4 * Block, 6), Client.Read(Block, 4 * Block));
    }

    [Fact]
    public void AFlushAfterAWriteRoundTheLogFlushesTheBackingDeviceOnce()
    {
        _options.WriteAround = true;
        Open();
        _backing.Clear();
        Client.Write(0, Filled(Block, 1));
        Assert.Equal(0, _backing.Flushes);
        Client.Flush();
        Client.Flush();
        Assert.Equal(1, _backing.Flushes);
        Assert.Equal(0, Client.Run(RequestKind.Write, 0, Block, flags: RequestFlags.Fua));
        Assert.Equal(2, _backing.Flushes);
    }

    [Fact]
    public void WhereTheLogHoldsNewerDataAWriteIsLogged()
    {
        Open();
        Client.Write(2 * Block, Filled(512, 1));
        _options.WriteAround = true;
        Client.Write(0, Filled(4 * Block, 2));
        Assert.Equal(0, _backing.Writes);
        Assert.Equal(Filled(4 * Block, 2), Client.Read(0, 4 * Block));
        Client.DrainAll();
        _backing.Clear();
        Client.Write(0, Filled(4 * Block, 3));
        Assert.Equal(1, _backing.Writes);
    }

    [Fact]
    public void OnlyLongStreamsOfWritesGoRound()
    {
        _options.BypassSequentialWrites = 16;
        Open();
        for (int i = 0; i < 32; i++) Client.Write(i * 4L * Block, Filled(4 * Block, (byte)i));
        Assert.Equal(28, _backing.Writes);
        for (int i = 0; i < 32; i++) Assert.Equal(Filled(Block, (byte)i), Client.Read(i * 4L * Block, Block));
        Assert.Contains("not of writes that go round", Figures.TextOf("write_order"), StringComparison.Ordinal);
    }

    [Fact]
    public void AChangeWaitsForTheWriteThatGoesRoundOfTheSameBlock()
    {
        _options.WriteAround = true;
        Open();
        _backing.Hold = IoKind.Write;
        Client.Begin(RequestKind.Write, 0, 4 * Block, Filled(4 * Block, 1));
        Assert.Equal(1, _backing.HeldCount);
        _options.WriteAround = false;
        Client.Begin(RequestKind.Write, Block, Block, Filled(Block, 2));
        Client.Begin(RequestKind.Discard, 2 * Block, 2 * Block, []);
        Assert.False(Client.HasEnded(20_000));
        Assert.Equal(0, Figures["dirty_blocks"]);
        _backing.Release();
        Client.EndAll();
        byte[] expected = new byte[4 * Block];
        Filled(Block, 1).CopyTo(expected, 0);
        Filled(Block, 2).CopyTo(expected, Block);
        Assert.Equal(expected, Client.Read(0, 4 * Block));
    }

    [Fact]
    public void ACleanBlockThatTheCacheDoesNotGiveComesFromTheBackingDevice()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, 8 * Block, 5);
        Open();
        Client.Read(0, 8 * Block);
        Client.Write(16 * Block, Filled(Block, 6));
        FillLog();
        _cache.FailsReads = true;
        Assert.Equal(Filled(8 * Block, 5), Client.Read(0, 8 * Block));
        Assert.Equal(-5, Client.Run(RequestKind.Read, 16 * Block, Block));
        Assert.Equal(VolumeState.Healthy, Client.Volume.Health.State);
        _cache.FailsReads = false;
        Assert.Equal(Filled(Block, 6), Client.Read(16 * Block, Block));
    }

    [Fact]
    public void ARottenCleanBlockComesFromTheBackingDevice()
    {
        (_options.ReadCacheThreshold, _options.VerifyReads) = (8, true);
        Fill(0, 8 * Block, 5);
        Open();
        Client.Read(0, 8 * Block);
        FillLog();
        Rot(5);
        Assert.Equal(Filled(8 * Block, 5), Client.Read(0, 8 * Block));
        Assert.Equal(Filled(8 * Block, 5), Client.Read(0, 8 * Block));
        Assert.Equal((1, 0), (Figures["rotten_clean"], Figures["rotten_dirty"]));
    }

    [Fact]
    public void ARottenDirtyBlockIsAnErrorAndNothingElseIs()
    {
        _options.VerifyReads = true;
        Fill(0, 8 * Block, 5);
        Open();
        Client.Write(2 * Block, Filled(Block, 0x77));
        Client.Write(4 * Block + 512, Filled(512, 0x78));
        FillLog();
        Rot(0x77);
        Rot(0x78);
        Assert.Equal(-5, Client.Run(RequestKind.Read, 0, 8 * Block));
        Assert.Equal(-5, Client.Run(RequestKind.Read, 2 * Block, Block));
        Assert.Equal(-5, Client.Run(RequestKind.Read, 4 * Block + 512, 512, 512));
        Assert.Equal(Filled(512, 5), Client.Read(4 * Block, 512));
        Assert.Equal(Filled(Block, 5), Client.Read(3 * Block, Block));
        Assert.Equal((0, 2), (Figures["rotten_clean"], Figures["rotten_dirty"]));
        Client.Write(2 * Block, Filled(Block, 0x11));
        Assert.Equal(Filled(Block, 0x11), Client.Read(2 * Block, Block));
    }

    [Fact]
    public void TheScrubberFindsRotBeforeAnybodyReads()
    {
        (_options.ReadCacheThreshold, _options.IdleUs) = (8, 1000);
        Fill(0, 8 * Block, 5);
        Open();
        Client.Read(0, 8 * Block);
        Client.Write(2 * Block, Filled(Block, 0x77));
        FillLog();
        Rot(5);
        Rot(0x77);
        _options.ScrubIntervalUs = 10_000;
        Client.Until(() => Figures["scrub_passes"] > 1);
        Assert.Equal((1, 1), (Figures["rotten_clean"], Figures["rotten_dirty"]));
        _options.ScrubIntervalUs = 0;
        _backing.Clear();
        Assert.Equal(-5, Client.Run(RequestKind.Read, 2 * Block, Block));
        Assert.Equal(Filled(2 * Block, 5), Client.Read(0, 2 * Block));
        Assert.Equal(Filled(5 * Block, 5), Client.Read(3 * Block, 5 * Block));
        Assert.Equal(1, _backing.Reads);
    }

    [Fact]
    public void PiecesAreCountedAsTheSeedsCountThem()
    {
        Open();
        Client.Write(0, Filled(Block, 1));
        Client.Write(0, Filled(512, 1));
        Client.Read(0, 2 * Block);
        FillLog();
        Client.Read(512, 512);
        StatusFigures figures = Figures;
        Assert.Equal((1, 1), (figures["pieces_write_ram_part"], figures["pieces_read_ram_full"]));
        Assert.Equal((1, 1), (figures["pieces_read_miss_full"], figures["pieces_read_cache_part"]));
        Assert.Equal(0, figures["pieces_read_none_full"]);
        Assert.True(figures["pieces_write_miss_full"] > 40);
        Assert.Equal(3, figures["nr_partial_flushed"]);
    }

    [Fact]
    public unsafe void AnEmptySlotIsNoCopyOfTheFirstBlockForTheKernelsModule()
    {
        LogEntry entry = default;
        Writeboost2Entry kernels = default;
        kernels.Set(entry);
        Assert.True(*(ulong*)&kernels > 1UL << 40);
        entry = LogEntry.ForClean((1UL << 40) + 3, 0);
        kernels.Set(entry);
        Assert.Equal(24UL, *(ulong*)&kernels);
        Assert.Equal(EntryKind.Clean, kernels.ToEntry().Kind);
    }

    [Fact]
    public void DroppedCachesHoldNothing()
    {
        _options.ReadCacheThreshold = 8;
        Fill(0, 8 * Block, 5);
        Open();
        Client.Read(0, 4 * Block);
        Client.Write(2 * Block, Filled(Block, 6));
        Client.Volume.DropCaches();
        Client.Until(() => !Client.Volume.IsDropping);
        Assert.Equal((0, 0), (Figures["dirty_blocks"], Figures["dropping_caches"]));
        _options.ReadCacheThreshold = 0;
        _backing.Clear();
        _cache.Clear();
        Assert.Equal(Filled(Block, 6), Client.Read(2 * Block, Block));
        Assert.Equal(Filled(2 * Block, 5), Client.Read(0, 2 * Block));
        Assert.Equal((2, 0), (_backing.Reads, _cache.Reads));
    }

    public void Dispose()
    {
        _client?.Dispose();
        _disk.Dispose();
        _flash.Dispose();
    }

    private DirectClient Client => _client!;

    private StatusFigures Figures => new(Client.Volume);

    private static byte[] Filled(int length, byte value)
    {
        byte[] data = new byte[length];
        Array.Fill(data, value);
        return data;
    }

    // A life that is not stopped ends here like a killed process whose memory is gone.
    private void Open()
    {
        _client?.Dispose();
        _client = new DirectClient(_cache, _backing, _options, new KeepingStore());
        _backing.Clear();
        _cache.Clear();
    }

    /// <summary>Writes and flushes until what was logged before is on the cache device only.</summary>
    private void FillLog()
    {
        for (int i = 0; i < 3; i++)
        {
            Client.Write(12 << 20, Filled(40 * Block, 0xEE));
            Client.Flush();
        }
        _backing.Clear();
        _cache.Clear();
    }

    private void Fill(long offset, int length, byte value) => Touch(_disk, offset, span => span.Fill(value), length);

    /// <summary>Damages every cached block that holds this byte in its second sector, at one place each.</summary>
    private void Rot(byte value)
    {
        int rotten = 0;
        Touch(_flash, 0, all =>
        {
            for (int at = 1 << 20; at < all.Length && rotten == 0; at += Block)
            {
                if (all[at + 512] != value || all[at + 1023] != value) continue;
                all[at + 700] ^= 1;
                rotten++;
            }
        }, (int)_flash.SizeBytes);
        Assert.Equal(1, rotten);
    }

    private delegate void Change(Span<byte> bytes);

    private static unsafe void Touch(RamDevice device, long offset, Change change, int length)
    {
        using RingContext io = new();
        using AlignedMemory memory = new(length);
        BlockingIo blocking = new(io);
        DeviceQueue queue = device.OpenQueue(io);
        blocking.Start(queue, IoKind.Read, offset, memory.Pointer, length);
        blocking.WaitOrFail("reading", device);
        change(new Span<byte>(memory.Pointer, length));
        blocking.Start(queue, IoKind.Write, offset, memory.Pointer, length);
        blocking.WaitOrFail("writing", device);
    }

    /// <summary>Says that it outlives the process, and forgets everything.</summary>
    private sealed class KeepingStore : IRamStore
    {
        private readonly HeapRamStore _store = new();

        public string BootId => _store.BootId;

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) => [];

        public IRamRegion Create(string name, long sizeBytes) => _store.Create(name, sizeBytes);

        public void Delete(string name) => _store.Delete(name);
    }
}
