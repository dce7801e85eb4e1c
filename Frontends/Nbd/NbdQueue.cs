using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Recording;
using Weir.Native;

namespace Weir.Frontends.Nbd;

/// <summary>The NBD clients of one queue. The first queue also accepts, for all.</summary>
internal sealed unsafe partial class NbdQueue : IQueueFrontend, IIoHandler, IPlaces
{
    /// <summary>Data memories registered with the ring, which pins them: those of the first connections.</summary>
    private const int RegisteredArenas = 1;

    private const byte AcceptStep = 1;
    private const byte ReceiveStep = 2;
    private const byte SendStep = 3;

    private struct NbdOp
    {
        // The connection's, or the listener's.
        public int Index;
    }

    private readonly NbdServer _server;
    private readonly Connection?[] _connections;
    private readonly IoOp*[] _operations;
    private readonly Connection[] _touched;
    private int _touchedCount;
    private int _openCount;
    private ushort _handler;
    private long _timerUs = long.MaxValue;
    private bool _stopping;
    private QueueThread? _thread;
    private RingContext? _io;

    /// <summary>Prepares the queue's tables.</summary>
    public NbdQueue(NbdServer server)
    {
        _server = server;
        _connections = new Connection?[server.MostOpen];
        _operations = new IoOp*[2 * server.MostOpen];
        _touched = new Connection[server.MostOpen];
    }

    /// <summary>What this queue has done.</summary>
    public NbdCounters Counters { get; } = new();

    /// <summary>The thread's ring.</summary>
    public RingContext Io => _io!;

    /// <summary>What can be asked for.</summary>
    public Export[] Exports => _server.Exports;

    /// <summary>How long a client may take for an option, or for its last replies.</summary>
    public long IdleUs => _server.IdleUs;

    /// <summary>Where it is noted what clients ask for.</summary>
    public TraceTap Tap => _thread!.Tap;

    /// <summary>The thread's queue of an export's volume.</summary>
    public IVolumeQueue Volume(Export export) => _thread!.Volume(export.Volume);

    /// <inheritdoc/>
    public bool HasWork => _touchedCount > 0;

    /// <inheritdoc/>
    public long DeadlineUs => _timerUs;

    /// <inheritdoc/>
    public bool MayRefuseAtStop => true;

    /// <inheritdoc/>
    public bool IsStopped => _stopping && _openCount == 0 && _acceptCount == 0;

    /// <inheritdoc/>
    public void Open(QueueThread thread)
    {
        _thread = thread;
        _io = (RingContext)thread.Io;
        _grants = new GrantQueue(thread.Index, _io);
        _handler = _io.AddHandler(this);
        AcquireOperations();
        for (int i = 0; i < RegisteredArenas; i++) _connections[i] = NewConnection(i);
        if (thread.Index == 0) BeginAccept();
    }

    /// <inheritdoc/>
    public void Receive(QueueMessage message)
    {
        if (message.Kind == QueueMessageKind.Connection) Serve(message.Value);
        else if (message.Kind == QueueMessageKind.MakeRoom) MakeRoom(Io.NowUs);
        else if (message.Kind == QueueMessageKind.ExportGone) CloseGone();
    }

    private void CloseGone()
    {
        long untilUs = Io.NowUs + NbdServer.StopPatienceUs;
        foreach (Connection? connection in _connections) connection?.CloseIfGone(untilUs);
        _timerUs = 0;
    }

