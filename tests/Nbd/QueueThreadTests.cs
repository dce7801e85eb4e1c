using System;
using System.Linq;
using System.Threading;
using Weir.Core.Devices;
using Weir.Frontends;
using Xunit;

namespace Weir.Tests.Nbd;

public sealed unsafe class QueueThreadTests
{
    private static QueueThread New(IdleFrontend frontend, TestVolume volume, Action<Exception>? onFailure = null) =>
        new(0, static () => new RingContext(), [volume], frontend, onFailure ?? (_ => { }));

    [Fact]
    public void EveryMessageArrivesWhateverItsThread()
    {
        using TestVolume volume = new(4096);
        IdleFrontend frontend = new();
        using QueueThread queue = New(frontend, volume);
        queue.Start();
        Thread[] senders = Enumerable.Range(0, 4).Select(_ => new Thread(() => Send(queue))).ToArray();
        foreach (Thread sender in senders) sender.Start();
        foreach (Thread sender in senders) sender.Join();
        NbdHost.Until(() => Interlocked.Read(ref frontend.Received) == 4 * 5000, "every message");
        Assert.True(queue.Post(new QueueMessage(QueueMessageKind.Stop, 0)));
        queue.Join();
        Assert.Equal(0, queue.Result);
        Assert.True(frontend.IsDisposed);
        Assert.False(queue.Post(new QueueMessage(QueueMessageKind.Connection, 1)));
    }

    /// <summary>A full mailbox says so; the sender tries again.</summary>
    private static void Send(QueueThread queue)
    {
        for (int i = 0; i < 5000; i++)
            while (!queue.Post(new QueueMessage(QueueMessageKind.Connection, 1))) Thread.Yield();
    }

    /// <summary>Until the first look a volume cannot say when it has something to do.</summary>
    [Fact]
    public void AVolumeIsLookedAfterBeforeAnybodyComes()
    {
        using TestVolume volume = new(4096);
        using QueueThread queue = New(new IdleFrontend(), volume);
        queue.Start();
        NbdHost.Until(() => volume.Polls > 0, "the first look at the volume");
        queue.Post(new QueueMessage(QueueMessageKind.Stop, 0));
        queue.Join();
    }

    [Fact]
    public void AFailureOfTheThreadIsToldAndEndsIt()
    {
        using TestVolume volume = new(4096);
        Exception? told = null;
        QueueThread queue = New(new IdleFrontend(), volume, failure => told = failure);
        queue.Start();
        queue.Post(new QueueMessage(QueueMessageKind.Connection, -1));
        queue.Join();
        Assert.Equal("told to", told!.Message);
        Assert.NotEqual(0, queue.Result);
    }

    [Fact]
    public void WhatFailsAtTheStartIsThrownThere()
    {
        using TestVolume volume = new(4096);
        IdleFrontend frontend = new() { Throw = new InvalidOperationException("no") };
        using QueueThread queue = New(frontend, volume);
        Assert.Equal("no", Assert.Throws<InvalidOperationException>(queue.Start).Message);
        queue.Join();
        Assert.True(frontend.IsDisposed);
    }
}
