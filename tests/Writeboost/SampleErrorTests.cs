using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Writeboost;

/// <summary>The cache device does not take the samples of backing devices for a while: that passes.</summary>
public sealed unsafe class SampleErrorTests
{
    /// <summary>A start that cannot read a table names it.</summary>
    [Fact]
    public void WhatCannotBeReadIsNamed()
    {
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        using (DirectClient client = new(flash, backing, new WriteboostOptions())) client.Stop();
        List<string> errors = [];
        for (int reads = 0; errors.Count == reads; reads++)
        {
            CountingDevice cache = new(flash) { ReadsToPass = reads };
            try
            {
                new DirectClient(cache, backing, new WriteboostOptions()).Dispose();
            }
            catch (UserErrorException e)
            {
                errors.Add(e.Message);
            }
        }
        Assert.Contains(errors, static e => e.Contains("reading the device table failed", StringComparison.Ordinal));
        Assert.Contains(
            errors, static e => e.Contains("reading the samples of devices failed", StringComparison.Ordinal));
    }

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

    /// <summary>
    /// A table that failed may be durable in one copy: what it names is not written before a table without it is.
    /// </summary>
    [Fact]
    public void WhatATableMayNameThatFailedIsNotForgottenWhenTheNextFailsToo()
    {
        const int Block = 4096, Place = 700 * Block;
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        RefusingCache cache = new(flash);
        using DirectClient client = new(cache, backing, new WriteboostOptions { AllowWriteback = false });
        byte[] data = new byte[Block];
        data.AsSpan().Fill(1);
        (cache.Refuses, cache.TakesFirst) = (true, true);
        client.Write(Place, data);
        client.DrainAll();
        Assert.Equal(1, backing.Start[Place]);
        Assert.True(cache.Refused > 0);
        cache.TakesFirst = false;
        data.AsSpan().Fill(2);
        client.Write(Place, data);
        client.Volume.Drain();
        client.Until(() => client.Volume.Health.State == VolumeState.Retrying);
        int refused = cache.Refused;
        client.Volume.Resume();
        client.Until(() => cache.Refused > refused || client.Volume.IsDrained);
        client.Until(() => client.Volume.Health.State == VolumeState.Retrying || client.Volume.IsDrained);
        Assert.Equal(1, backing.Start[Place]);
        cache.Refuses = false;
        client.DrainAll();
        Assert.Equal(2, backing.Start[Place]);
        client.Stop();
    }

    /// <summary>Writes that go round the log, over a sample: none waits for a table that cannot be written.</summary>
    [Fact]
    public void WritesRoundTheLogDoNotWaitForThem()
    {
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        new Span<byte>(backing.Start, 1 << 20).Fill(9);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        RefusingCache cache = new(flash);
        using DirectClient client = new(cache, backing, new WriteboostOptions { WriteAround = true });
        cache.Refuses = true;
        byte[] data = new byte[4096];
        data[^1] = 1;
        client.Write(0, data);
        client.Write(2000 * 4096, data);
        client.Until(() => client.Volume.Health.State == VolumeState.Retrying);
        Assert.Contains("samples", client.Volume.Health.Reason, StringComparison.Ordinal);
        Assert.Equal((9, 1), (backing.Start[4095], backing.Start[(2001 * 4096) - 1]));
        client.Write(0, data);
        client.Flush();
        cache.Refuses = false;
        client.Until(() => client.Volume.Health.State == VolumeState.Healthy && backing.Start[4095] == 1);
        client.Stop();
    }

    /// <summary>While one waits, those behind it that need no table go on.</summary>
    [Fact]
    public void NobodyWaitsBehindAWriteThatWaitsForThem()
    {
        using RamDevice backing = new(16 << 20), flash = new(8 << 20);
        new Span<byte>(backing.Start, 1 << 20).Fill(9);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 128 << 10, Guid.NewGuid);
        CountingDevice cache = new(flash);
        using DirectClient client = new(cache, backing, new WriteboostOptions { WriteAround = true });
        using SampleTable table = new(default);
        (cache.Hold, cache.HoldAt) = (IoKind.Write, table.OffsetA);
        client.Begin(RequestKind.Write, 0, 4096, new byte[4096]);
        client.Until(() => cache.HeldCount > 0);
        byte[] data = new byte[4096];
        data[^1] = 1;
        client.Write(2000 * 4096, data);
        Assert.True(client.IsWaiting);
        cache.Release();
        client.EndAll();
        client.Stop();
    }

    private sealed class RefusingCache(Device inner) : WrappedDevice(inner)
    {
        public bool Refuses { get; set; }

        public bool TakesFirst { get; set; }

        public int Refused { get; private set; }

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, base.OpenQueue(io));

        private bool IsRefused(IoOp* op)
        {
            using SampleTable table = new(default);
            bool isOne = op->OffsetBytes == table.OffsetB || (!TakesFirst && op->OffsetBytes == table.OffsetA);
            bool isRefused = Refuses && op->Kind == IoKind.Write && isOne;
            if (isRefused) Refused++;
            return isRefused;
        }

        private sealed class Queue(RefusingCache device, IoContext io, DeviceQueue innerQueue) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                if (device.IsRefused(op)) io.Complete(op, -Errno.EIO);
                else innerQueue.Submit(op);
            }
        }
    }
}
