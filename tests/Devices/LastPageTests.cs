using System;
using System.Runtime.InteropServices;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>
/// A file of an odd size has its last page in the page cache, and no other: where direct I/O met a page that is dirty
/// there, the kernel reports "Page cache invalidation failure" and fails the next flush.
/// </summary>
public sealed unsafe partial class LastPageTests
{
    private const int Mib = 1 << 20, Page = 4096;

    /// <summary>Sizes that end inside a sector, in every sector of a page that there can be.</summary>
    [Theory]
    [InlineData(7_340_555)]
    [InlineData(Mib + 1)]
    [InlineData(Mib + 4095)]
    [InlineData(Mib + 513)]
    [InlineData(5 * Page + 3000)]
    [InlineData(100)]
    public void OnlyTheLastPageIsInThePageCache(int sizeBytes)
    {
        using TemporaryFile file = new(sizeBytes);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path, anySize: true);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Random random = new(1);
        for (int round = 0; round < 200; round++)
        {
            Touch(h, device, queue, random);
            OnlyPageOf(file.Path, device, sizeBytes);
        }
    }

    /// <summary>Where the end once was stays as it was: what is dirty there is in the page cache.</summary>
    [Fact]
    public void AFileThatGrowsKeepsEachLastPageApart()
    {
        using TemporaryFile file = new(Mib + 100);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path, anySize: true);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Random random = new(1);
        long[] ends = [Mib + 100, Mib + 700, Mib + Page, 2 * Mib, (2 * Mib) + 7, 3 * Mib];
        for (int i = 0; i < ends.Length; i++)
        {
            Assert.Equal(0, Libc.Truncate(device.Descriptor, ends[i]));
            Assert.Equal(i > 0, device.TryGrow());
            for (int round = 0; round < 50; round++) Touch(h, device, queue, random);
            OnlyPageOf(file.Path, device, ends[..(i + 1)]);
        }
    }

    private static void Touch(DeviceClient h, FileDevice device, DeviceQueue queue, Random random)
    {
        long block = device.LogicalBlockBytes, blocks = device.SizeBytes / block;
        long from = Math.Max(0, blocks - 1 - random.Next(300)), length = 1 + random.Next((int)(blocks - from));
        IoKind kind = (IoKind)(1 + random.Next(5));
        // The kernel zeroes parts of blocks in the page cache itself, and keeps direct I/O away meanwhile.
        if (kind is IoKind.Discard or IoKind.WriteZeroes)
        {
            from &= -(Page / block);
            length = blocks - from;
        }
        IoOp* op = h.Op(kind, from * block, kind == IoKind.Flush ? 0 : length * block, h.Memory);
        op->Durable = kind == IoKind.Write && device.CanWriteDurably && random.Next(2) == 0;
        queue.Submit(op);
        h.Drain();
        Assert.True(h.Results[^1].Result >= 0);
    }

    private static void OnlyPageOf(string path, FileDevice device, params long[] ends)
    {
        // Without direct I/O everything goes through the page cache, and nothing meets.
        if (!device.Facts.IsDirect) return;
        int fd = Libc.Open(path, Const.O_RDONLY | Const.O_CLOEXEC);
        nuint bytes = (nuint)device.ClientBytes;
        nint start = Libc.Map(bytes, Const.PROT_READ, Const.MAP_SHARED, fd, 0);
        byte[] cached = new byte[(bytes + Page - 1) / Page];
        fixed (byte* p = cached) Assert.Equal(0, mincore((void*)start, bytes, p));
        Assert.Equal(0, Libc.Unmap((void*)start, bytes));
        Assert.Equal(0, Libc.Close(fd));
        for (int page = 0; page < cached.Length; page++)
        {
            long unit = (long)page * Page / device.Facts.CachedUnitBytes;
            bool isEnd = Array.Exists(
                ends, end => end % device.LogicalBlockBytes != 0 && end / device.Facts.CachedUnitBytes == unit);
            Assert.True(isEnd || (cached[page] & 1) == 0, $"page {page} of {cached.Length} is in the page cache");
        }
    }

    [LibraryImport("libc")]
    private static partial int mincore(void* start, nuint lengthBytes, byte* pages);
}
