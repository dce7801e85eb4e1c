using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
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
    private CountingDevice _backing = null!;

    public void Dispose()
    {
        foreach (ModelContext context in _contexts) context.Dispose();
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

    /// <summary>Where nobody drains, a batch is one sorted pass and one flush, as large as ever.</summary>
    [Fact]
    public void OtherWriteBackKeepsNothingInItsBatches()
    {
        using DirectClient client = Fill(20_000, out ModelContext io);
        client.Volume.Options.IdleUs = 0;
        client.Volume.WakeQueues();
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

    private DirectClient Fill(long seekUs, out ModelContext io)
    {
        using (RingContext ring = new())
            WriteboostFormat.Format(ring, _cacheBytes, Layout.Native, 1 << 20, Guid.NewGuid);
        DirectClient client = Open(seekUs, out io);
        for (int i = 0; i < Dirty; i++) client.Write(OffsetOf(i), DataOf(i));
        client.Flush();
        Assert.Equal(Dirty, client.Volume.DirtyBlocks);
        _backing.Clear();
        return client;
    }

    private DirectClient Open(long seekUs, out ModelContext io)
    {
        io = new ModelContext();
        SlowDevice slow = new(new KeptDevice(_backingBytes), new DiskArm(BackingBytes, seekUs, 150 << 20), "backing");
        _backing = new CountingDevice(slow);
        return new DirectClient(
            _cacheBytes, _backing, new WriteboostOptions { IdleUs = 3_600_000_000, HighWatermark = 100 },
            new PrivateMemoryStore(), io);
    }

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
