using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Nbd;

// The first queue's other work: accepting clients and giving each queue its share.
internal sealed unsafe partial class NbdQueue
{
    /// <summary>When descriptors or memory are short, accepting rests this long.</summary>
    private const long AcceptRestUs = 100_000;

    /// <summary>A client may think this long about its next option while others wait for a place.</summary>
    private const long SilenceUs = 200_000;

    /// <summary>The queues are asked for a place no more often than this.</summary>
    private const long MakeRoomRestUs = 20_000;

    private int _acceptCount;
    private long _roomAskedUs;
    private bool _acceptRetry;

    private void BeginAccept()
    {
        foreach (Listener listener in _server.Listeners)
        {
            IoOp* op = Io.Acquire(_handler, IoKind.Accept);
            Invariant.Check(op != null);
            op->Step = AcceptStep;
            op->UserInt = Array.IndexOf(_server.Listeners, listener);
            listener.Accept = op;
            Accept(listener);
        }
    }

    private void Accept(Listener listener)
    {
        _acceptCount++;
        Io.Accept(listener.Accept, listener.Descriptor);
    }

    private void Accepted(IoOp* op)
    {
        _acceptCount--;
        Listener listener = _server.Listeners[op->UserInt];
        int fd = op->Result;
        if (_stopping)
        {
            if (fd >= 0) _ = Libc.Close(fd);
            EndAccept(listener);
            return;
        }
        if (fd < 0)
        {
            listener.AcceptWaits = true;
            _acceptRetry = true;
            _timerUs = Math.Min(_timerUs, Io.NowUs + AcceptRestUs);
            return;
        }
        Distribute(listener, fd);
        Accept(listener);
    }

    private void Distribute(Listener listener, int fd)
    {
        if (listener.IsTcp) Listener.TuneTcp(fd);
        QueueThread? queue = _server.Enter();
        if (_server.IsFull) AskForRoom(Io.NowUs);
        if (queue == _thread)
        {
            Serve(fd);
            return;
        }
        if (queue != null && queue.Post(new QueueMessage(QueueMessageKind.Connection, fd))) return;
        if (queue != null) _server.Leave();
        Counters.RefusedConnections++;
        _server.NoteFull();
        _ = Libc.Close(fd);
    }

    // Clients that connect and say nothing must not keep others out until their time is over.
    private void AskForRoom(long nowUs)
    {
        if (nowUs < _roomAskedUs + MakeRoomRestUs) return;
        _roomAskedUs = nowUs;
        foreach (QueueThread thread in _server.Threads)
            if (thread != _thread) thread.Post(new QueueMessage(QueueMessageKind.MakeRoom, 0));
        MakeRoom(nowUs);
    }

    private void MakeRoom(long nowUs)
    {
        Connection? oldest = null;
        foreach (Connection? connection in _connections)
        {
            bool isOlder = connection is { IsHandshaking: true }
                && (oldest == null || connection.DeadlineUs < oldest.DeadlineUs);
            if (isOlder) oldest = connection;
        }
        if (oldest != null && oldest.DeadlineUs - IdleUs + SilenceUs <= nowUs) oldest.Abort();
    }

    private void RetryAccept()
    {
        _acceptRetry = false;
        if (_stopping) return;
        foreach (Listener listener in _server.Listeners)
        {
            if (!listener.AcceptWaits) continue;
            listener.AcceptWaits = false;
            Accept(listener);
        }
    }

    /// <summary>Nobody new comes in; those in the kernel's queue see the connection end.</summary>
    private void EndAccept()
    {
        if (_thread!.Index != 0) return;
        foreach (Listener listener in _server.Listeners)
        {
            if (listener.AcceptWaits) EndAccept(listener);
            else if (listener.Accept != null) Io.Cancel(listener.Accept);
        }
    }

    private void EndAccept(Listener listener)
    {
        listener.AcceptWaits = false;
        Io.Release(listener.Accept);
        listener.Accept = null;
        listener.Dispose();
    }
}
