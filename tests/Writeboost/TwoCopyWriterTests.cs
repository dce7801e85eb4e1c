using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Writeboost;

/// <summary>
/// One whole copy is there at any moment (R12), also while an update that has failed is tried once more.
/// </summary>
public sealed unsafe class TwoCopyWriterTests : IDisposable
{
    private const int Bytes = 4096;
    private const long A = 0, B = 512 << 10;

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

    private int Update()
    {
        _writer.Begin(A, B);
        for (int i = 0; i < 100 && _writer.IsBusy; i++) _io.RunCompletions();
        Assert.False(_writer.IsBusy);
        return _writer.Result;
    }

    private sealed class FailingDevice(Device inner) : WrappedDevice(inner)
    {
        public List<long> Written { get; } = [];

        public long FailsAt { get; set; } = -1;

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, base.OpenQueue(io));

        private sealed class Queue(FailingDevice device, IoContext io, DeviceQueue innerQueue) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                bool isWrite = op->Kind == IoKind.Write;
                if (isWrite) device.Written.Add(op->OffsetBytes);
                if (isWrite && op->OffsetBytes == device.FailsAt) io.Complete(op, -Errno.EIO);
                else innerQueue.Submit(op);
            }
        }
    }
}