    /// <summary>Puts <paramref name="connection"/> on this turn's list.</summary>
    public void Touch(Connection connection)
    {
        if (connection.IsTouched) return;
        connection.IsTouched = true;
        _touched[_touchedCount++] = connection;
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Step == AcceptStep)
        {
            Accepted(op);
            return;
        }
        Connection connection = _connections[op->Own<NbdOp>().Index]!;
        if (op->Step == ReceiveStep) connection.ReceiveDone(op);
        else connection.SendDone(op);
    }

    /// <inheritdoc/>
    public void Step(long nowUs)
    {
        if (nowUs >= _timerUs) RunTimers(nowUs);
        PassGranted();
        int count = _touchedCount;
        for (int i = 0; i < count; i++) _touched[i].Step(nowUs);
    }

    /// <inheritdoc/>
    public void Complete(Request* request) => _connections[request->FrontendInt]!.Complete(request);

    /// <inheritdoc/>
    public void EndTurn(long nowUs)
    {
        int count = _touchedCount;
        _touchedCount = 0;
        for (int i = 0; i < count; i++)
        {
            Connection connection = _touched[i];
            connection.IsTouched = false;
            connection.EndTurn(nowUs);
            _timerUs = Math.Min(_timerUs, Math.Min(connection.DeadlineUs, connection.RestDueUs));
            if (connection.CanGoOn) Touch(connection);
        }
    }

    /// <inheritdoc/>
    public void BeginStop(long nowUs)
    {
        _stopping = true;
        EndAccept();
        foreach (Connection? connection in _connections) connection?.Finish(nowUs + NbdServer.StopPatienceUs);
        _timerUs = nowUs;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Connection? connection in _connections) connection?.Dispose();
    }

    /// <inheritdoc/>
    public byte[] FullText => _server.FullText;

    /// <inheritdoc/>
    public bool TryAdmit() => _server.TryAdmit();

    /// <summary>A client that had a place has gone.</summary>
    public void Dismiss() => _server.Dismiss();

    /// <summary>A client has been told that there is no place.</summary>
    public void TurnedAway()
    {
        Counters.RefusedConnections++;
        _server.NoteFull();
    }

    /// <summary>Pages of what all connections share; false: there are none.</summary>
    public bool TryBorrow(int pages) => _server.TryBorrow(pages);

    /// <summary>Gives them back.</summary>
    public void Return(int pages) => _server.Return(pages);

    /// <summary>A connection has ended: its place is free.</summary>
    public void Closed()
    {
        _openCount--;
        _server.Leave();
    }

    /// <summary>Serves a client whose place the server has counted already.</summary>
    private void Serve(int fd)
    {
        if (_stopping)
        {
            _ = Libc.Close(fd);
            _server.Leave();
            return;
        }
        Connection? connection = FreeConnection();
        if (connection == null)
        {
            _ = Libc.Close(fd);
            Counters.RefusedConnections++;
            _server.Leave();
            return;
        }
        _openCount++;
        Counters.AcceptedConnections++;
        connection.Open(fd, Io.NowUs);
        Touch(connection);
    }

    /// <summary>Taken at the start and for good: a busy engine cannot keep a client from being served.</summary>
    private void AcquireOperations()
    {
        for (int i = 0; i < _operations.Length; i++)
        {
            IoOp* op = Io.Acquire(_handler, IoKind.Other);
            Invariant.Check(op != null);
            op->Step = i % 2 == 0 ? ReceiveStep : SendStep;
            op->Own<NbdOp>().Index = i / 2;
            _operations[i] = op;
        }
    }

    /// <summary>The first place without a client; null: the system has no memory for one more.</summary>
    private Connection? FreeConnection()
    {
        int index = 0;
        while (_connections[index] is { IsFree: false }) index++;
        if (_connections[index] == null && TryNewConnection(index) is { } made)
            Volatile.Write(ref _connections[index], made);
        return _connections[index];
    }

    // A place gets its addresses when its first client comes: all of them at the start would take longer than the log.
    private Connection? TryNewConnection(int index)
    {
        try
        {
            return NewConnection(index);
        }
        catch (Exception error) when (error is NativeException or OutOfMemoryException)
        {
            _server.NoteNoMemory(error.Message);
            return null;
        }
    }

    /// <summary>Addresses rather than memory, which comes as it is used.</summary>
    private Connection NewConnection(int index)
    {
        bool isKept = index < RegisteredArenas;
        Connection connection =
            new(this, index, _operations[2 * index], _operations[2 * index + 1]) { KeepsMemory = isKept };
        if (isKept) _ = Io.RegisterSlab(connection.Slab.Start, connection.Slab.SizeBytes);
        return connection;
    }

    private void RunTimers(long nowUs)
    {
        _timerUs = long.MaxValue;
        foreach (Connection? connection in _connections)
        {
            if (connection == null) continue;
            if (connection.DeadlineUs <= nowUs) connection.Expire(nowUs);
            if (connection.RestDueUs <= nowUs) connection.Rest(nowUs);
            _timerUs = Math.Min(_timerUs, Math.Min(connection.DeadlineUs, connection.RestDueUs));
        }
        if (_acceptRetry) RetryAccept();
    }
}
