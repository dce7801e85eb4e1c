using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Whoever waits for a flush of the whole device, as superblocks do, gets it with the next commit, however many clients
/// have records written that are durable by themselves.
/// </summary>
public sealed class FlushTicketTests
{
    [Fact]
    public void ATicketIsServedWithTheNextCommit()
    {
        using SmallVolume small = new();
        (CountingDevice cache, QueueDriver driver, SegmentLog log) = (small.Cache, small.Driver, small.Volume.Log);
        cache.WritesDurably = true;
        LogPort port = new(log, cache, cache.OpenQueue(small.Io), small.Io);
        cache.Hold = IoKind.Write;
        driver.Write(0, 1);
        log.RequestDurable(port, log.ReservedEnd);
        Assert.Equal(1, cache.DurableWrites);
        long ticket = log.RequestFlush(port);
        driver.Write(1, 1);
        long second = log.ReservedEnd;
        log.RequestDurable(port, second);
        cache.Release();
        while (log.Durable < second) Turn(small.Io, port);
        Assert.True(log.IsFlushed(ticket), "a second commit has passed the ticket by");
        Assert.Equal(1, cache.DurableWrites);
        driver.Stop();
    }

    /// <summary>A thread whose flush is to be tried again stays: nobody else would, and a stop waits for it.</summary>
    [Fact]
    public void APortThatOwesAFlushIsNotQuiet()
    {
        using SmallVolume small = new();
        (CountingDevice cache, QueueDriver driver, SegmentLog log) = (small.Cache, small.Driver, small.Volume.Log);
        LogPort port = new(log, cache, cache.OpenQueue(small.Io), small.Io);
        driver.Write(0, 1);
        long end = log.ReservedEnd;
        cache.FlushesToFail = LogPort.MaxAttempts;
        log.RequestDurable(port, end);
        while (cache.FlushesToFail > 0 || log.FlushesGoWell) Turn(small.Io, port);
        Assert.True(log.Durable < end);
        Assert.False(port.IsQuiet);
        while (!port.IsQuiet) Turn(small.Io, port);
        Assert.True(log.Durable >= end);
        driver.Stop();
    }

    private static void Turn(RingContext io, LogPort port)
    {
        io.Pump(false, long.MaxValue);
        io.RunCompletions();
        port.Poll();
    }
}
