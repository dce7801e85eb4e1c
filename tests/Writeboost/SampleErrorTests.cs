using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Writeboost;

/// <summary>The cache device does not take the samples of backing devices for a while: that passes.</summary>
public sealed unsafe class SampleErrorTests
{
    [Fact]
    public void WriteBackWaitsUntilTheSamplesThatItChangesHaveGone()
    {
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        RefusingCache cache = new(flash);
        using DirectClient client = new(cache, backing, new WriteboostOptions { AllowWriteback = false });
        VolumeHealth health = client.Volume.Health;
        cache.Refuses = true;
        byte[] data = new byte[4096];
        data[^1] = 1;
        client.Write(0, data);
        client.Flush();
        client.Volume.Drain();
        client.Until(() => health.State != VolumeState.Healthy);
        Assert.Equal(VolumeState.Retrying, health.State);
        Assert.Contains("samples", health.Reason, StringComparison.Ordinal);
        Assert.Equal(0, backing.Start[4095]);
        cache.Refuses = false;
        client.Until(() => health.State == VolumeState.Healthy && client.Volume.IsDrained);
        Assert.Equal(1, backing.Start[4095]);
        client.Stop();
    }

    private sealed class RefusingCache(Device inner) : DeviceAround(inner)
    {
        public bool Refuses { get; set; }

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, base.OpenQueue(io));

        private static bool IsOfSamples(long offset)
        {
            using SampleTable table = new(default);
            return offset == table.OffsetA || offset == table.OffsetB;
        }

        private sealed class Queue(RefusingCache device, IoContext io, DeviceQueue innerQueue) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                bool isRefused = device.Refuses && op->Kind == IoKind.Write && IsOfSamples(op->OffsetBytes);
                if (isRefused) io.Complete(op, -Errno.EIO);
                else innerQueue.Submit(op);
            }
        }
    }
}
