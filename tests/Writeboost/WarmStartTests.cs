using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Devices;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>W13: what the cache served before an orderly stop, it serves after the next start.</summary>
public sealed class WarmStartTests : IDisposable
{
    private const int Block = 4096, SegmentBytes = 128 << 10;

    private readonly RamDevice _cacheBytes = new(8 << 20), _backingBytes = new(4 << 20);
    private readonly WriteboostOptions _options =
        new() { RamSegments = 4, IdleUs = 3_600_000_000, WarmUs = 3_600_000_000 };
    private readonly StampedDevice _stamped;
    private readonly CountingDevice _cache, _backing;
    private readonly List<string> _lines = [];
    private PrivateMemoryStore _ram = new();
    private DirectClient? _client;

    public WarmStartTests()
    {
        _stamped = new StampedDevice(_backingBytes);
        (_cache, _backing) = (new CountingDevice(_cacheBytes), new CountingDevice(_stamped));
        _options.Log = _lines.Add;
        Format();
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
        Client.Write(512, Filled(4).AsSpan(0, 512));
        Assert.Equal(0, Client.Run(RequestKind.WriteZeroes, Block, Block));
        Assert.Equal(0, Client.Run(RequestKind.Discard, 2 * Block, Block));
        Client.Write(2 * Block, Filled(5).AsSpan(0, 1024));
        Client.DrainAll();
        Client.Write((2 * Block) + 512, Filled(6).AsSpan(0, 512));
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

    [Theory]
    [InlineData(WriteboostMutant.None, 2)]
    [InlineData(WriteboostMutant.R10OutdatedKept, 1)]
    public void AWriteRoundTheLogLeavesNothingStale(WriteboostMutant mutant, byte found)
    {
        Client.Write(0, Filled(1));
        Client.Write(Block, Filled(1));
        Client.DrainAll();
        _options.WriteAround = true;
        Client.Write(0, Filled(2));
        Client.Flush();
        for (int life = 0; life < 3; life++)
        {
            Mutant.Active = mutant;
            StopAndStart();
            Mutant.Active = null;
            Assert.Equal(Filled(found), Client.Read(0, Block));
        }
    }

    /// <summary>What the start before it had found warm is nothing any more when a life dies.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None, 2)]
    [InlineData(WriteboostMutant.R10WarmAfterCrash, 1)]
    public void NothingIsWarmAfterACrash(WriteboostMutant mutant, byte found)
    {
        Client.Write(0, Filled(1));
        Client.DrainAll();
        Mutant.Active = mutant;
        StopAndStart();
        _options.WriteAround = true;
        Client.Write(0, Filled(2));
        Client.Flush();
        Start();
        Mutant.Active = null;
        Assert.Equal(Filled(found), Client.Read(0, Block));
    }

    /// <summary>Whoever drains a cache may use the device without it, also where no sample shows that.</summary>
    [Fact]
    public void NothingIsWarmAfterADrain()
    {
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled(1));
        Client.DrainAll();
        Client.Write(0, Filled(1));
        Client.Stop();
        Drain();
        HashSet<long> sampled = WriteAlone(2);
        Start();
        for (int i = 0; i < 100; i++)
            if (!sampled.Contains(i * 2)) Assert.Equal(Filled(2), Client.Read(i * 2 * Block, Block));
    }

