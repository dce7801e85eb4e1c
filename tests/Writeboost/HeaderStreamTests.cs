using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The scan of a log keeps its device busy: whenever it waits, at least 64 headers are asked for.</summary>
public sealed class HeaderStreamTests : IDisposable
{
    private const int SegmentBytes = 512 << 10, Segments = 900;
    private readonly RamDevice _device = new(Geometry.SuperblockRegionBytes + (Segments * (long)SegmentBytes));

    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    public void AScanWaitsOnlyWithManyReadsUnderWay(string layout)
    {
        Superblock superblock = Format(Layout.Find(layout));
        Geometry geometry = Layout.Find(layout).GeometryOf(superblock);
        using SlowContext io = new();
        SlowDevice slow = new(_device);
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: false);
        using RangeMap ranges = new(16);
        using ILogScan scan = LogScans.New(
            Layout.Find(layout), superblock, geometry, new BlockingIo(io), slow.OpenQueue(io), slow,
            new Replay(geometry, table, index, ranges), readsData: false);
        io.Wanted = geometry.SegmentCount;
        scan.Run();
        Assert.Equal(geometry.SegmentCount, io.HeadersAsked);
        Assert.True(io.Waits.Count > 100);
        Assert.All(io.Waits, static underWay => Assert.InRange(underWay, 64, int.MaxValue));
    }

    [Fact]
    public unsafe void HeadersComeInOrderInWhateverOrderTheyAreRead()
    {
        for (int i = 0; i < Segments; i++) *(long*)(_device.Start + (i * (long)SegmentBytes)) = i;
        using SlowContext io = new() { Newest = true };
        using HeaderStream headers =
            new(io, new SlowDevice(_device).OpenQueue(io), _device, Segments, static i => i * (long)SegmentBytes);
        for (int i = 0; i < Segments; i++) Assert.Equal(i, *(long*)headers.Next());
    }

    [Fact]
    public unsafe void AHeaderThatCannotBeReadIsTheUsersError()
    {
        using SlowContext io = new() { FailingRead = 300 };
        using HeaderStream headers =
            new(io, new SlowDevice(_device).OpenQueue(io), _device, Segments, static i => i * (long)SegmentBytes);
        UserErrorException error = Assert.Throws<UserErrorException>(() =>
        {
            for (int i = 0; i < Segments; i++) headers.Next();
        });
        Assert.Contains("reading log headers failed: ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("(EIO)", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _device.Dispose();

    private Superblock Format(Layout layout)
    {
        using MemoryContext io = new();
        WriteboostFormat.Format(io, _device, layout, SegmentBytes, Guid.NewGuid);
        BlockingIo blocking = new(io);
        return SuperblockReader.Read(layout, blocking, _device.OpenQueue(io), _device, out _, out _);
    }

    /// <summary>Gets one read done per wait, the oldest or the newest, and notes how many were under way.</summary>
    private sealed unsafe class SlowContext : IoContext
    {
        private int _done;

        public List<nint> UnderWay { get; } = [];

        /// <summary>Reads under way at each wait for a header before all of them are asked for.</summary>
        public List<int> Waits { get; } = [];

        public int HeadersAsked { get; set; }

        public int Wanted { get; set; }

        public bool Newest { get; init; }

        public int FailingRead { get; init; } = -1;

        public override long NowUs => 0;

        public override void Wake()
        {
        }

        public override void Pump(bool wait, long deadlineUs)
        {
            if (!wait) return;
            bool forHeader = UnderWay.TrueForAll(static op => ((IoOp*)op)->LengthBytes == Geometry.BlockBytes);
            if (forHeader && HeadersAsked < Wanted) Waits.Add(UnderWay.Count);
            int which = Newest ? UnderWay.Count - 1 : 0;
            IoOp* op = (IoOp*)UnderWay[which];
            UnderWay.RemoveAt(which);
            if (_done++ == FailingRead) Complete(op, -5);
            else SlowDevice.Read(op, this);
        }
    }

    /// <summary>Reads wait for <see cref="SlowContext"/>.</summary>
    private sealed unsafe class SlowDevice(RamDevice inner) : WrappedDevice(inner)
    {
        public static void Read(IoOp* op, IoContext io)
        {
            Buffer.MemoryCopy((void*)op->DeviceState<nint>(), op->Buffer, op->LengthBytes, op->LengthBytes);
            io.Complete(op, (int)op->LengthBytes);
        }

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(inner, (SlowContext)io);

        private sealed class Queue(RamDevice inner, SlowContext io) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                Assert.Equal(IoKind.Read, op->Kind);
                op->DeviceState<nint>() = (nint)(inner.Start + op->OffsetBytes);
                io.UnderWay.Add((nint)op);
                if (op->LengthBytes == Geometry.BlockBytes) io.HeadersAsked++;
            }
        }
    }
}
