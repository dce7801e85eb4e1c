using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Write-back reads the next segments from the cache device while it writes to the backing device, once each; one that
/// could not be read ahead is read when it is due.
/// </summary>
public sealed class WritebackAheadTests
{
    private const int BlocksPerSegment = 31, Segments = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheNextBatchIsReadWhileThisOneIsWritten(bool fails)
    {
        using RamDevice backingMemory = new(4 << 20), cacheMemory = new(8 << 20);
        CountingDevice backing = new(backingMemory), cache = new(cacheMemory);
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        using SimRamStore ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
        WriteboostOptions options = new()
        {
            RamSegments = 8, SyncIntervalUs = 0, AllowWriteback = false, MaxBatchedWriteback = 1, IdleUs = 0,
        };
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, cache, [new BackingSpec(null, "disk", backing)], ram, options);
        using Door door = new(volume, 0);
        for (int i = 0; i < Segments * BlocksPerSegment; i++) door.Write(i, i + 1);
        door.Write(Segments * BlocksPerSegment, 1);
        Assert.Equal(0, door.Do(RequestKind.Flush));
        cache.Clear();
        backing.Hold = IoKind.WriteVector;
        cache.ReadsToPass = fails ? 1 : int.MaxValue;
        options.AllowWriteback = true;
        door.Until(() => backing.HeldCount == 1 && cache.Reads == 2);
        cache.ReadsToPass = int.MaxValue;
        backing.Release();
        door.Until(() => volume.Log.DirtySegment > Segments);
        Assert.Equal(Segments + (fails ? 1 : 0), cache.Reads);
        for (int i = 0; i < Segments * BlocksPerSegment; i++) Assert.Equal(i + 1, Word(backingMemory, i));
        door.Stop();
    }

    private static unsafe long Word(RamDevice device, long block) => *(long*)(device.Start + (block << 12));
}
