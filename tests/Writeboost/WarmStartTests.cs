using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>W13: what the cache served before an orderly stop, it serves after the next start.</summary>
public sealed class WarmStartTests : IDisposable
{
    private const int Block = 4096, SegmentBytes = 128 << 10;

    private readonly RamDevice _cacheBytes = new(8 << 20), _backingBytes = new(4 << 20);
    private readonly WriteboostOptions _options = new() { RamSegments = 4, IdleUs = 3_600_000_000 };
    private readonly CountingDevice _cache, _backing;
    private PrivateMemoryStore _ram = new();
    private DirectClient? _client;

    public WarmStartTests()
    {
        (_cache, _backing) = (new CountingDevice(_cacheBytes), new CountingDevice(_backingBytes));
        using RingContext io = new();
        WriteboostFormat.Format(io, _cacheBytes, Layout.Native, SegmentBytes, Guid.NewGuid);
        Start();
    }

    private DirectClient Client => _client!;

    public void Dispose()
    {
        _client?.Dispose();
        _cacheBytes.Dispose();
        _backingBytes.Dispose();
    }

    [Fact]
    public void WrittenBackBlocksStayWarmOverAStopAndNotOverACrash()
    {
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled((byte)(i + 1)));
        Client.DrainAll();
        for (int life = 0; life < 3; life++)
        {
            StopAndStart();
            for (int i = 0; i < 100; i++) Assert.Equal(Filled((byte)(i + 1)), Client.Read(i * 2 * Block, Block));
            Assert.Equal((0, 0), (_backing.Reads, Client.Volume.DirtyBlocks));
        }
        Start();
        for (int i = 0; i < 100; i++) Assert.Equal(Filled((byte)(i + 1)), Client.Read(i * 2 * Block, Block));
        Assert.Equal(100, _backing.Reads);
    }

    /// <summary>In the order of the log, with partial writes, discards, and what is dirty still.</summary>
    [Fact]
    public void WhatIsNewerWins()
    {
        Client.Write(0, Filled(1));
        Client.Write(Block, Filled(2));
        Client.Write(2 * Block, Filled(3));
        Client.Write(512, Filled(4)[..512]);
        Assert.Equal(0, Client.Run(RequestKind.WriteZeroes, Block, Block));
        Assert.Equal(0, Client.Run(RequestKind.Discard, 2 * Block, Block));
        Client.Write(2 * Block, Filled(5)[..1024]);
        Client.DrainAll();
        Client.Write((2 * Block) + 512, Filled(6)[..512]);
        byte[] expected = Client.Read(0, 4 * Block);
        for (int life = 0; life < 3; life++)
        {
            StopAndStart();
            Assert.Equal(expected, Client.Read(0, 4 * Block));
        }
        Client.DrainAll();
        Assert.Equal(expected, Client.Read(0, 4 * Block));
        Start();
        Assert.Equal(expected, Client.Read(0, 4 * Block));
    }

    /// <summary>The log goes round, and what is overwritten there is not warm.</summary>
    [Fact]
    public void OnlyWhatIsStillInTheLogIsWarm()
    {
        for (int round = 0; round < 40; round++)
        {
            for (int i = 0; i < 100; i++) Client.Write(((round * 37) + i) % 1000 * Block, Filled((byte)(round + 1)));
            Client.DrainAll();
            if (round % 7 != 0) continue;
            byte[] before = Client.Read(0, 1000 * Block / 4);
            StopAndStart();
            Assert.Equal(before, Client.Read(0, 1000 * Block / 4));
        }
        Assert.True(Client.Volume.Log.TailSegment > 20, "the log has not gone round");
        Assert.True(Client.Volume.Log.TailSegment < Client.Volume.Log.DirtySegment, "nothing is warm");
    }

    [Fact]
    public void AWriteRoundTheLogLeavesNothingStale()
    {
        Client.Write(0, Filled(1));
        Client.Write(Block, Filled(1));
        Client.DrainAll();
        _options.WriteAround = true;
        Client.Write(0, Filled(2));
        Client.Flush();
        for (int life = 0; life < 3; life++)
        {
            StopAndStart();
            Assert.Equal(Filled(2), Client.Read(0, Block));
        }
    }

    /// <summary>A segment on its way out: readers hold it, but a write may have gone round it already.</summary>
    [Theory]
    [InlineData(MutantId.None, 2)]
    [InlineData(MutantId.R10ForgottenIsWarm, 1)]
    public void WhatHasLeftTheIndexDoesNotComeBack(MutantId mutant, byte found)
    {
        Client.Write(0, Filled(1));
        Client.DrainAll();
        WriteboostVolume volume = Client.Volume;
        volume.Log.Table.Pin(volume.Geometry.Physical(volume.Log.TailSegment));
        volume.DropCaches();
        Client.Until(() => volume.Index.NewestPosition(BackingTable.KeyOf(1, 0)) == 0);
        _options.WriteAround = true;
        long end = volume.Log.ReservedEnd;
        Client.Write(0, Filled(2));
        Assert.Equal(end, volume.Log.ReservedEnd);
        Assert.True(volume.IsDropping, "the reader holds nothing");
        Mutant.Active = mutant;
        StopAndStart();
        Mutant.Active = MutantId.None;
        Assert.Equal(Filled(found), Client.Read(0, Block));
    }

    /// <summary>What an older weir leaves behind names the epoch of an earlier life: it counts for nothing.</summary>
    [Fact]
    public unsafe void FieldsOfAnEarlierLifeCountForNothing()
    {
        Client.Write(0, Filled(1));
        Client.DrainAll();
        Client.Stop();
        foreach (long offset in (long[])[0, Superblock.CopyBOffset])
        {
            Superblock* copy = (Superblock*)(_cacheBytes.Start + offset);
            Assert.True(copy->IsWarm);
            copy->KnownEpoch--;
            Superblock.Seal(copy);
            Assert.False(copy->IsWarm);
        }
        Start();
        Assert.Equal(Filled(1), Client.Read(0, Block));
        Assert.Equal(1, _backing.Reads);
    }

    /// <summary>A header that has rotted costs what is older, and nothing else.</summary>
    [Fact]
    public unsafe void ARottenHeaderEndsWhatIsWarm()
    {
        for (int i = 0; i < 200; i++) Client.Write(i * 2 * Block, Filled((byte)(i + 1)));
        Client.DrainAll();
        Geometry geometry = Client.Volume.Geometry;
        long rotten = geometry.OffsetOf(geometry.Position(Client.Volume.Log.TailSegment + 3, 0));
        Client.Stop();
        _cacheBytes.Start[rotten + 200] ^= 1;
        Start();
        for (int i = 0; i < 200; i++) Assert.Equal(Filled((byte)(i + 1)), Client.Read(i * 2 * Block, Block));
        Assert.InRange(_backing.Reads, 1, 199);
    }

    /// <summary>W8: after an orderly stop one header of each segment in use, once, and no more.</summary>
    [Fact]
    public void AStartReadsNoMoreHeadersThanSegmentsInUse()
    {
        // Each a record that fills its segment.
        byte[] data = new byte[(Client.Volume.Geometry.SlotsPerSegment - 1) * Block];
        for (int i = 0; i < 10; i++) Client.Write(i * data.Length, data);
        Client.DrainAll();
        for (int i = 0; i < 5; i++) Client.Write(i * data.Length, data);
        StopAndStart(out long reads);
        // Beside them both copies of superblock, device table and samples.
        Assert.InRange(reads, 15, 15 + 6);
        Start(out reads);
        Assert.InRange(reads, Client.Volume.Geometry.SegmentCount, 2 * Client.Volume.Geometry.SegmentCount);
    }

    private static byte[] Filled(byte value)
    {
        byte[] data = new byte[Block];
        data.AsSpan().Fill(value);
        return data;
    }

    private void StopAndStart() => StopAndStart(out _);

    private void StopAndStart(out long cacheReads)
    {
        Client.Stop();
        Start(out cacheReads);
    }

    private void Start() => Start(out _);

    // Without a stop before: all of the last life is gone that was not durable.
    private void Start(out long cacheReads)
    {
        _client?.Dispose();
        _ram = new PrivateMemoryStore();
        _cache.Clear();
        _client = new DirectClient(_cache, _backing, _options, _ram);
        cacheReads = _cache.Reads;
        _backing.Clear();
    }
}
