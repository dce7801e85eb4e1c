using System;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>Requests that do not begin and end on sectors.</summary>
public sealed class ByteTests
{
    private const int Size = 32 << 20;

    /// <summary>Answers that say what a request is, and what the engine saw of it.</summary>
    [Fact]
    public void AMergedWriteIsOneWriteAndReadsOnlyItsEdges()
    {
        using TestVolume volume = new(Size) { Log = [] };
        using NbdHost host = new(volume);
        byte[] model = Wire.Random(1 << 20, 1);
        model.CopyTo(volume.Bytes(0, model.Length));
        using NbdClient client = host.Serve();
        (int Offset, int Length, int Reads)[] shapes =
        [
            (1, 1, 1), (511, 1, 1), (511, 2, 2), (0, 511, 1), (100, 5000, 2), (512, 700, 1),
            (5000, 120, 1), (7, 99993, 2),
        ];
        foreach ((int offset, int length, int reads) in shapes)
        {
            volume.Log!.Clear();
            byte[] data = Wire.Random(length, offset);
            client.Write(offset, data, CommandFlags.Fua);
            data.CopyTo(model.AsSpan(offset));
            Assert.Equal(reads, volume.Log.Count(entry => entry.Kind == RequestKind.Read && entry.Length == 512));
            (RequestKind kind, RequestFlags flags, long start, long bytes) = volume.Log[^1];
            Assert.Equal((RequestKind.Write, RequestFlags.Fua), (kind, flags));
            Assert.Equal((offset & -512, (offset + length + 511 & -512) - (offset & -512)), ((int)start, (int)bytes));
            Assert.Equal(reads + 1, volume.Log.Count);
            Assert.True(volume.Bytes(0, model.Length).SequenceEqual(model));
            Assert.True(client.Read(offset, length).AsSpan().SequenceEqual(data));
        }
    }

