using System;
using Weir.Core.Devices;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Writes whose bytes are not in memory: the engine fetches them to where they belong.</summary>
public sealed class FetchedWritesTests
{
    private const int DiskBytes = 4 << 20;

    [Theory]
    [InlineData("native", 128, false)]
    [InlineData("native", 128, true)]
    [InlineData("native", 2048, false)]
    [InlineData("writeboost2", 512, false)]
    public void EveryByteArrives(string layout, int segmentKib, bool around)
    {
        using RamDevice disk = new(DiskBytes), flash = new(32 << 20);
        using (RingContext io = new())
            WriteboostFormat.Format(io, flash, Layout.Find(layout), segmentKib << 10, Guid.NewGuid);
        WriteboostOptions options = new() { Layout = Layout.Find(layout), WriteAround = around };
        using DirectClient client = new(flash, disk, options) { FetchesWrites = true };
        byte[] model = new byte[DiskBytes];
        Random random = new(7);
        for (int i = 0; i < 600; i++)
        {
            int length = 512 * (i % 3 == 0 ? random.Next(1, 400) : random.Next(1, 20));
            int offset = 512 * random.Next(0, (DiskBytes - length) / 512);
            random.NextBytes(model.AsSpan(offset, length));
            client.Write(offset, model.AsSpan(offset, length));
        }
        for (int at = 0; at < DiskBytes; at += 1 << 18)
            Assert.True(client.Read(at, 1 << 18).AsSpan().SequenceEqual(model.AsSpan(at, 1 << 18)), $"differs at {at}");
        client.DrainAll();
        for (int at = 0; at < DiskBytes; at += 4096)
            Assert.True(BlockOf(disk, at).SequenceEqual(model.AsSpan(at, 4096)), $"the disk differs at {at}");
    }

    /// <summary>Neighbouring blocks of one record come in one go.</summary>
    [Fact]
    public void NeighboursAreFetchedAtOnce()
    {
        using RamDevice disk = new(DiskBytes), flash = new(32 << 20);
        using (RingContext io = new()) WriteboostFormat.Format(io, flash, Layout.Native, 1 << 20, Guid.NewGuid);
        using DirectClient client = new(flash, disk, new WriteboostOptions()) { FetchesWrites = true };
        int before = DirectClient.Fetches;
        client.Write(0, new byte[16 << 12]);
        Assert.Equal(1, DirectClient.Fetches - before);
        client.Write(512, new byte[16 << 12]);
        // A part of a block at each end.
        Assert.Equal(4, DirectClient.Fetches - before);
    }

    private static unsafe ReadOnlySpan<byte> BlockOf(RamDevice disk, int offset) => new(disk.Start + offset, 4096);
}
