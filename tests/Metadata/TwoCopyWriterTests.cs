using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Metadata;

/// <summary>
/// One whole copy is there at any moment (R12), also while an update that has failed is tried once more.
/// </summary>
public sealed unsafe class TwoCopyWriterTests : IDisposable
{
    private const int Bytes = 4096;
    private const long A = 0, B = 512 << 10, Flush = -2;

    private readonly RamDevice _device = new(1 << 20);
    private readonly FailingDevice _failing;
    private readonly MemoryContext _io = new();
    private readonly TwoCopyWriter _writer;

    public TwoCopyWriterTests()
    {
        _failing = new FailingDevice(_device);
        _writer = new TwoCopyWriter(Bytes, _failing.OpenQueue(_io), _io);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _io.Dispose();
        _device.Dispose();
    }

    [Theory]
    [InlineData(A, A, B)]
    [InlineData(B, B, A)]
    public void TheCopyAtWhichAnUpdateFailedComesFirst(long failing, long first, long second)
    {
        _failing.FailsAt = failing;
        Assert.Equal(-Errno.EIO, Update());
        _failing.Written.Clear();
        Assert.Equal(-Errno.EIO, Update());
        Assert.All(_failing.Written, offset => Assert.Equal(failing, offset));
        _failing.FailsAt = -1;
        _failing.Written.Clear();
        Assert.Equal(0, Update());
        Assert.Equal([first, second], _failing.Written);
        _failing.Written.Clear();
        Assert.Equal(0, Update());
        Assert.Equal([A, B], _failing.Written);
    }

    /// <summary>The writer's own flush of the device comes between the copies, and behind the last.</summary>
    [Fact]
    public void AloneOnItsDeviceItFlushesItself()
    {
        Assert.Equal(0, Update());
        Assert.Equal([A, Flush, B, Flush], _failing.All);
    }

    [Fact]
    public void BesideOthersItWaitsForTheirFlush()
    {
        Flushes flushes = new();
        using TwoCopyWriter writer = new(Bytes, _failing.OpenQueue(_io), _io, flushes);
        writer.Begin(A, B);
        Turn(writer);
        Assert.Equal((1, 1L), (_failing.Written.Count, flushes.Requests));
        flushes.Done = 1;
        Turn(writer);
        Assert.Equal([A, B], _failing.Written);
        flushes.Done = 2;
        Turn(writer);
        Assert.False(writer.IsBusy);
        Assert.Equal(0, writer.Result);
        Assert.Equal([A, B], _failing.All);
    }

    /// <summary>Whose flush failed does not matter: what was written before it may be lost.</summary>
    [Fact]
    public void ACopyThatAFailedFlushMayHaveLostIsWrittenAgain()
    {
        Flushes flushes = new();
        using TwoCopyWriter writer = new(Bytes, _failing.OpenQueue(_io), _io, flushes);
        writer.Begin(A, B);
        Turn(writer);
        flushes.Failures++;
        flushes.Done = 1;
        Turn(writer);
        Assert.Equal([A, A], _failing.Written);
        for (int i = 0; i < 2; i++)
        {
            flushes.Failures++;
            Turn(writer);
        }
        Assert.Equal([A, A, A], _failing.Written);
        Assert.False(writer.IsBusy);
        Assert.Equal(-Errno.EIO, writer.Result);
    }

    [Fact]
    public void ADeviceThatHasFailedEndsTheUpdate()
    {
        Flushes flushes = new();
        using TwoCopyWriter writer = new(Bytes, _failing.OpenQueue(_io), _io, flushes);
        writer.Begin(A, A, copies: 1);
        Turn(writer);
        Assert.True(writer.IsBusy);
        flushes.HasFailed = true;
        Turn(writer);
        Assert.False(writer.IsBusy);
        Assert.Equal(-Errno.EIO, writer.Result);
    }

    private void Turn(TwoCopyWriter writer)
    {
        for (int i = 0; i < 3; i++)
        {
            _io.RunCompletions();
            writer.Poll();
        }
    }

    private int Update()
    {
        _writer.Begin(A, B);
        for (int i = 0; i < 100 && _writer.IsBusy; i++) _io.RunCompletions();
        Assert.False(_writer.IsBusy);
        return _writer.Result;
    }

    private sealed class Flushes : IFlushSource
    {
        public long Failures { get; set; }

        public bool HasFailed { get; set; }

        public long Requests { get; private set; }

        public long Done { get; set; }

        public long RequestFlush() => ++Requests;

        public bool IsFlushed(long ticket) => Done >= ticket;
    }

    private sealed class FailingDevice(Device inner) : WrappedDevice(inner)
    {
        public List<long> Written { get; } = [];

        /// <summary>Where the writes went, and the flushes between them.</summary>
        public List<long> All { get; } = [];

        public long FailsAt { get; set; } = -1;

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, base.OpenQueue(io));

        private sealed class Queue(FailingDevice device, IoContext io, DeviceQueue innerQueue) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                bool isWrite = op->Kind == IoKind.Write;
                if (isWrite) device.Written.Add(op->OffsetBytes);
                device.All.Add(isWrite ? op->OffsetBytes : Flush);
                if (isWrite && op->OffsetBytes == device.FailsAt) io.Complete(op, -Errno.EIO);
                else innerQueue.Submit(op);
            }
        }
    }
}
