using System;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A client that flushes after every so many writes: the log is on its way to the device before the next flush comes,
/// and whoever changes the habit pays no more than one flush for it.
/// </summary>
public sealed class FlushForesightTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AFlushThatCameTwiceIsForeseen(int writes) => Run((driver, cache) =>
    {
        for (int i = 0; i < 2; i++)
        {
            Write(driver, writes);
            Assert.Equal(0, driver.Do(RequestKind.Flush));
        }
        long before = cache.Flushes;
        Write(driver, writes - 1);
        driver.Idle(2000);
        Assert.Equal(before, cache.Flushes);
        Write(driver, 1);
        driver.Until(() => cache.Flushes > before);
        Assert.Equal(0, driver.Do(RequestKind.Flush));
        Assert.Equal(before + 1, cache.Flushes);
    });

    [Fact]
    public void WritesThatNoFlushFollowsCostOneFlush() => Run((driver, cache) =>
    {
        for (int i = 0; i < 3; i++)
        {
            Write(driver, 1);
            Assert.Equal(0, driver.Do(RequestKind.Flush));
        }
        long before = cache.Flushes;
        for (int i = 0; i < 20; i++)
        {
            Write(driver, 1);
            driver.Idle(1000);
        }
        Assert.Equal(before + 1, cache.Flushes);
    });

    [Fact]
    public void WithoutAHabitNothingIsForeseen() => Run((driver, cache) =>
    {
        for (int writes = 1; writes < 6; writes++)
        {
            long before = cache.Flushes;
            Write(driver, writes);
            driver.Idle(1000);
            Assert.Equal(before, cache.Flushes);
            Assert.Equal(0, driver.Do(RequestKind.Flush));
        }
    });

    private static void Write(QueueDriver driver, int writes)
    {
        for (int i = 0; i < writes; i++) driver.Write(i, i + 1);
    }

    private static void Run(Action<QueueDriver, CountingDevice> body)
    {
        using SmallVolume small = new();
        body(small.Driver, small.Cache);
        small.Driver.Stop();
    }
}
