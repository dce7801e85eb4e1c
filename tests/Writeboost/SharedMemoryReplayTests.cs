using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>What a life that died leaves in memory, and its successor writes to the log (R1, R12).</summary>
public sealed class SharedMemoryReplayTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _disk = new(16 << 20);
    private readonly RamDevice _flash = new(8 << 20);
    private readonly SimRamStore _store = new(new SimWorld(1, trace: false), outlivesProcess: true);
    private readonly WriteboostOptions _options = new()
    {
        AllowWriteback = false, SyncIntervalUs = 0, ReadCacheThreshold = 127, RamSegments = 8,
    };

    [Fact]
    public void ASegmentOfStagedReadsDoesNotEndTheLog()
    {
        const int staged = 31;
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        CountingDevice cache = new(_flash);
        using (DirectClient client = new(cache, new KeptDevice(_disk), _options, _store))
        {
            cache.Hold = IoKind.Write;
            for (int i = 0; i < staged; i++) client.Read(i * 2 * Block, Block);
            Assert.Equal(staged, new StatusFigures(client.Volume)["blocks_staged"]);
            client.Write(8 << 20, Data(1));
            client.Write(9 << 20, Data(2));
        }
        _store.ProcessDied();
        // The first start writes what memory held; the second has nothing but the log.
        Check();
        _store.Empty();
        Check();
    }

    public void Dispose()
    {
        _store.Dispose();
        _disk.Dispose();
        _flash.Dispose();
    }

    private void Check()
    {
        using DirectClient client = new(new KeptDevice(_flash), new KeptDevice(_disk), _options, _store);
        Assert.Equal(Data(1), client.Read(8 << 20, Block));
        Assert.Equal(Data(2), client.Read(9 << 20, Block));
        Assert.Equal(new byte[Block], client.Read(0, Block));
    }

    private static byte[] Data(byte value)
    {
        byte[] data = new byte[Block];
        Array.Fill(data, value);
        return data;
    }
}