    [Fact]
    public void ZeroesAreExactAndTrimsKeepTheirEdges()
    {
        using TestVolume volume = new(Size) { Log = [] };
        using NbdHost host = new(volume);
        using NbdClient client = host.Serve();
        byte[] model = Wire.Random(1 << 20, 1);
        client.Write(0, model);
        (int, int)[] shapes = [(1, 1), (511, 2), (100, 300), (513, 4096), (1000, 1560), (7, 99993)];
        foreach ((int offset, int length) in shapes)
        {
            Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, offset, length, CommandFlags.Fua));
            model.AsSpan(offset, length).Clear();
            Assert.True(volume.Bytes(0, model.Length).SequenceEqual(model));
        }
        Assert.Equal(0, client.Ask(NbdCommand.Trim, 200_001, 10_000));
        model.AsSpan(200_192, 209_920 - 200_192).Clear();
        Assert.Equal(0, client.Ask(NbdCommand.Trim, 300_001, 100));
        Assert.True(volume.Bytes(0, model.Length).SequenceEqual(model));
    }

    [Fact]
    public void AFailedEdgeFailsTheWriteAndWritesNothing()
    {
        using TestVolume volume = new(Size) { Log = [], FailOffset = 1024 };
        using NbdHost host = new(volume);
        using NbdClient client = host.Serve();
        Assert.Equal(NbdError.Io, client.Ask(NbdCommand.Write, 600, 500, 0, new byte[500]));
        Assert.DoesNotContain(volume.Log!, entry => entry.Kind == RequestKind.Write);
        volume.FailOffset = -1;
        client.Write(600, new byte[500]);
        client.Write(512, new byte[512]);
    }

    /// <summary>The counterpart of the lock: nobody waits who need not.</summary>
    [Fact]
    public void WholeSectorsWaitForNobodyElsewhere()
    {
        using TestVolume volume = new(Size);
        Export export = new("disk", "", volume);
        using NbdHost host = new([export], queues: 2);
        using NbdClient client = host.Serve(), other = host.Serve(), odd = host.Serve();
        volume.Hold = true;
        client.Request(NbdCommand.Write, 1, 0, 512, 0, new byte[512]);
        other.Request(NbdCommand.Write, 2, 0, 512, 0, new byte[512]);
        NbdHost.Until(() => volume.Submitted == 2, "two writes of one sector");
        odd.Request(NbdCommand.Write, 3, 1, 3, 0, new byte[3]);
        NbdHost.Until(() => export.Locks.ParkedCount == 1, "the merge in line");
        other.Request(NbdCommand.Write, 4, 2 << 20, 512, 0, new byte[512]);
        odd.Request(NbdCommand.Write, 5, (4 << 20) + 1, 3, 0, new byte[3]);
        NbdHost.Until(() => volume.Submitted == 4, "a write and the read of an edge elsewhere");
        Assert.Equal(1, export.Locks.ParkedCount);
        volume.Hold = false;
        Assert.Equal((1UL, 0), client.TakeSimple());
        Assert.Equal((2UL, 0), other.TakeSimple());
        Assert.Equal((4UL, 0), other.TakeSimple());
        _ = odd.TakeSimple();
        _ = odd.TakeSimple();
        Assert.True(export.Locks.IsIdle);
    }

    [Fact]
    public void AMergeWaitsForWhatWasBegunBeforeIt()
    {
        using TestVolume volume = new(Size) { Log = [] };
        using NbdHost host = new(volume, queues: 2);
        using NbdClient first = host.Serve();
        using NbdClient second = host.Serve();
        volume.Hold = true;
        first.Request(NbdCommand.Write, 1, 0, 512, 0, Enumerable.Repeat((byte)7, 512).ToArray());
        NbdHost.Until(() => volume.Submitted == 1, "the write in the engine");
        second.Request(NbdCommand.Write, 2, 10, 1, 0, [9]);
        second.Request(NbdCommand.Flush, 3, 0, 0);
        NbdHost.Until(() => volume.Submitted == 2, "the flush behind the merge in the engine");
        volume.Hold = false;
        Assert.Equal((1UL, 0), first.TakeSimple());
        Assert.Equal((3UL, 0), second.TakeSimple());
        Assert.Equal((2UL, 0), second.TakeSimple());
        Assert.Equal(9, volume.Bytes(10, 1)[0]);
        Assert.Equal(7, volume.Bytes(11, 1)[0]);
    }

    [Fact]
    public void WithoutTheGateAMergeDoesNotWait()
    {
        Mutant.Active = NbdMutant.EdgesUnguarded;
        try
        {
            using TestVolume volume = new(Size);
            using NbdHost host = new(volume, queues: 2);
            using NbdClient first = host.Serve(), second = host.Serve();
            volume.Hold = true;
            first.Request(NbdCommand.Write, 1, 0, 512, 0, new byte[512]);
            second.Request(NbdCommand.Write, 2, 10, 1, 0, [9]);
            NbdHost.Until(() => volume.Submitted == 2, "the read of the edge beside the write");
            volume.Hold = false;
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>
    /// Clients own bytes of the same sectors, one writes the sectors whole: nobody finds an older value of his own than
    /// the last that was acknowledged.
    /// </summary>
    [Theory]
    [InlineData("passthrough", 1)]
    [InlineData("passthrough", 3)]
    [InlineData("writeboost", 1)]
    [InlineData("writeboost", 3)]
    public void NoNeighbourIsLost(string engine, int queues)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume, queues);
        const int writers = 5, rounds = 100;
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, writers).Select(number => new Thread(() =>
        {
            try
            {
                using NbdClient client = host.Serve();
                for (int round = 0; round < rounds && failure == null; round++) Turn(client, number, round);
            }
            catch (Exception e)
            {
                failure = e;
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.True(failure == null, failure?.ToString());
    }

    // Writer 0 writes two sectors whole, with 128 and more; the others each their own stripe of odd bytes over their
    // border.
    private static void Turn(NbdClient client, int number, int round)
    {
        const int border = 4096, first = border - 512;
        byte mine = (byte)((number == 0 ? 128 : 0) + (round % 127) + 1);
        int from = number == 0 ? first : border - 30 + (number * 11);
        int length = number == 0 ? 1024 : 11;
        if (number != 0 && round % 8 == 7)
        {
            Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, from, length));
            mine = 0;
        }
        else client.Write(from, Enumerable.Repeat(mine, length).ToArray());
        byte[] found = client.Read(first, 1024);
        for (int i = 0; i < 1024; i++)
        {
            int at = first + i;
            bool own = number == 0 ? at < border - 19 || at >= border + 25 : at >= from && at < from + length;
            if (!own) continue;
            bool good = found[i] == mine || (number != 0 && found[i] >= 128);
            Assert.True(good, $"writer {number} round {round}: byte {at} is {found[i]}, was {mine}");
        }
    }
}
