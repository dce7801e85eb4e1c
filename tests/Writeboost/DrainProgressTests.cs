using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A drain of a slow disk shows and keeps what it has done every two seconds, and goes on there when it is started
/// again. On a modelled clock: the same figures on every machine.
/// </summary>
public sealed class DrainProgressTests(ITestOutputHelper output) : IDisposable
{
    private const int Block = 4096, Dirty = 600;
    private const long CacheBytes = 16 << 20, BackingBytes = 512 << 20, TwoSecondsUs = 2_000_000;

    private readonly RamDevice _cacheBytes = new(CacheBytes), _backingBytes = new(BackingBytes);
    private readonly List<ModelContext> _contexts = [];
    private readonly SimRamStore _ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
    private CountingDevice _backing = null!;
    private Layout _layout = Layout.Native;

    public void Dispose()
    {
        foreach (ModelContext context in _contexts) context.Dispose();
        _ram.Dispose();
        _cacheBytes.Dispose();
        _backingBytes.Dispose();
    }

    [Theory]
    [InlineData(16_000)]
    [InlineData(50_000)]
    [InlineData(150_000)]
    public void ADrainShowsAndKeepsItsProgressEveryTwoSeconds(long seekUs)
    {
        (long keptUs, long shownUs, long allUs) = Drain(seekUs, keeps: true);
        Assert.InRange(keptUs, 1, TwoSecondsUs);
        Assert.InRange(shownUs, 1, TwoSecondsUs);
        (long unkeptUs, _, long fastestUs) = Drain(seekUs, keeps: false);
        Assert.True(unkeptUs > TwoSecondsUs, "without it there would be no difference");
        // It costs little.
        Assert.InRange(allUs, fastestUs / 2, fastestUs * 6 / 5);
    }

