using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class FileDeviceTests
{
    private const int Block = 4096;

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        using TemporaryFile file = new(1 << 20);
        using Harness h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        Assert.True(device.Facts.IsDirect, device.Warning);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Harness.Fill(h.Memory, 64 << 10, 1);
        Assert.Equal(64 << 10, h.Run(queue, IoKind.Write, 8192, 64 << 10));
        Assert.Equal(0, h.Run(queue, IoKind.Flush, 0, 0));
        byte* back = h.Memory + (1 << 20);
        Assert.Equal(64 << 10, h.Run(queue, IoKind.Read, 8192, 64 << 10, back));
        Assert.True(Harness.Same(h.Memory, back, 64 << 10));
    }
}
