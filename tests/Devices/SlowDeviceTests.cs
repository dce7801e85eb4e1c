using System;
using Microsoft.Extensions.Time.Testing;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class SlowDeviceTests
{
    private const long Mib = 1 << 20;

    [Fact]
    public void SequentialTransfersCostTheirBytesOnly()
    {
        DiskArm arm = new(1 << 30, seekUs: 8000, bytesPerSecond: 100 * Mib);
        Assert.Equal(1_010_000, arm.Transfer(1_000_000, 0, Mib));
        Assert.Equal(1_020_000, arm.Transfer(1_000_000, Mib, Mib));
        // Served one at a time: the second waits for the first, a later one starts at once.
        Assert.Equal(5_010_000, arm.Transfer(5_000_000, 2 * Mib, Mib));
        Assert.Equal(5_010_000, arm.Idle(5_000_000));
        Assert.Equal(6_000_000, arm.Idle(6_000_000));
    }

    [Fact]
    public void RandomSeeksAverageTheGivenSeek()
    {
        const long size = 1 << 30;
        const int count = 20_000;
        DiskArm arm = new(size, seekUs: 8000, bytesPerSecond: 1L << 50);
        Random random = new(7);
        long endUs = 0;
        for (int i = 0; i < count; i++) endUs = arm.Transfer(0, random.NextInt64(size / 512) * 512, 512);
        Assert.InRange(endUs / (double)count, 7800, 8200);
    }

    [Fact]
    public void DataGoesToTheInnerDeviceAndTheCompletionWaits()
    {
        FakeTimeProvider time = FakeTime.New();
        using DeviceClient h = new(time);
        using RamDevice ram = new(16 * Mib);
        SlowDevice slow = new(ram, new DiskArm(ram.SizeBytes, 8000, 100 * Mib), "slow:test");
        DeviceQueue queue = slow.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, 4096, 1);
        h.Io.Pump(false, 0);
        long startUs = h.Io.NowUs;
        queue.Submit(h.Op(IoKind.Write, 8 * Mib, 4096, h.Memory));
        queue.Submit(h.Op(IoKind.Flush, 0, 0, null, user: 1));
        Assert.True(DeviceClient.Same(h.Memory, ram.Start + 8 * Mib, 4096));
        h.Io.RunCompletions();
        Assert.Empty(h.Results);
        long dueUs = h.Io.NextDueUs;
        Assert.InRange(dueUs - startUs, 8000, 12000);
        time.Advance(TimeSpan.FromMicroseconds(dueUs - startUs - 1));
        h.Io.Pump(false, 0);
        Assert.Equal(0, h.Io.RunCompletions());
        time.Advance(TimeSpan.FromMicroseconds(1));
        h.Io.Pump(false, 0);
        Assert.Equal(2, h.Io.RunCompletions());
        Assert.Contains((0, 4096), h.Results);
        Assert.Contains((1, 0), h.Results);
    }

    [Fact]
    public void ManyDelayedCompletionsComeInOrderOfTheirDueTime()
    {
        FakeTimeProvider time = FakeTime.New();
        using DeviceClient h = new(time);
        using RamDevice ram = new(16 * Mib);
        SlowDevice slow = new(ram, new DiskArm(ram.SizeBytes, 100, 1 << 30), "slow:test");
        DeviceQueue queue = slow.OpenQueue(h.Io);
        Random random = new(3);
        const int count = 1500;
        for (int i = 0; i < count; i++)
            queue.Submit(h.Op(IoKind.Read, random.Next(4096) * 4096L, 4096, h.Memory, user: i));
        while (h.Outstanding > 0)
        {
            time.Advance(TimeSpan.FromMicroseconds(50));
            h.Io.Pump(false, 0);
            h.Io.RunCompletions();
        }
        for (int i = 0; i < count; i++) Assert.Equal((i, 4096), h.Results[i]);
    }

    [Fact]
    public void SleepsUntilTheDueTime()
    {
        using DeviceClient h = new();
        using Weir.Core.Io.Device slow = DeviceOpener.Open("slow:ram:1M?seek=20ms&bandwidth=1T");
        DeviceQueue queue = slow.OpenQueue(h.Io);
        long startUs = h.Io.NowUs;
        Assert.Equal(4096, h.Run(queue, IoKind.Read, 65536, 4096));
        Assert.True(h.CompletedUs[0] - startUs >= 8000);
    }

    [Theory]
    [InlineData("slow:ram:1M?seek=8", "seek=8")]
    [InlineData("slow:ram:1M?bandwidth=0", "bandwidth=0")]
    [InlineData("slow:ram:1M?sekk=8ms", "sekk=8ms")]
    [InlineData("ram:12x", "12x")]
    [InlineData("ram:1000", "512")]
    [InlineData("", "empty")]
    public void BadDescriptionsAreNamed(string text, string part)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => DeviceOpener.Open(text));
        Assert.Contains(part, e.Message);
        Assert.Equal(2, e.ExitCode);
    }
}