    // The longest time in which nothing was kept, or shown; and all of it.
    private (long KeptUs, long ShownUs, long AllUs) Drain(long seekUs, bool keeps)
    {
        using DirectClient client = Fill(seekUs, out ModelContext io);
        if (!keeps) client.Volume.Options.KeepIntervalUs = long.MaxValue;
        long startUs = io.NowUs, keptUs = startUs, shownUs = startUs, mostKept = 0, mostShown = 0;
        (long, ulong) kept = KeptOf(client.Volume);
        long left = client.Volume.DrainBlocksLeft;
        client.Volume.Drain();
        while (!client.Volume.IsDrained)
        {
            client.Turn();
            Assert.InRange(client.Volume.DrainBlocksLeft, 0, left);
            if (client.Volume.DrainBlocksLeft < left) (left, shownUs) = (client.Volume.DrainBlocksLeft, io.NowUs);
            if (KeptOf(client.Volume) != kept) (kept, keptUs) = (KeptOf(client.Volume), io.NowUs);
            mostKept = Math.Max(mostKept, io.NowUs - keptUs);
            mostShown = Math.Max(mostShown, io.NowUs - shownUs);
        }
        output.WriteLine($"seeks of {seekUs} us: {io.NowUs - startUs} us, kept at least every {mostKept} us, shown "
            + $"every {mostShown} us, {_backing.Writes} writes, {_backing.Flushes} flushes");
        Assert.Equal(0, left);
        return (mostKept, mostShown, io.NowUs - startUs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnInterruptedDrainGoesOnWhereItWas(bool stops)
    {
        const long seekUs = 60_000, runUs = 5_000_000;
        long first;
        using (DirectClient client = Fill(seekUs, out ModelContext io))
        {
            long endUs = io.NowUs + runUs;
            client.Volume.Drain();
            while (io.NowUs < endUs) client.Turn();
            first = _backing.Writes;
            if (stops) client.Stop();
            // Else it dies here.
        }
        Assert.InRange(first, 100, Dirty / 2);
        long twoSeconds = first * TwoSecondsUs / runUs;
        using DirectClient again = Open(seekUs, out _);
        output.WriteLine($"{first} written, then {again.Volume.DirtyBlocks} dirty");
        Assert.InRange(again.Volume.DirtyBlocks, Dirty - first, Dirty - first + twoSeconds);
        again.DrainAll();
        Assert.InRange(_backing.Writes, Dirty - first, Dirty - first + twoSeconds);
        AssertAll(again);
        again.Stop();
        AssertBacking();
    }

    /// <summary>
    /// Layouts that have only the mark move it every two seconds, or with each segment where one takes longer: whoever
    /// interrupts a drain again and again comes to its end too, having written hardly more.
    /// </summary>
    [Theory]
    [InlineData("writeboost2", 5_000)]
    [InlineData("writeboost2", 50_000)]
    [InlineData("writeboost1", 16_000)]
    [InlineData("lc1", 16_000)]
    [InlineData("lc1", 50_000)]
    public void TheMarkMovesWhileADrainOfAKernelLayoutGoesOn(string layout, long seekUs)
    {
        _layout = Layout.Find(layout);
        using DirectClient client = Fill(seekUs, out ModelContext io);
        client.Volume.Drain();
        AssertMarkMoves(client, io);
    }

    /// <summary>Large batches that went quickly say nothing about what comes after them.</summary>
    [Fact]
    public void TheMarkMovesWhenEasyWorkIsFollowedByHardWork()
    {
        _layout = Layout.Find("writeboost2");
        using DirectClient client = Fill(20_000, out ModelContext io, dirty: 0);
        for (int i = 0; i < 16; i++) client.Write((256 << 20) + (i << 19), new byte[1 << 19]);
        for (int i = 0; i < 1400; i++) client.Write(OffsetOf(i), DataOf(i));
        client.Flush();
        client.Volume.Drain();
        AssertMarkMoves(client, io);
    }

    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    public void AnInterruptedDrainDoesNotTakeBackWhatItHasShown(string layout)
    {
        const long runUs = 5_000_000;
        _layout = Layout.Find(layout);
        Fill(60_000, out _).Dispose();
        ModelContext io = Model(60_000);
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, new KeptDevice(_cacheBytes), [Spec(new KeptDevice(_backing))], Ram, Options());
        long left = Dirty, endUs = io.NowUs + runUs;
        int result = new Drainer(volume, io).Run(() => io.NowUs >= endUs, at =>
        {
            Assert.InRange(at.DirtyBlocks, 0, left);
            left = at.DirtyBlocks;
        });
        Assert.Equal(1, result);
        Assert.InRange(left, 1, Dirty - 1);
    }

    private void AssertMarkMoves(DirectClient client, ModelContext io)
    {
        Geometry geometry = client.Volume.Geometry;
        long sinceUs = io.NowUs, mark = client.Volume.Superblock.MarkPosition, most = 0;
        while (!client.Volume.IsDrained)
        {
            client.Turn();
            long now = client.Volume.Superblock.MarkPosition;
            if (now == mark) continue;
            long segments = geometry.SegmentOf(now) - geometry.SegmentOf(mark), tookUs = io.NowUs - sinceUs;
            output.WriteLine($"{segments} segments in {tookUs} us");
            Assert.True(segments == 1 || tookUs <= TwoSecondsUs, $"{segments} segments take {tookUs} us");
            (mark, sinceUs, most) = (now, io.NowUs, Math.Max(most, segments));
        }
        output.WriteLine($"at most {most} segments at once, {_backing.Writes} writes");
    }

    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void ADrainOfAKernelLayoutThatIsInterruptedAgainAndAgainEnds(string layout)
    {
        _layout = Layout.Find(layout);
        long writes = 0, runs = 0, left = Dirty;
        Fill(16_000, out _).Dispose();
        for (bool isDrained = false; !isDrained; runs++)
        {
            Assert.True(runs < 10, $"{left} blocks are left after {runs} runs");
            using DirectClient client = Open(16_000, out ModelContext io);
            left = client.Volume.DirtyBlocks;
            client.Volume.Drain();
            // Four seconds of about six that it takes.
            for (long endUs = io.NowUs + 4_000_000; !client.Volume.IsDrained && io.NowUs < endUs;) client.Turn();
            isDrained = client.Volume.IsDrained;
            writes += _backing.Writes;
            client.Stop();
        }
        output.WriteLine($"{runs} runs, {writes} writes");
        AssertBacking();
    }

    /// <summary>
    /// A range is zeroed again before its batch is written again. When the mark has passed it and not what lies over
    /// it, that must still be written, whatever an earlier drain had kept.
    /// </summary>
    [Fact]
    public void WhatLiesOverARangeThatIsZeroedAgainIsWrittenAgain()
    {
        using (RingContext ring = new())
            WriteboostFormat.Format(ring, _cacheBytes, Layout.Native, 128 << 10, Guid.NewGuid);
        using (DirectClient client = Open(60_000, out _))
        {
            Assert.Equal(0, client.Run(RequestKind.WriteZeroes, 0, Block));
            for (int i = 1; i < 100; i++)
            {
                if (i == 50) client.Write(0, DataOf(0));
                client.Write(OffsetOf(i), DataOf(i));
            }
            client.Flush();
            client.Volume.Drain();
            client.Until(() => client.Volume.Superblock.KeptPosition > client.Volume.Superblock.MarkPosition);
        }
        using (DirectClient client = Open(60_000, out _))
        {
            client.Volume.Options.MaxBatchedWriteback = 1;
            long mark = client.Volume.Superblock.MarkPosition;
            client.Volume.Drain();
            client.Until(() => client.Volume.Superblock.MarkPosition > mark);
            Assert.False(client.Volume.IsDrained);
        }
        using DirectClient last = Open(60_000, out _);
        Assert.Equal(DataOf(0), last.Read(0, Block));
        last.DrainAll();
        Assert.Equal(DataOf(0), last.Read(0, Block));
    }

    /// <summary>What it has skipped, as RAM has something newer, is kept when that is durable: not before.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R8KeptUndurable)]
    public void WhatWasSkippedIsKeptWhenWhatIsNewerIsDurable(WriteboostMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using (RingContext ring = new())
                WriteboostFormat.Format(ring, _cacheBytes, _layout, 1 << 20, Guid.NewGuid);
            ModelContext io = Model(60_000);
            CountingDevice cache = new(_cacheBytes);
            WriteboostOptions options = Options();
            options.SyncIntervalUs = 0;
            using DirectClient client = new(cache, [Spec(_backing)], options, _ram, io);
            // More than a segment, of which the block with the lowest key is written once more.
            for (int i = 0; i < 300; i++) client.Write(OffsetOf(i), DataOf(i));
            client.Flush();
            client.Write(OffsetOf(0), DataOf(1));
            (cache.Hold, cache.HoldFrom) = (IoKind.Write, 1 << 20);
            client.Volume.Drain();
            bool IsKept() => KeptOf(client.Volume).Item2 != 0;
            if (mutant != WriteboostMutant.None) client.Until(IsKept);
            else client.Until(() => cache.HeldCount > 0 && _backing.Flushes > 0);
            for (int i = 0; i < 1000; i++) client.Turn();
            Assert.Equal(mutant != WriteboostMutant.None, IsKept());
            cache.Release();
            if (mutant == WriteboostMutant.None) client.Until(IsKept);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>Where nobody drains, a batch is one sorted pass and one flush, as large as ever.</summary>
    [Fact]
    public void OtherWriteBackKeepsNothingInItsBatches()
    {
        using DirectClient client = Fill(20_000, out ModelContext io);
        client.Volume.Options.IdleUs = 0;
        client.Volume.Queues.WakeAll();
        long endUs = io.NowUs + 60_000_000;
        while (client.Volume.DirtyBlocks > 0 && io.NowUs < endUs) client.Turn();
        Assert.InRange(_backing.Flushes, 1, 2);
    }

    private static (long, ulong) KeptOf(WriteboostVolume volume) => volume.Superblock.KeptPosition
        > volume.Superblock.MarkPosition
        ? (volume.Superblock.KeptPosition, volume.Superblock.KeptKey) : (volume.Superblock.MarkPosition, 0);

    // Blocks far from each other, in no order.
    private static long OffsetOf(int i) => (i * 7919L % 65_536) * 2 * Block;

    private static byte[] DataOf(int i)
    {
        byte[] data = new byte[Block];
        new Random(i).NextBytes(data);
        return data;
    }

    private DirectClient Fill(long seekUs, out ModelContext io, int dirty = Dirty)
    {
        int segmentBytes = _layout.Name == "writeboost2" ? 512 << 10 : 1 << 20;
        using (RingContext ring = new())
            WriteboostFormat.Format(ring, _cacheBytes, _layout, segmentBytes, Guid.NewGuid);
        DirectClient client = Open(seekUs, out io);
        for (int i = 0; i < dirty; i++) client.Write(OffsetOf(i), DataOf(i));
        client.Flush();
        Assert.Equal(dirty, client.Volume.DirtyBlocks);
        _backing.Clear();
        return client;
    }

    private DirectClient Open(long seekUs, out ModelContext io)
    {
        io = Model(seekUs);
        return new DirectClient(_cacheBytes, [Spec(_backing)], Options(), Ram, io);
    }

    private ModelContext Model(long seekUs)
    {
        ModelContext io = new();
        SlowDevice slow = new(new KeptDevice(_backingBytes), new DiskArm(BackingBytes, seekUs, 150 << 20), "backing");
        _backing = new CountingDevice(slow);
        return io;
    }

    private WriteboostOptions Options() => new()
    {
        Layout = _layout, IdleUs = 3_600_000_000, HighWatermark = 100, RamSegments = 4,
    };

    private BackingSpec Spec(Device backing) => new(_layout.Name == "lc1" ? 1 : null, "disk", backing);

    // Where a segment has one record, each write that must be durable at once would take one.
    private IRamStore Ram => _layout.HasManyRecords ? new PrivateMemoryStore() : _ram;

    private static void AssertAll(DirectClient client)
    {
        for (int i = 0; i < Dirty; i++) Assert.Equal(DataOf(i), client.Read(OffsetOf(i), Block));
    }

    private unsafe void AssertBacking()
    {
        for (int i = 0; i < Dirty; i++)
            Assert.True(new Span<byte>(_backingBytes.Start + OffsetOf(i), Block).SequenceEqual(DataOf(i)), $"{i}");
    }
}