    /// <summary>A few blocks of each device are kept as samples; here nobody changes these.</summary>
    [Theory]
    [InlineData(true, WriteboostMutant.None, 2)]
    [InlineData(true, WriteboostMutant.R10ChangeUnnoticed, 1)]
    [InlineData(false, WriteboostMutant.None, 1)]
    public void ADeviceThatWasWrittenWithoutItsCacheIsRead(bool tells, WriteboostMutant mutant, byte found)
    {
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled(1));
        _options.ReadCacheThreshold = 8;
        Client.Read(21 * Block, Block);
        _stamped.Stamp = tells ? 1UL << 32 : 0;
        StopAndStart();
        Client.DrainAll();
        Client.Stop();
        _stamped.Stamp = tells ? (1UL << 32) + 1 : 0;
        WriteAlone(2);
        Mutant.Active = mutant;
        Start();
        Mutant.Active = null;
        Assert.Equal(Filled(found), Client.Read(20 * Block, Block));
        Assert.Equal(found == 2 ? Filled(2) : new byte[Block], Client.Read(21 * Block, Block));
    }

    /// <summary>The stop cannot say how the device was: the next start could not see that it has changed.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None, 2)]
    [InlineData(WriteboostMutant.R10UnnotedIsWarm, 1)]
    public void NothingIsWarmAfterAStopThatCouldNotNoteTheDevice(WriteboostMutant mutant, byte found)
    {
        _options.ReadCacheThreshold = 8;
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled(1));
        Client.Read(21 * Block, Block);
        Client.DrainAll();
        Client.Flush();
        _stamped.Stamp = 1UL << 32;
        _cache.WritesToFail = LogPort.MaxAttempts;
        Mutant.Active = mutant;
        Client.Stop();
        Mutant.Active = null;
        Assert.InRange(_cache.WritesToFail, int.MinValue, 0);
        _stamped.Stamp++;
        WriteAlone(2);
        Start();
        Assert.Equal(Filled(found), Client.Read(20 * Block, Block));
        if (mutant != WriteboostMutant.None) return;
        Assert.Equal(Filled(2), Client.Read(21 * Block, Block));
        Assert.Contains(_lines, static line => line.Contains("samples of devices", StringComparison.Ordinal));
        // What comes next is noted again.
        StopAndStart();
        Assert.Equal(Filled(2), Client.Read(20 * Block, Block));
        Assert.Equal(0, _backing.Reads);
    }

    /// <summary>A file tells by the time when it was modified.</summary>
    [Fact]
    public void AFileThatWasWrittenWithoutItsCacheIsRead()
    {
        using TemporaryFile file = new(4 << 20);
        Format();
        using (FileDevice opened = FileDevice.Open(file.Path))
        {
            CountingDevice counted = new(opened);
            Start(new BackingSpec(null, "disk", counted));
            for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled(1));
            Client.DrainAll();
            Client.Stop();
            Start(new BackingSpec(null, "disk", counted));
            counted.Clear();
            Assert.Equal(Filled(1), Client.Read(20 * Block, Block));
            Assert.Equal(0, counted.Reads);
            Client.Stop();
            _client!.Dispose();
            _client = null;
        }
        DateTime before = File.GetLastWriteTimeUtc(file.Path);
        // A file system's clock may stand still for some milliseconds.
        while (File.GetLastWriteTimeUtc(file.Path) == before)
        {
            using FileStream stream = new(file.Path, FileMode.Open, FileAccess.ReadWrite);
            stream.Position = 20 * Block;
            stream.Write(Filled(2));
        }
        using FileDevice again = FileDevice.Open(file.Path);
        Start(new BackingSpec(null, "disk", again));
        Assert.Equal(Filled(2), Client.Read(20 * Block, Block));
        Assert.Contains(_lines, static line => line.Contains("nothing shows that 'disk'", StringComparison.Ordinal));
    }

    /// <summary>It may have changed there, whether it comes back to a served volume or at the next start.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADeviceThatWasAwayIsRead(bool isAttached)
    {
        using RamDevice other = new(5 << 20);
        BackingSpec[] both = [new(null, "disk", _backing), new(null, "other", other)];
        Start(both);
        Client.Device = 1;
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled(1));
        Client.DrainAll();
        _options.ReadCacheThreshold = 8;
        Client.Read(21 * Block, Block);
        Client.Stop();
        Start(both);
        Client.Device = 1;
        Client.Stop();
        Start(both[0]);
        if (!isAttached) Client.Stop();
        WriteAlone(2, other);
        if (isAttached) Client.Await(() => Client.Volume.Attach(both[1] with { Device = new KeptDevice(other) }));
        else Start(both);
        Client.Device = 1;
        Assert.Equal(Filled(2), Client.Read(20 * Block, Block));
        Assert.Equal(Filled(2), Client.Read(21 * Block, Block));
    }

    /// <summary>A segment on its way out: readers hold it, but a write may have gone round it already.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None, 2)]
    [InlineData(WriteboostMutant.R10ForgottenIsWarm, 1)]
    public void WhatHasLeftTheIndexDoesNotComeBack(WriteboostMutant mutant, byte found)
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
        Mutant.Active = null;
        Assert.Equal(Filled(found), Client.Read(0, Block));
    }

    /// <summary>A weir that does not know them leaves them behind: they name the epoch of an earlier life.</summary>
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
            copy->KnownEpoch = ++copy->Epoch;
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

    /// <summary>A start does not wait for what it can do without: what is older is read from the device.</summary>
    [Fact]
    public void WhatIsNotReachedInTimeIsCold()
    {
        for (int i = 0; i < 100; i++) Client.Write(i * 2 * Block, Filled((byte)(i + 1)));
        Client.DrainAll();
        _options.WarmUs = 0;
        StopAndStart();
        for (int i = 0; i < 100; i++) Assert.Equal(Filled((byte)(i + 1)), Client.Read(i * 2 * Block, Block));
        Assert.Equal(100, _backing.Reads);
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

    // As whoever mounts it alone, but where samples would show it; returns where these are.
    private unsafe HashSet<long> WriteAlone(byte value, RamDevice? device = null)
    {
        device ??= _backingBytes;
        using SampleTable table = new(default);
        table.CopyFrom(_cacheBytes.Start + table.OffsetA);
        HashSet<long> sampled = [];
        for (int id = 1; id <= 2; id++)
            for (int i = 0; i < DeviceSamples.Count; i++)
                if (table[id][i].Kind != SampleKind.None) sampled.Add(table[id][i].Block);
        for (long block = 0; block < device.SizeBytes / Block; block++)
            if (!sampled.Contains(block)) new Span<byte>(device.Start + (block * Block), Block).Fill(value);
        return sampled;
    }

    private void Drain()
    {
        _client!.Dispose();
        _client = null;
        RingContext io = new();
        WriteboostVolume volume = WriteboostVolume.Open(
            io, new KeptDevice(_cache), [new(null, "disk", new KeptDevice(_backing))], _ram, _options);
        Assert.Equal(0, new Drainer(volume, io).Run(static () => false, static _ => { }));
        io.Dispose();
        volume.Dispose();
    }

    private void Format()
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, _cacheBytes, Layout.Native, SegmentBytes, Guid.NewGuid);
    }

    private void Start() => Start(out _);

    private void Start(out long cacheReads)
    {
        Start(new BackingSpec(null, "disk", _backing));
        cacheReads = _cache.Reads;
        _backing.Clear();
    }

    // Without a stop before: all of the last life is gone that was not durable.
    private void Start(params BackingSpec[] backings)
    {
        _client?.Dispose();
        _client = null;
        _ram = new PrivateMemoryStore();
        _cache.Clear();
        _client = new DirectClient(_cache, backings, _options, _ram);
    }

    private sealed class StampedDevice(Device inner) : WrappedDevice(inner)
    {
        public ulong Stamp { get; set; }

        public override ulong ChangeStamp => Stamp;
    }
}
