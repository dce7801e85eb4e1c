using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Tests.Simulation;
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
        using RamDevice backing = new(1 << 20), memory = new(8 << 20);
        CountingDevice cache = new(memory) { WritesDurably = true };
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        using SimRamStore ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
        WriteboostOptions options = new() { RamSegments = 4, SyncIntervalUs = 0, AllowWriteback = false };
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, cache, [new BackingSpec(null, "disk", backing)], ram, options);
        using Door door = new(volume, 0);
        LogPort port = new(volume.Log, cache.OpenQueue(io), io);
        cache.Hold = IoKind.Write;
        door.Write(0, 1);
        volume.Log.RequestDurable(port, volume.Log.ReservedEnd);
        Assert.Equal(1, cache.DurableWrites);
        long ticket = volume.Log.RequestFlush(port);
        door.Write(1, 1);
        long second = volume.Log.ReservedEnd;
        volume.Log.RequestDurable(port, second);
        cache.Release();
        while (volume.Log.Durable < second) Turn(io, port);
        Assert.True(volume.Log.IsFlushed(ticket), "a second commit has passed the ticket by");
        Assert.Equal(1, cache.DurableWrites);
        door.Stop();
    }

    private static void Turn(RingContext io, LogPort port)
    {
        io.Pump(false, long.MaxValue);
        io.RunCompletions();
        port.Poll();
    }
}
