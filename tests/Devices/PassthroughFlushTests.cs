using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.Devices;

/// <summary>
/// Whose flushes are believed (R6), and who does not flush (R16). Of two flushes at a time the system tells one alone
/// that something was lost, and may answer the other first.
/// </summary>
public sealed unsafe class PassthroughFlushTests
{
    [Fact]
    public void NoneIsBelievedBesideOneThatFails() => Assert.Equal((-Errno.EIO, -Errno.EIO), FlushOfTwoQueues());

    [Fact]
    public void WithoutTheLockOneIs() => Assert.Equal(
        (-Errno.EIO, 0), With(PassthroughMutant.R6FlushesBeside, FlushOfTwoQueues));

    /// <summary>R16: what is served read-only is not even flushed.</summary>
    [Fact]
    public void TheStopOfAReadOnlyVolumeFlushesNothing() => Assert.Equal(
        (0, 1, 1), (FlushesOfStop(readOnly: true), FlushesOfStop(readOnly: false),
            With(PassthroughMutant.R16ReadOnlyFlushes, static () => FlushesOfStop(readOnly: true))));

    /// <summary>Whoever waits when a flush begins is answered by it.</summary>
    [Fact]
    public void ThoseThatWaitShareOne()
    {
        using RamDevice ram = new(1 << 20);
        using OneErrorDevice device = new(ram) { HasLost = false };
        using PassthroughVolume volume = new(device);
        using MemoryContext io = new();
        IVolumeQueue queue = volume.OpenQueue(0, io);
        Request* requests = stackalloc Request[5];
        for (int i = 0; i < 5; i++)
        {
            requests[i] = new Request { Kind = RequestKind.Flush };
            queue.Submit(&requests[i]);
        }
        int answered = 0;
        while (answered < 5)
        {
            device.AnswerNewestFirst();
            QueueDriver.Turn(io, queue, sleepUs: 0);
            for (Request* done; (done = queue.TakeCompleted()) != null; answered++) Assert.Equal(0, done->Result);
        }
        Assert.Equal(2, device.Flushes);
    }

    [Fact]
    public void ALaterSuccessDoesNotHideAnEarlierFailure()
    {
        FlushTickets tickets = new();
        long first = tickets.Ask();
        tickets.End(first, "lost");
        long second = tickets.Ask();
        tickets.End(second, null);
        Assert.Equal(("lost", null), (tickets.FailureOf(first), tickets.FailureOf(second)));
    }

    private static T With<T>(PassthroughMutant mutant, Func<T> run)
    {
        Mutant.Active = mutant;
        try
        {
            return run();
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private static int FlushesOfStop(bool readOnly)
    {
        using RamDevice ram = new(1 << 20);
        using OneErrorDevice device = new(ram);
        using PassthroughVolume volume = new(device, readOnly: readOnly);
        using MemoryContext io = new();
        IVolumeQueue queue = volume.OpenQueue(0, io);
        queue.BeginStop();
        while (!queue.StopStatus.IsOver)
        {
            device.AnswerNewestFirst();
            QueueDriver.Turn(io, queue, sleepUs: 0);
        }
        return device.Flushes;
    }

    private static (int First, int Second) FlushOfTwoQueues()
    {
        using RamDevice ram = new(1 << 20);
        using OneErrorDevice device = new(ram) { HasLost = true };
        using PassthroughVolume volume = new(device);
        using MemoryContext one = new(), other = new();
        IVolumeQueue first = volume.OpenQueue(0, one), second = volume.OpenQueue(1, other);
        Request* requests = stackalloc Request[2];
        requests[0] = requests[1] = new Request { Kind = RequestKind.Flush };
        first.Submit(&requests[0]);
        second.Submit(&requests[1]);
        int answered = 0;
        while (answered < 2)
        {
            device.AnswerNewestFirst();
            QueueDriver.Turn(other, second, sleepUs: 0);
            if (second.TakeCompleted() != null) answered++;
            QueueDriver.Turn(one, first, sleepUs: 0);
            if (first.TakeCompleted() != null) answered++;
        }
        return (requests[0].Result, requests[1].Result);
    }

    /// <summary>Keeps flushes until they are answered, the newest first; the first to come has the error.</summary>
    private sealed class OneErrorDevice(RamDevice inner) : WrappedDevice(inner)
    {
        private readonly Stack<(IoContext Io, nint Op, int Result)> _held = [];

        public bool HasLost { get; set; }

        public int Flushes { get; private set; }

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, Inner.OpenQueue(io));

        public void AnswerNewestFirst()
        {
            if (_held.TryPop(out (IoContext Io, nint Op, int Result) flush))
                flush.Io.Complete((IoOp*)flush.Op, flush.Result);
        }

        private sealed class Queue(OneErrorDevice device, IoContext io, DeviceQueue inner) : DeviceQueue
        {
            public override void Submit(IoOp* op)
            {
                if (op->Kind != IoKind.Flush)
                {
                    inner.Submit(op);
                    return;
                }
                device.Flushes++;
                device._held.Push((io, (nint)op, device.HasLost ? -Errno.EIO : 0));
                device.HasLost = false;
            }
        }
    }
}
