using System;
using System.Text;
using System.Threading;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class FileDeviceTests
{
    private const int Mib = 1 << 20;
    private const string Tmpfs = SharedMemoryStore.DefaultDirectory;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsWrittenIsRead(bool registered)
    {
        using TemporaryFile file = new(Mib);
        using DeviceClient h = new();
        Assert.Equal(registered, registered && h.Io.RegisterSlab(h.Memory, h.MemoryBytes));
        using FileDevice device = FileDevice.Open(file.Path);
        Assert.Equal(device.Facts.IsDirect, device.Warning == null);
        DeviceQueue queue = device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, 65536, 1);
        Assert.Equal(registered ? 0 : -1, h.Io.FindBuffer(h.Memory, 65536));
        Assert.Equal(65536, h.Run(queue, IoKind.Write, 8192, 65536));
        Assert.Equal(0, h.Run(queue, IoKind.Flush, 0, 0));
        Assert.Equal(65536, h.Run(queue, IoKind.Read, 8192, 65536, h.Memory + Mib));
        Assert.True(DeviceClient.Same(h.Memory, h.Memory + Mib, 65536));
    }

    [Fact]
    public void ManyOperationsInFlightAllComplete()
    {
        const int count = IoContext.PoolSize - IoContext.Reserve;
        using TemporaryFile file = new(count * 4096L);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        DeviceQueue queue = device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, h.MemoryBytes, 2);
        for (int i = 0; i < count; i++) queue.Submit(h.Op(IoKind.Write, i * 4096L, 4096, h.Memory + i * 4096L));
        Assert.True(h.Io.Acquire(h.Handler, IoKind.Read) == null);
        IoOp* urgent = h.Io.Acquire(h.Handler, IoKind.Read, urgent: true);
        Assert.True(urgent != null);
        h.Io.Release(urgent);
        h.Drain();
        Assert.All(h.Results, result => Assert.Equal(4096, result.Result));
        byte[] content = file.Read();
        Assert.True(new ReadOnlySpan<byte>(h.Memory, content.Length).SequenceEqual(content));
        Assert.Equal(IoContext.PoolSize, h.Io.FreeCount);
    }

    /// <summary>Somebody waits for it: it does not wait for the rest of its batch, nor for the turn's end.</summary>
    [Fact]
    public void WritesOfClientsAreUnderWayBeforeTheTurnEnds()
    {
        const int count = 8, limitMs = 20_000;
        using TemporaryFile file = new(Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        DeviceQueue queue = device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, count * 4096, 7);
        Request request = default;
        for (int i = 0; i < count; i++)
        {
            IoOp* op = h.Op(IoKind.Write, i * 4096L, 4096, h.Memory + (i * 4096L));
            op->Request = &request;
            queue.Submit(op);
        }
        // The last ones may be the beginning of the next few.
        byte[] expected = new ReadOnlySpan<byte>(h.Memory, 4096).ToArray();
        Assert.True(SpinWait.SpinUntil(() => file.Read().AsSpan().StartsWith(expected), limitMs));
        h.Drain();
    }

    /// <summary>What a short completion leaves is asked for again.</summary>
    [Theory]
    [InlineData(4096)]
    [InlineData(8192)]
    [InlineData(12288)]
    public void ShortWritesAreContinued(int firstPart)
    {
        using TemporaryFile file = new(Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        FileDeviceQueue queue = (FileDeviceQueue)device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, 16384, 4);
        IoOp* op = h.Op(IoKind.Write, 0, 16384, h.Memory);
        op->DeviceState<FileOp>() = default;
        // As if the kernel had written the first part only.
        Assert.Equal(firstPart, Libc.WriteAt(device.Descriptor, h.Memory, firstPart, 0));
        queue.Advance(op, firstPart);
        h.Drain();
        Assert.Equal(16384, h.Results[0].Result);
        fixed (byte* content = file.Read()) Assert.True(DeviceClient.Same(content, h.Memory, 16384));
    }

    [Fact]
    public void InterruptedRequestsAreTriedAgainAndErrorsAreNot()
    {
        using TemporaryFile file = new(Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        FileDeviceQueue queue = (FileDeviceQueue)device.OpenQueue(h.Io);
        foreach (int error in new[] { -Errno.EAGAIN, -Errno.EINTR, -Errno.EIO })
        {
            IoOp* op = h.Op(IoKind.Read, 0, 4096, h.Memory, user: error);
            op->DeviceState<FileOp>() = default;
            queue.Advance(op, error);
        }
        h.Drain();
        Assert.Contains((-Errno.EAGAIN, 4096), h.Results);
        Assert.Contains((-Errno.EINTR, 4096), h.Results);
        Assert.Contains((-Errno.EIO, -Errno.EIO), h.Results);
    }

    [Fact]
    public void AFileCutOffUnderUsReadsAsAnError()
    {
        using TemporaryFile file = new(Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Assert.Equal(0, Libc.Truncate(device.Descriptor, 16384));
        Assert.Equal(-Errno.EIO, h.Run(queue, IoKind.Read, 8192, 16384));
    }

    [Theory]
    [InlineData(IoKind.Discard, null, 0)]
    [InlineData(IoKind.WriteZeroes, null, 0)]
    [InlineData(IoKind.Discard, Tmpfs, 0)]
    [InlineData(IoKind.WriteZeroes, Tmpfs, 0)]
    [InlineData(IoKind.Discard, null, Const.FALLOC_FL_PUNCH_HOLE)]
    [InlineData(IoKind.Discard, null, Const.FALLOC_FL_PUNCH_HOLE | Const.FALLOC_FL_ZERO_RANGE)]
    [InlineData(IoKind.WriteZeroes, null, Const.FALLOC_FL_ZERO_RANGE)]
    public void RangesReadAsZeroesWhateverTheFileSystemCanDo(IoKind kind, string? directory, int lacking)
    {
        using TemporaryFile file = new(4 * Mib, directory);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        device.Lacks(lacking);
        DeviceQueue queue = device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, 4 * Mib, 5);
        Assert.Equal(4 * Mib, h.Run(queue, IoKind.Write, 0, 4 * Mib));
        // Longer than the zeroes that one write takes along, and not a multiple of them.
        const int start = 4096, length = 2 * Mib + 12288;
        Assert.Equal(0, h.Run(queue, kind, start, length));
        fixed (byte* content = file.Read())
        {
            Assert.True(DeviceClient.Same(content, h.Memory, start));
            Assert.True(DeviceClient.IsZero(content + start, length));
            long after = start + length;
            Assert.True(DeviceClient.Same(content + after, h.Memory + after, 4 * Mib - after));
        }
    }

    [Fact]
    public void DiscardGivesSpaceBackAndExtentsShowIt()
    {
        using TemporaryFile file = new(8 * Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Assert.Equal(1, device.Preallocate(0, 8 * Mib));
        Assert.Equal(0, device.Preallocate(0, 8 * Mib));
        Assert.Equal(0, Libc.Status(device.Descriptor, out statx before));
        Assert.True(before.stx_blocks * 512 >= 8 * Mib);
        DeviceClient.Fill(h.Memory, 8 * Mib, 6);
        Assert.Equal(8 * Mib, h.Run(queue, IoKind.Write, 0, 8 * Mib));
        Assert.Equal(0, h.Run(queue, IoKind.Discard, 2 * Mib, 4 * Mib));
        Assert.Equal(0, Libc.Status(device.Descriptor, out statx after));
        Assert.True(after.stx_blocks < before.stx_blocks);
        Assert.Equal(2 * Mib, device.ExtentEnd(0, out bool isHole));
        Assert.False(isHole);
        Assert.Equal(6 * Mib, device.ExtentEnd(3 * Mib, out isHole));
        Assert.True(isHole);
        Assert.Equal(8 * Mib, device.ExtentEnd(6 * Mib, out isHole));
        Assert.False(isHole);
    }

    /// <summary>Less than that was there before, or all of a file system is asked for.</summary>
    [Fact]
    public void SpaceThatIsNotUsedGoesBack()
    {
        using TemporaryFile file = new(8 * Mib);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path);
        DeviceQueue queue = device.OpenQueue(h.Io);
        DeviceClient.Fill(h.Memory, Mib, 6);
        Assert.Equal(Mib, h.Run(queue, IoKind.Write, 4 * Mib, Mib));
        long before = Allocated(device);
        Assert.Equal(1, device.Preallocate(2 * Mib, 8 * Mib));
        Assert.Equal(before + (5 * Mib), Allocated(device));
        device.GiveBack(2 * Mib, 8 * Mib);
        Assert.Equal(before, Allocated(device));
        fixed (byte* content = file.Read()) Assert.True(DeviceClient.Same(content + (4 * Mib), h.Memory, Mib));
        Assert.True(Libc.Truncate(device.Descriptor, 1L << 43) >= 0);
        Assert.Equal(-Errno.ENOSPC, device.Preallocate(8 * Mib, 1L << 43));
        Assert.Equal(before, Allocated(device));
    }

    private static long Allocated(FileDevice device)
    {
        Assert.Equal(0, Libc.Status(device.Descriptor, out statx status));
        return (long)status.stx_blocks * 512;
    }

    [Fact]
    public void IdentityTellsFilesApartAndStays()
    {
        using TemporaryFile first = new(Mib), second = new(Mib);
        string identity;
        using (FileDevice device = FileDevice.Open(first.Path)) identity = device.Identity;
        using FileDevice again = FileDevice.Open(first.Path), other = FileDevice.Open(second.Path);
        Assert.Equal(identity, again.Identity);
        Assert.NotEqual(identity, other.Identity);
        Assert.InRange(Encoding.UTF8.GetByteCount(identity), 8, 128);
    }
}
