using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class PassthroughTests
{
    private const long Size = 1 << 20;
    private const int SlotBytes = 128 << 10;
    private const int Slots = 32;

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void AnyMixOfRequestsActsAsAPlainDisk(int logicalBlock) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => RunMix(seed, logicalBlock)).QuickCheckThrowOnFailure();

    /// <summary>Random requests, up to 32 in flight on ranges that do not overlap, against an array.</summary>
    private static void RunMix(int seed, int logicalBlock)
    {
        Random random = new(seed);
        using Client client = new(new RamDevice(Size, logicalBlock));
        byte[] model = new byte[Size];
        for (int round = 0; round < 30; round++)
        {
            // One lane each, so that requests meet inside 4 KiB blocks but never in a sector.
            int lanes = 1 + random.Next(Slots);
            long laneBytes = Size / lanes / 512 * 512;
            for (int lane = 0; lane < lanes; lane++)
            {
                long offset = lane * laneBytes + random.NextInt64(laneBytes / 512) * 512;
                long room = (lane + 1) * laneBytes - offset;
                long length = Math.Min(room, (1 + random.Next(40)) * 512);
                client.Start(lane, (RequestKind)(1 + random.Next(5)), offset, length, random, model);
            }
            client.Drain();
            client.CheckReads(model);
        }
        Assert.Equal(StopStatus.Stopped, client.Stop());
        Assert.True(new ReadOnlySpan<byte>(client.Ram.Start, (int)Size).SequenceEqual(model));
    }

    [Fact]
    public void RequestsBeyondThePoolWaitAndComplete()
    {
        using Client client = new(new RamDevice(Size));
        List<nint> taken = [];
        IoOp* op;
        while ((op = client.Ring.Io.Acquire(client.Ring.Handler, IoKind.Read)) != null) taken.Add((nint)op);
        for (int i = 0; i < 4; i++) client.Start(i, RequestKind.Write, i * 4096, 4096, new Random(i), new byte[Size]);
        Assert.Equal(0, client.Collect());
        foreach (nint each in taken) client.Ring.Io.Release((IoOp*)each);
        client.Drain();
        Assert.All(client.Done, result => Assert.Equal(0, result));
        Assert.Equal(4, client.Done.Count);
    }

    [Fact]
    public void ReadOnlyRefusesChangesAndWritesNothing()
    {
        using Client client = new(new RamDevice(Size), readOnly: true);
        int slot = 0;
        foreach (RequestKind kind in new[] { RequestKind.Write, RequestKind.Discard, RequestKind.WriteZeroes })
            client.Start(slot++, kind, 0, 4096, new Random(1), new byte[Size]);
        client.Drain();
        Assert.All(client.Done, result => Assert.Equal(-Errno.EPERM, result));
        Assert.True(DeviceClient.IsZero(client.Ram.Start, Size));
        Assert.Equal(StopStatus.Stopped, client.Stop());
    }

    [Fact]
    public void NoFlushSucceedsAfterOneHasFailed()
    {
        using FailingDevice device = new(Size);
        using Client client = new(device);
        device.FlushResult = -Errno.EIO;
        client.Start(0, RequestKind.Flush, 0, 0, new Random(1), null);
        client.Drain();
        device.FlushResult = 0;
        client.Start(0, RequestKind.Flush, 0, 0, new Random(1), null);
        client.Drain();
        Assert.Equal([-Errno.EIO, -Errno.EIO], client.Done);
        Assert.Equal(StopStatus.Failed(-Errno.EIO), client.Stop());
    }

    /// <summary>Until somebody who has been told what may be lost says so; who asked before is told too.</summary>
    [Fact]
    public void FlushesSucceedAgainWhenSomebodyKnows()
    {
        using FailingDevice device = new(Size);
        using Client client = new(device);
        device.FlushResult = -Errno.EIO;
        client.Start(0, RequestKind.Flush, 0, 0, new Random(1), null);
        client.Drain();
        device.FlushResult = 0;
        client.Start(0, RequestKind.Write, 0, 4096, new Random(1), null);
        client.Drain();
        client.Start(0, RequestKind.Flush, 0, 0, new Random(1), null);
        OrderProgress resumed = PassthroughCommands.Of([client.Volume])[0].Begin!()();
        Assert.Contains("may be lost", resumed.Said, StringComparison.Ordinal);
        client.Drain();
        client.Start(0, RequestKind.Flush, 0, 0, new Random(1), null);
        client.Drain();
        Assert.Equal([-Errno.EIO, 0, -Errno.EIO, 0], client.Done);
        Assert.Null(client.Volume.FlushLoss);
        Assert.Equal(StopStatus.Stopped, client.Stop());
    }

    [Fact]
    public void FuaFlushesAndErrorsReachTheRequest()
    {
        using FailingDevice device = new(Size);
        using Client client = new(device);
        client.Start(0, RequestKind.Write, 0, 4096, new Random(1), null, RequestFlags.Fua);
        client.Drain();
        Assert.Equal(1, device.Flushes);
        device.WriteResult = -Errno.ENOSPC;
        client.Start(0, RequestKind.Write, 0, 4096, new Random(1), null, RequestFlags.Fua);
        client.Drain();
        Assert.Equal([0, -Errno.ENOSPC], client.Done);
        Assert.Equal(1, device.Flushes);
        Assert.Equal(StopStatus.Stopped, client.Stop());
        Assert.Equal(2, device.Flushes);
    }

    [Fact]
    public void BlockStatusNamesTheHolesOfAFile()
    {
        using TemporaryFile file = new(8 << 20);
        using FileDevice device = FileDevice.Open(file.Path);
        using Client client = new(device);
        Assert.Equal(1 << 20, client.Ring.Run(device.OpenQueue(client.Ring.Io), IoKind.Write, 4 << 20, 1 << 20));
        Extent[] extents = new Extent[4];
        Assert.Equal(3, client.Queue.BlockStatus(0, StatusContext.Allocation, 0, 8 << 20, extents));
        Assert.Equal([4L << 20, 1L << 20, 3L << 20], Array.ConvertAll(extents[..3], e => e.LengthBytes));
        Assert.Equal([3u, 0u, 3u], Array.ConvertAll(extents[..3], e => e.Flags));
        Assert.Equal(1, client.Queue.BlockStatus(0, StatusContext.Allocation, 1 << 20, 1 << 20, extents));
        Assert.Equal(1 << 20, extents[0].LengthBytes);
    }

    /// <summary>Request slots with buffers as a frontend lays them out, and the loop of a queue thread.</summary>
    private sealed class Client : IDisposable
    {
        private readonly Weir.Core.Io.Device _device;
        private readonly Slab _slab = new(Slots * SlotBytes);
        private readonly Request* _requests =
            (Request*)NativeMemory.AllocZeroed(Slots, (nuint)sizeof(Request));
        private readonly List<(int Lane, long Offset, long Length)> _reads = [];
        private int _started;

        public Client(Weir.Core.Io.Device device, bool readOnly = false)
        {
            _device = device;
            Volume = new PassthroughVolume(device, readOnly: readOnly);
            Queue = Volume.OpenQueue(0, Ring.Io);
        }

        public DeviceClient Ring { get; } = new();

        public PassthroughVolume Volume { get; }

        public IVolumeQueue Queue { get; }

        public RamDevice Ram => (RamDevice)_device;

        public List<int> Done { get; } = [];

        public void Start(
            int slot, RequestKind kind, long offset, long length, Random random, byte[]? model,
            RequestFlags flags = RequestFlags.None)
        {
            Request* request = &_requests[slot];
            *request = new Request { Kind = kind, Flags = flags, OffsetBytes = offset, LengthBytes = length };
            request->Data = _slab.Start + slot * SlotBytes + (offset & 4095);
            Span<byte> data = new(request->Data, (int)length);
            Span<byte> old = kind == RequestKind.Flush || model == null ? [] : model.AsSpan((int)offset, (int)length);
            if (kind == RequestKind.Write) random.NextBytes(data);
            if (kind == RequestKind.Write && model != null) data.CopyTo(old);
            if (kind is RequestKind.Discard or RequestKind.WriteZeroes) old.Clear();
            if (kind == RequestKind.Read) _reads.Add((slot, offset, length));
            _started++;
            Queue.Submit(request);
        }

        public int Collect(long sleepUs = 0)
        {
            QueueDriver.Turn(Ring.Io, Queue, sleepUs);
            for (Request* request; (request = Queue.TakeCompleted()) != null;) Done.Add(request->Result);
            return Done.Count;
        }

        public void Drain()
        {
            while (Collect(1_000_000) < _started)
            {
            }
        }

        public void CheckReads(byte[] model)
        {
            foreach ((int slot, long offset, long length) in _reads)
                Assert.True(new ReadOnlySpan<byte>(_requests[slot].Data, (int)length)
                    .SequenceEqual(model.AsSpan((int)offset, (int)length)));
            _reads.Clear();
            Assert.All(Done, result => Assert.Equal(0, result));
        }

        public StopStatus Stop()
        {
            Queue.BeginStop();
            while (!Queue.StopStatus.IsOver) Collect();
            return Queue.StopStatus;
        }

        public void Dispose()
        {
            Ring.Dispose();
            _slab.Dispose();
            _device.Dispose();
            NativeMemory.Free(_requests);
        }
    }

    /// <summary>Answers as told.</summary>
    private sealed class FailingDevice(long sizeBytes) : Weir.Core.Io.Device
    {
        public int FlushResult { get; set; }

        public int WriteResult { get; set; }

        public int Flushes { get; private set; }

        public override string Name => "failing";

        public override long SizeBytes => sizeBytes;

        public override int LogicalBlockBytes => 512;

        public override bool CanFlush => true;

        public override string Identity => "failing";

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io);

        public override void Dispose()
        {
        }

        private sealed class Queue(FailingDevice device, IoContext io) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                if (op->Kind == IoKind.Flush) device.Flushes++;
                int result = op->Kind == IoKind.Flush ? device.FlushResult : device.WriteResult;
                io.Complete(op, result < 0 || op->Kind == IoKind.Flush ? result : (int)op->LengthBytes);
            }
        }
    }
}
