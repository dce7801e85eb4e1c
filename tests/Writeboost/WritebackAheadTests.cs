using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Write-back reads the next segments from the cache device while it writes to the backing device, once each; one that
/// could not be read ahead is read when it is due.
/// </summary>
public sealed class WritebackAheadTests
{
    private const int Segments = 3, Blocks = Segments * SmallVolume.BlocksPerSegment;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheNextBatchIsReadWhileThisOneIsWritten(bool fails)
    {
        using SmallVolume small = new(static options =>
            (options.RamSegments, options.MaxBatchedWriteback, options.IdleUs) = (8, 1, 0));
        (CountingDevice cache, CountingDevice backing, QueueDriver driver) = (small.Cache, small.Backing, small.Driver);
        for (int i = 0; i < Blocks; i++) driver.Write(i, i + 1);
        driver.Write(Blocks, 1);
        Assert.Equal(0, driver.Do(RequestKind.Flush));
        cache.Clear();
        backing.Hold = IoKind.Write;
        cache.ReadsToPass = fails ? 1 : int.MaxValue;
        small.Options.AllowWriteback = true;
        driver.Until(() => backing.HeldCount == 1 && cache.Reads == 2);
        cache.ReadsToPass = int.MaxValue;
        backing.Release();
        driver.Until(() => small.Volume.Log.DirtySegment > Segments);
        Assert.Equal(Segments + (fails ? 1 : 0), cache.Reads);
        for (int i = 0; i < Blocks; i++) Assert.Equal(i + 1, Word(small.BackingMemory, i));
        driver.Stop();
    }

    private static unsafe long Word(RamDevice device, long block) => *(long*)(device.Start + (block << 12));
}
