using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>W7: no byte of a record that counts can change unseen: <c>weir check</c> names every one.</summary>
public sealed unsafe class CheckEveryBlockTests : IDisposable
{
    private const int Block = 4096, SegmentBytes = 128 << 10, Blocks = 40;
    private readonly RamDevice _cache = new((1 << 20) + (6 * SegmentBytes)), _backing = new(1 << 20);
    private readonly RingContext _io = new();

    public void Dispose()
    {
        _io.Dispose();
        _cache.Dispose();
        _backing.Dispose();
    }

    [Fact]
    public void ABitInAnySlotOfTheLogIsFound()
    {
        (long first, long end) = Fill();
        Assert.Equal(0, Check());
        int slots = 0;
        for (long at = first; at < end; at += Block)
        {
            // The end of a segment that had no room for one more record.
            if (new Span<byte>(_cache.Start + at, Block).IndexOfAnyExcept((byte)0) < 0) continue;
            slots++;
            // Another byte and another bit in each.
            long where = at + (slots * 1021L % Block);
            _cache.Start[where] ^= (byte)(1 << (slots % 8));
            Assert.True(Check() > 0, $"byte {where} has changed, and nobody says so");
            _cache.Start[where] ^= (byte)(1 << (slots % 8));
        }
        Assert.Equal(0, Check());
        Assert.InRange(slots, Blocks + 2, (2 * Blocks) + 8);
    }

    /// <summary>Formatting writes no table of devices: the first start does.</summary>
    [Fact]
    public void ACacheThatWasOnlyFormattedIsSound()
    {
        WriteboostFormat.Format(_io, _cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        Assert.Equal(0, Check());
    }

    [Fact]
    public void ABitInAnyByteOfABlockIsFound()
    {
        byte[] block = new byte[Block];
        new Random(5).NextBytes(block);
        fixed (byte* data = block)
        {
            uint whole = BlockSum.Compute(data);
            for (int at = 0; at < Block; at++)
            {
                block[at] ^= (byte)(1 << (at % 8));
                Assert.NotEqual(whole, BlockSum.Compute(data));
                block[at] ^= (byte)(1 << (at % 8));
            }
        }
    }

    // Long records and short ones; no block is written twice, so that every one counts.
    private (long First, long End) Fill()
    {
        WriteboostFormat.Format(_io, _cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        WriteboostOptions options = new() { RamSegments = 2, IdleUs = 3_600_000_000 };
        using DirectClient client = new(_cache, _backing, options);
        byte[] data = new byte[Block];
        Random random = new(7);
        for (int i = 0; i < Blocks; i++)
        {
            random.NextBytes(data);
            client.Write(i * Block, data);
            if (i % 7 == 0) client.Flush();
        }
        client.Stop();
        Geometry geometry = client.Volume.Geometry;
        Superblock superblock = client.Volume.Superblock;
        return (geometry.OffsetOf(superblock.MarkPosition), geometry.OffsetOf(superblock.SettledPosition - 1) + Block);
    }

    private long Check()
    {
        using MemoryContext io = new();
        Superblock superblock = SuperblockReader.Read(
            Layout.Native, new BlockingIo(io), _cache.OpenQueue(io), _cache, out _, out _);
        using OfflineCache cache = new(io, _cache, Layout.Native, superblock);
        using Checker checker = new(cache, new CheckItems());
        return checker.Run(new PrivateMemoryStore());
    }
}
