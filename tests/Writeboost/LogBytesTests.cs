using System;
using Weir.Core.Devices;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>What a small write with its flush costs on the cache device (W3).</summary>
public sealed class LogBytesTests
{
    private const int Writes = 500;

    /// <summary>By the engine's counter and by the device's, superblock and all.</summary>
    [Theory]
    [InlineData(128 << 10)]
    [InlineData(1 << 20)]
    [InlineData(4 << 20)]
    public void ABlockAndItsFlushCostTwoBlocksOfLog(int segmentBytes)
    {
        long segments = 6 + (Writes * 9L * 1024 / segmentBytes);
        using RamDevice cacheMemory = new((1 << 20) + (segments * segmentBytes));
        using RamDevice backingMemory = new(16 << 20);
        CountedDevice cache = new(cacheMemory), backing = new(backingMemory);
        using (MemoryContext io = new())
            WriteboostFormat.Format(io, cache, Layout.Native, segmentBytes, Guid.NewGuid);
        using DirectClient client = new(cache, backing, new WriteboostOptions(), io: new MemoryContext());
        (long before, long deviceBefore) = (client.Volume.Log.BytesWritten, cache.BytesWritten);
        Random random = new(1);
        byte[] block = new byte[Geometry.BlockBytes];
        for (int i = 0; i < Writes; i++)
        {
            random.NextBytes(block);
            client.Write(random.Next(4096) * 4096L, block);
            client.Flush();
        }
        Assert.InRange(client.Volume.Log.BytesWritten - before, 1, Writes * 8.5 * 1024);
        Assert.InRange(cache.BytesWritten - deviceBefore, 1, Writes * 8.5 * 1024);
        client.Stop();
    }
}
