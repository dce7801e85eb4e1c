using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Frontends.Control;

/// <summary>
/// Answers on the control socket: a thread that accepts, and one short-lived thread per conversation, so that a client
/// that says nothing, or does not read, keeps nobody else waiting; when there are too many, the one that has kept us
/// waiting longest goes. Orders that take their time are limited too, so that there is always room to look and to stop.
/// Far from the data path; it may allocate.
/// </summary>
internal sealed class ControlServer : IDisposable
{
    /// <summary>Conversations at a time; beyond, one that waits for its client ends.</summary>
    private const int ConversationsMax = 64;

    /// <summary>Requests that are carried out at a time; beyond, all but a stop are refused.</summary>
    private const int OrdersMax = 32;

    private const int DrainPatienceMs = 1000;
    private const int RestMs = 10;

    private readonly string _path;
    private readonly int _fd;
    private readonly ControlCommands _commands;
    private readonly Thread _thread;
    private readonly FileLimit _files = new(Program.Log);
    private readonly List<ControlConnection> _idle = [];
    private int _conversations;
    private int _answering;
    private int _orders;
    private volatile bool _closing;

    /// <summary>Listens at <paramref name="path"/>, mode 0600.</summary>
    public ControlServer(string path, ControlCommands commands)
    {
        _path = path;
        _commands = commands;
        _fd = UnixSocketFile.Listen(path);
        _thread = new Thread(Accept) { IsBackground = true, Name = "control" };
    }

    /// <summary>Begins to answer.</summary>
    public void Start() => _thread.Start();

    /// <summary>Accepts no more. Conversations under way go on until the process ends.</summary>
    public void Dispose()
    {
        if (_closing) return;
        _closing = true;
        _ = Sockets.Shutdown(_fd);
        if (_thread.IsAlive) _thread.Join();
        _ = Libc.Close(_fd);
        _ = Libc.Unlink(_path);
    }

    /// <summary>
    /// Waits, but not for ever, until the answers under way are written: the process ends after this.
    /// </summary>
    public void Drain()
    {
        for (int waitedMs = 0; waitedMs < DrainPatienceMs && Volatile.Read(ref _answering) > 0; waitedMs++)
            Thread.Sleep(1);
    }

    private void Accept()
    {
        while (!_closing)
        {
            int fd = Sockets.Accept(_fd);
            if (fd == -Errno.EINTR || fd == -Errno.ECONNABORTED) continue;
            if (fd < 0 && _closing) return;
            if (fd < 0) Rest(fd);
            else if (HasRoom()) Converse(fd);
            else _ = Libc.Close(fd);
        }
    }

    // Out of descriptors or memory: they come back.
    private void Rest(int error)
    {
        _files.NoteRefused(error);
        Thread.Sleep(RestMs);
    }

    // Under the list's lock nobody on it is disposed.
    private bool HasRoom()
    {
        if (Volatile.Read(ref _conversations) < ConversationsMax) return true;
        lock (_idle)
        {
            if (_idle.Count == 0) return false;
            _idle[0].Shutdown();
            _idle.RemoveAt(0);
            return true;
        }
    }

    private void Converse(int fd)
    {
        ControlConnection connection = new(fd);
        Interlocked.Increment(ref _conversations);
        NoteIdle(connection, true);
        Thread thread = new(() =>
        {
            bool staysOpen = Answer(connection);
            NoteIdle(connection, false);
            Interlocked.Decrement(ref _conversations);
            if (!staysOpen) connection.Dispose();
        });
        thread.IsBackground = true;
        thread.Name = "control conversation";
        thread.Start();
    }

    // Idle is who waits for its client: for the question, or for the answer to be read.
    private void NoteIdle(ControlConnection connection, bool isIdle)
    {
        lock (_idle)
        {
            if (isIdle) _idle.Add(connection);
            else _idle.Remove(connection);
        }
    }

    /// <summary>True when the process's end shall close the connection: whoever asked to stop waits for that.</summary>
    private bool Answer(ControlConnection connection)
    {
        string? line = connection.ReadLine();
        NoteIdle(connection, false);
        if (line == null) return false;
        Interlocked.Increment(ref _answering);
        bool isFollowed = ControlConnection.IsFollowed(ref line);
        string answer = Run(line, connection, isFollowed);
        NoteIdle(connection, true);
        connection.Write(answer);
        Interlocked.Decrement(ref _answering);
        return ControlCommands.IsStop(line) && !_commands.IsLeaving();
    }

    // Whatever goes wrong, clients of the volume are served on, and the stop flushes.
    private string Run(string line, ControlConnection connection, bool isFollowed)
    {
        bool isOrder = !ControlCommands.IsStop(line);
        try
        {
            if (Interlocked.Increment(ref _orders) > OrdersMax && isOrder)
                throw new UserErrorException($"busy with {OrdersMax} other requests; try again later");
            Action<long, long>? progress = isFollowed ? connection.TellProgress : null;
            return "ok\n" + _commands.Run(line, connection.IsGone, progress);
        }
        catch (Exception e)
        {
            return e is UserErrorException mendable
                ? $"error {mendable.ExitCode} {mendable.Message}\n"
                : $"error {Program.Failed} internal error: {e.GetType().Name}: {e.Message}\n";
        }
        finally
        {
            Interlocked.Decrement(ref _orders);
        }
    }
}
