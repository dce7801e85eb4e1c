using System;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// One record that a flush waits for is written durably by itself, where the device can: one operation in the place of
/// two, one after the other. As soon as anything else is not durable either, a flush it is.
/// </summary>
public sealed class DurableWriteTests
{
    [Fact]
    public void ARecordOfItsOwnNeedsNoFlush() => Run(writesDurably: true, (driver, cache) =>
    {
        long flushes = cache.Flushes;
        for (int i = 0; i < 10; i++)
        {
            driver.Write(i, i + 1);
            Assert.Equal(0, driver.Do(RequestKind.Flush));
        }
        Assert.Equal(10, cache.DurableWrites);
        Assert.Equal(flushes, cache.Flushes);
    });

    [Fact]
    public void ADeviceThatCannotIsFlushed() => Run(writesDurably: false, (driver, cache) =>
    {
        long flushes = cache.Flushes;
        driver.Write(0, 1);
        Assert.Equal(0, driver.Do(RequestKind.Flush));
        Assert.Equal(0, cache.DurableWrites);
        Assert.Equal(flushes + 1, cache.Flushes);
    });

    // A whole segment goes to the device before anybody waits for it; what is left of the second one comes after it.
    [Fact]
    public void AnotherRecordThatIsNotDurableIsFlushedToo() => Run(writesDurably: true, (driver, cache) =>
    {
        long flushes = cache.Flushes;
        driver.Write(0, 1, blocks: 40);
        Assert.Equal(0, driver.Do(RequestKind.Flush));
        Assert.Equal(0, cache.DurableWrites);
        Assert.Equal(flushes + 1, cache.Flushes);
    });

    // The write that fails is written again, plainly, and flushed.
    [Fact]
    public void AFailedOneIsWrittenAndFlushed() => Run(writesDurably: true, (driver, cache) =>
    {
        driver.Write(0, 1);
        (long flushes, cache.WritesToFail) = (cache.Flushes, 1);
        Assert.Equal(0, driver.Do(RequestKind.Flush));
        Assert.Equal(1, cache.DurableWrites);
        Assert.Equal(flushes + 1, cache.Flushes);
        Assert.Equal(1, driver.Read(0));
    });

    private static void Run(bool writesDurably, Action<QueueDriver, CountingDevice> body)
    {
        using SmallVolume small = new();
        small.Cache.WritesDurably = writesDurably;
        body(small.Driver, small.Cache);
        small.Driver.Stop();
    }
}
