using System;
using System.Collections.Generic;
using Weir.Core.Caching;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// RAM for each cached block: at most 20 bytes, 16 when reads are not verified, whatever the size of cache and segments
/// (W12).
/// </summary>
public sealed class RamPerBlockTests
{
    private const long RangeBytes = 256;

    [Theory]
    [InlineData(128 << 10, 2048)]
    [InlineData(256 << 10, 1000)]
    [InlineData(1 << 20, 256)]
    [InlineData(4 << 20, 64)]
    public void StatusCountsAllStructures(int segmentBytes, int segments)
    {
        using RamDevice memory = new((1 << 20) + ((long)segments * segmentBytes)), backingMemory = new(4 << 20);
        CountedDevice cache = new(memory), backing = new(backingMemory);
        using (MemoryContext io = new())
            WriteboostFormat.Format(io, cache, Layout.Native, segmentBytes, Guid.NewGuid);
        Figures plain = Report(cache, backing, new WriteboostOptions { VerifyReads = false });
        long parts = plain["index_node_bytes"] + plain["index_head_bytes"] + plain["segment_table_bytes"];
        Assert.Equal(parts, plain["index_bytes"]);
        long blocks = segments * ((segmentBytes / 4096L) - 1);
        Assert.InRange(plain["index_bytes"] + plain["changes_bytes"], 12 * blocks, 16 * blocks);
        Assert.InRange(plain["ram_bytes_per_block"], 13, 16);
        Assert.Equal(0, plain["checksum_bytes"]);
        // Beside the 16 bytes, and whatever the size of the cache.
        Assert.InRange(plain["ranges_memory_bytes"], 4096 * RangeBytes, (4096 * RangeBytes) + 1024);
        Figures verified = Report(cache, backing, new WriteboostOptions());
        Assert.Equal(4L * segments * segmentBytes / 4096, verified["checksum_bytes"]);
        Assert.InRange(verified["ram_bytes_per_block"], 17, 20);
    }

    /// <summary>Memory for ranges follows from their budget alone: 256 bytes for each.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65_536)]
    public void RangesTakeWhatTheirBudgetSays(int budget)
    {
        using RangeMap ranges = new(budget);
        Assert.InRange(ranges.BytesUsed, budget * RangeBytes, (budget * RangeBytes) + 1024);
        for (int i = 0; i < budget; i++)
        {
            Assert.True(ranges.TryTakeBudget());
            ranges.Insert((ulong)i * 2, 1, i + 1);
        }
        Assert.False(ranges.TryTakeBudget());
        Assert.InRange(ranges.BytesUsed, budget * RangeBytes, (budget * RangeBytes) + 1024);
    }

    /// <summary>A cache of 64 GiB, of small segments and of the usual ones.</summary>
    [Theory]
    [InlineData(128 << 10, false)]
    [InlineData(1 << 20, false)]
    [InlineData(128 << 10, true)]
    [InlineData(1 << 20, true)]
    public void ALargeCacheTakesNoMore(int segmentBytes, bool verify)
    {
        Geometry geometry = new(segmentBytes, (int)((64L << 30) / segmentBytes));
        long blocks = geometry.SlotCount - geometry.SegmentCount;
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: verify);
        using StripedVersions changes = new(geometry.SlotCount);
        long tableBytes = (long)geometry.SegmentCount * SegmentTable.BytesPerSegment;
        long bytes = index.NodeBytes + index.BucketBytes + index.ChecksumBytes + tableBytes + changes.BytesUsed;
        Assert.InRange(bytes, 12 * blocks, (verify ? 20 : 16) * blocks);
    }

    private static Figures Report(Device cache, Device backing, WriteboostOptions options)
    {
        using DirectClient client = new(cache, backing, options, io: new MemoryContext());
        Figures figures = new();
        client.Volume.Report(figures);
        client.Stop();
        return figures;
    }

    private sealed class Figures : IStatusWriter
    {
        private readonly Dictionary<string, long> _numbers = [];

        public long this[string name] => _numbers[name];

        public void Number(string name, long value) => _numbers[name] = value;

        public void Text(string name, string value)
        {
        }
    }
}
