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

    /// <summary>
    /// A client may think this long about its next option while others wait for a place; and one that was asked for
    /// may take this long to become free, before the next is asked for.
    /// </summary>
    private const long SilenceUs = 200_000;

    /// <summary>How soon a client that waits for a place is tried again.</summary>
    private const long PlaceRetryUs = 1000;

    private int _acceptCount;
    private bool _acceptRetry;

    private void BeginAccept()
    {
        foreach (Listener listener in _server.Listeners)
        {
            IoOp* op = Io.Acquire(_handler, IoKind.Other);
            Invariant.Check(op != null);
            op->Step = AcceptStep;
            op->Own<NbdOp>().Index = Array.IndexOf(_server.Listeners, listener);
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
        Listener listener = _server.Listeners[op->Own<NbdOp>().Index];
        int fd = op->Result;
        if (_stopping)
        {
            if (fd >= 0) _ = Libc.Close(fd);
            EndAccept(listener);
            return;
        }
        if (fd < 0)
        {
            _server.Files.NoteRefused(fd);
            listener.AcceptWaits = true;
            _acceptRetry = true;
            _timerUs = Math.Min(_timerUs, Io.NowUs + AcceptRestUs);
            return;
        }
        if (listener.IsTcp) Listener.TuneTcp(fd);
        (listener.Newcomer, listener.RoomAskedUs) = (fd, 0);
        Place(listener);
    }

    /// <summary>
    /// Gives the newcomer a place and accepts the next. When none is free it waits, and those behind it in the
    /// kernel's queue, until the client that has been silent longest has gone. There is always one, now or soon: there
    /// are more places than clients that may be served.
    /// </summary>
    private void Place(Listener listener)
    {
        if (TryDistribute(listener.Newcomer))
        {
            listener.Newcomer = -1;
            Accept(listener);
            return;
        }
        long nowUs = Io.NowUs;
        if (nowUs >= listener.RoomAskedUs + SilenceUs && TryAskForRoom(nowUs)) listener.RoomAskedUs = nowUs;
        _acceptRetry = true;
        _timerUs = Math.Min(_timerUs, nowUs + PlaceRetryUs);
    }

    private bool TryDistribute(int fd)
    {
        QueueThread? queue = _server.Enter();
        if (queue == null) return false;
        if (queue == _thread) Serve(fd);
        else if (!queue.Post(new QueueMessage(QueueMessageKind.Connection, fd)))
        {
            _server.Leave();
            return false;
        }
        return true;
    }

    /// <summary>Ends the client silent longest, of all queues; false: all have said something just now.</summary>
    private bool TryAskForRoom(long nowUs)
    {
        int longest = 0;
        for (int i = 1; i < _server.Queues.Length; i++)
            if (_server.Queues[i].SilentSinceUs < _server.Queues[longest].SilentSinceUs) longest = i;
        if (_server.Queues[longest].SilentSinceUs > nowUs - SilenceUs) return false;
        return _server.Threads[longest].Post(new QueueMessage(QueueMessageKind.MakeRoom, 0));
    }

    /// <summary>Since when this queue's client silent longest is. Any thread: a client may speak meanwhile.</summary>
    private long SilentSinceUs => SilentLongest()?.SilentSinceUs ?? long.MaxValue;

    private Connection? SilentLongest()
    {
        Connection? longest = null;
        long sinceUs = long.MaxValue;
        foreach (Connection? connection in _connections)
        {
            if (connection == null || connection.SilentSinceUs >= sinceUs) continue;
            (longest, sinceUs) = (connection, connection.SilentSinceUs);
        }
        return longest;
    }

    private void MakeRoom(long nowUs)
    {
        Connection? longest = SilentLongest();
        if (longest != null && longest.SilentSinceUs <= nowUs - SilenceUs) longest.AbortLate();
    }

    private void RetryAccept()
    {
        _acceptRetry = false;
        if (_stopping) return;
        foreach (Listener listener in _server.Listeners)
        {
            if (listener.Newcomer >= 0) Place(listener);
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
            if (listener.AcceptWaits || listener.Newcomer >= 0) EndAccept(listener);
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
