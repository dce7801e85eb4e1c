using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Traces;
using Xunit;

namespace Weir.Tests.Traces;

public sealed class CompactTraceTests
{
    private const int BlockBytes = 64 << 10;

    private static List<string> Of(CompactTrace trace)
    {
        List<string> all = [];
        for (int chunk = 0; chunk < trace.ChunkCount; chunk++)
            foreach (BlockAccess access in trace.Chunk(chunk))
                all.Add($"{trace.Homes[(int)access.Block]} {access.Sectors} {access.Flags}");
        return all;
    }

    private static CompactTrace Build(params ReadOnlySpan<TraceRecord> records)
    {
        CompactTraceBuilder builder = new(BlockBytes, hasObjects: false);
        foreach (TraceRecord record in records) builder.Add(record);
        return builder.Finish();
    }

    private static TraceRecord Request(TraceOp op, long offset, long length, int device = 0, long timeUs = 0) =>
        new() { Op = op, OffsetBytes = offset, LengthBytes = length, Device = device, TimeUs = timeUs };

    [Fact]
    public void RequestsAreSplitIntoBlocks()
    {
        CompactTrace trace = Build(
            Request(TraceOp.Read, 512, 512), Request(TraceOp.Write, BlockBytes - 1024, 2048 + BlockBytes),
            Request(TraceOp.Discard, 0, 1 << 20), Request(TraceOp.Read, 0, 1));
        Assert.Equal(
            ["0 1 Begins", "0 2 Write, Begins", "1 128 Write, WholeBlock", "2 2 Write", "0 1 Begins"], Of(trace));
        Assert.Equal(new TraceFigures(BlockBytes, 3, 1, 1, 512 + 2048 + BlockBytes + 1, 0), trace.Figures);
        Assert.Equal(3, trace.Blocks);
        Assert.Equal(3, trace.HomeCount);
    }

    /// <summary>Each device begins where those before it end, as far as they were used.</summary>
    [Fact]
    public void DevicesLieBehindEachOther()
    {
        CompactTrace trace = Build(
            Request(TraceOp.Read, 0, 1, 1), Request(TraceOp.Read, 4 * BlockBytes, BlockBytes, 0),
            Request(TraceOp.Read, 1L << 59, 1, 2));
        Assert.Equal([5, 4, 6 + (1L << 59 >> 16)], trace.Homes.ToArray());
        Assert.Equal(7 + (1L << 59 >> 16), trace.HomeCount);
    }

    [Fact]
    public void AStreamIsMarkedOnceItIsLong()
    {
        List<TraceRecord> records = [];
        const int threshold = SequentialDetector.UsualThreshold, lengthBytes = 2 * BlockBytes;
        for (long at = 0; at < 2L * threshold * lengthBytes; at += lengthBytes)
        {
            records.Add(Request(TraceOp.Read, at, lengthBytes));
            records.Add(Request(TraceOp.Read, (at * 7919 % (1L << 40)) + (1L << 41), 4096));
        }
        BlockAccessFlags[] flags = [.. Build([.. records]).Chunk(0).ToArray().Select(static one => one.Flags)];
        int marked = flags.Count(static one => (one & BlockAccessFlags.Sequential) != 0);
        Assert.Equal(2 * (threshold + 1), marked);
        Assert.Equal(BlockAccessFlags.None, flags[0] & BlockAccessFlags.Sequential);
    }

    /// <summary>Once a second of the trace's clock; in traces without one, every 4096 requests.</summary>
    [Fact]
    public void TimePasses()
    {
        CompactTrace timed = Build(Request(TraceOp.Read, 0, 1, 0, 5_000_000), Request(TraceOp.Read, 0, 1, 0, 5_900_000),
            Request(TraceOp.Read, 0, 1, 0, 6_000_000), Request(TraceOp.Read, 0, 1, 0, 9_000_000));
        Assert.Equal(["0 1 Begins", "0 1 Begins", "0 1 Begins, Tick", "0 1 Begins, Tick"], Of(timed));
        Assert.Equal(4_000_000, timed.Figures.SpanUs);
        CompactTrace timeless = TraceModel.Of(new int[10_000]);
        Assert.Equal(2, Of(timeless).Count(static one => one.Contains("Tick", StringComparison.Ordinal)));
    }

    [Fact]
    public void BlocksAreNumberedAsTheyCome()
    {
        Prng random = new(3);
        BlockIds ids = new();
        Dictionary<ulong, uint> model = [];
        for (int i = 0; i < 200_000; i++)
        {
            ulong block = random.Next() >> random.Between(40, 63);
            if (!model.TryGetValue(block, out uint number)) model[block] = number = (uint)model.Count;
            Assert.Equal(number, ids.NumberOf(block));
        }
        Assert.Equal((uint)model.Count, ids.Count);
    }

    /// <summary>A small file may ask for much: one request of it has 16384 blocks.</summary>
    [Fact]
    public void MemoryIsBounded()
    {
        const long bytes = 64 << 20;
        CompactTraceBuilder builder = new(BlockBytes, hasObjects: false, bytes);
        UserErrorException error = Assert.Throws<UserErrorException>(() =>
        {
            for (long i = 0; i < 1000; i++) builder.Add(Request(TraceOp.Read, i << 30, 1 << 30));
        });
        Assert.Contains("take larger blocks (--block-size)", error.Message, StringComparison.Ordinal);
        Assert.True(builder.Requests < 200);
    }
}
