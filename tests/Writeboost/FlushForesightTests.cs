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
    public void AFlushThatCameTwiceIsForeseen(int writes) => Run((door, cache) =>
    {
        for (int i = 0; i < 2; i++)
        {
            Write(door, writes);
            Assert.Equal(0, door.Do(RequestKind.Flush));
        }
        long before = cache.Flushes;
        Write(door, writes - 1);
        door.Idle(2000);
        Assert.Equal(before, cache.Flushes);
        Write(door, 1);
        door.Until(() => cache.Flushes > before);
        Assert.Equal(0, door.Do(RequestKind.Flush));
        Assert.Equal(before + 1, cache.Flushes);
    });

    [Fact]
    public void WritesThatNoFlushFollowsCostOneFlush() => Run((door, cache) =>
    {
        for (int i = 0; i < 3; i++)
        {
            Write(door, 1);
            Assert.Equal(0, door.Do(RequestKind.Flush));
        }
        long before = cache.Flushes;
        for (int i = 0; i < 20; i++)
        {
            Write(door, 1);
            door.Idle(1000);
        }
        Assert.Equal(before + 1, cache.Flushes);
    });

    [Fact]
    public void WithoutAHabitNothingIsForeseen() => Run((door, cache) =>
    {
        for (int writes = 1; writes < 6; writes++)
        {
            long before = cache.Flushes;
            Write(door, writes);
            door.Idle(1000);
            Assert.Equal(before, cache.Flushes);
            Assert.Equal(0, door.Do(RequestKind.Flush));
        }
    });

    private static void Write(Door door, int writes)
    {
        for (int i = 0; i < writes; i++) door.Write(i, i + 1);
    }

    private static void Run(Action<Door, CountingDevice> body)
    {
        using SmallVolume small = new();
        body(small.Door, small.Cache);
        small.Door.Stop();
    }
}
