using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Recording;
using Weir.Native;

namespace Weir.Frontends.Nbd;

/// <summary>What an NBD server is started with.</summary>
internal sealed record NbdServerOptions
{
    /// <summary>What can be asked for; the first is the default export.</summary>
    public required Export[] Exports { get; init; }

    /// <summary>Where clients connect. The server's to dispose from now on.</summary>
    public required Listener[] Listeners { get; init; }

    /// <summary>Queue threads.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Clients served at a time; one more is told so and turned away.</summary>
    public int MaxConnections { get; init; } = DefaultMaxConnections;

    /// <summary>As many as anyone has asked for.</summary>
    public const int DefaultMaxConnections = 128;

    /// <summary>Bytes for data of requests, of all connections together, beyond the MiB that each has.</summary>
    public long MemoryBytes { get; init; } = DefaultMemoryBytes;

    /// <summary>Eight connections at full depth.</summary>
    public const long DefaultMemoryBytes = 64 << 20;

    /// <summary>Takes a line for whoever runs the server.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>How long a client may take for an option, or for its last replies.</summary>
    public long IdleUs { get; init; } = 30_000_000;

    /// <summary>The clock; the system's without it.</summary>
    public TimeProvider? Time { get; init; }

    /// <summary>Called on a queue's thread that cannot go on. The product ends the process.</summary>
    public required Action<Exception> OnFailure { get; init; }
}

/// <summary>
/// Volumes served over NBD: listeners, queue threads, and what the threads share. <see cref="Start"/>,
/// <see cref="Stop"/>, <see cref="Join"/>; the volumes stay the caller's.
/// </summary>
internal sealed class NbdServer : IServing
{
    /// <summary>When stopping, clients that do not take their replies get this long.</summary>
    public const long StopPatienceUs = 3_000_000;

    private const int RemoveTurnMs = 5;

    private const int HandshakePlaces = 64;

    private readonly QueueThread[] _threads;
    private readonly NbdQueue[] _queues;
    private readonly NbdCounters[] _counters;
    private readonly Lock _changing = new();
    private Export[] _exports;
    private readonly Action<string>? _log;
    private readonly string _fullLine;
    private readonly long _memoryPages;
    private long _borrowedPages;
    private int _admittedCount;
    private const long AgainMs = 60_000;

    private int _isFullTold;
    private long _noMemorySaidMs = -AgainMs;
    private int _openCount;
    private int _turn;

    /// <summary>Prepares the queues; nothing listens yet.</summary>
    private NbdServer(NbdServerOptions options)
    {
        _exports = options.Exports;
        MaxConnections = options.MaxConnections;
        _memoryPages = options.MemoryBytes / Arena.PageBytes;
        _log = options.Log;
        Files = new FileLimit(line => _log?.Invoke(line));
        string full = $"all {MaxConnections} connections that may be open are (--max-connections)";
        (FullText, _fullLine) = (Encoding.UTF8.GetBytes(full), full + ": newcomers are turned away");
        IdleUs = options.IdleUs;
        Listeners = options.Listeners;
        IVolume[] volumes = [.. Exports.Select(export => export.Volume).Distinct()];
        _threads = new QueueThread[options.Queues];
        _queues = new NbdQueue[options.Queues];
        _counters = new NbdCounters[options.Queues];
        for (int i = 0; i < options.Queues; i++)
        {
            NbdQueue queue = _queues[i] = new NbdQueue(this);
            _counters[i] = queue.Counters;
            _threads[i] = new QueueThread(i, () => new RingContext(options.Time), volumes, queue, options.OnFailure);
        }
    }

    /// <summary>What can be asked for; a new list when that changes.</summary>
    public Export[] Exports => Volatile.Read(ref _exports);

    /// <summary>Where clients connect.</summary>
    public Listener[] Listeners { get; }

    /// <summary>Clients served at a time, over all queues.</summary>
    public int MaxConnections { get; }

    /// <summary>How long a client may take for an option, or for its last replies.</summary>
    public long IdleUs { get; }

    /// <summary>Sockets at a time: those served, and some that have not said yet what they want.</summary>
    public int MostOpen => MaxConnections + HandshakePlaces;

    /// <summary>For the thread that accepts.</summary>
    public FileLimit Files { get; }

    /// <summary>What a client is told for whom there is no place.</summary>
    public byte[] FullText { get; }

    /// <summary>The queue threads.</summary>
    public ReadOnlySpan<QueueThread> Threads => _threads;

    /// <summary>What each thread serves NBD with, in the same order.</summary>
    public ReadOnlySpan<NbdQueue> Queues => _queues;

    /// <summary>What each queue has done.</summary>
    public ReadOnlySpan<NbdCounters> Counters => _counters;

    /// <inheritdoc/>
    public IReadOnlyList<string> Uris => Array.ConvertAll(Listeners, listener => listener.Uri(FirstName));

    /// <inheritdoc/>
    public IReadOnlyList<TraceTap> Taps => Array.ConvertAll(_threads, static thread => thread.Tap);

    /// <inheritdoc/>
    public string? Warning => QueueThread.WarningOf(_threads);

    /// <summary>
    /// Starts the threads and serves. When one cannot, the others are stopped and its error is thrown.
    /// </summary>
    public static NbdServer Start(NbdServerOptions options)
    {
        NbdServer server = new(options);
        try
        {
            QueueThread.StartAll(server._threads);
        }
        catch (NativeException e) when (e.Errno == Errno.ENOMEM)
        {
            throw new UserErrorException($"{options.Queues} queues with {server.MostOpen} places for connections each: "
                + $"{e.Message}; expected fewer of --queues or --max-connections, or more mappings of memory than "
                + "sysctl vm.max_map_count permits now");
        }
        server.Files.CheckRoomFor(server.MaxConnections);
        return server;
    }

    /// <inheritdoc/>
    public string UriOf(string export) => Listeners[0].Uri(export);

    /// <inheritdoc/>
    public void Add(OpenedExport export)
    {
        lock (_changing) Volatile.Write(ref _exports, [.. _exports, Export.Of(export)]);
    }

    /// <inheritdoc/>
    public void Remove(string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        Export[] gone;
        lock (_changing)
        {
            gone = Array.FindAll(_exports, export => export.Name.AsSpan().SequenceEqual(bytes));
            foreach (Export export in gone) export.IsGone = true;
            Volatile.Write(ref _exports, Array.FindAll(_exports, static export => !export.IsGone));
        }
        // Before or after: a connection that enters sees that it is gone, or is seen here.
        Interlocked.MemoryBarrier();
        while (Array.Exists(gone, static export => export.Clients > 0))
        {
            // Again and again: a mailbox may be full.
            foreach (QueueThread thread in _threads) thread.Post(new QueueMessage(QueueMessageKind.ExportGone, 0));
            Thread.Sleep(RemoveTurnMs);
        }
    }

    /// <summary>The address of an export, for people and programs.</summary>
    public string Uri(int listener, int export) =>
        Listeners[listener].Uri(Encoding.UTF8.GetString(Exports[export].Name));

    /// <summary>
    /// Begins the orderly stop; any thread, any number of times. Clients get a moment, forced or not.
    /// </summary>
    public void Stop(bool force = false)
    {
        QueueThread.StopAll(_threads);
    }

    /// <inheritdoc/>
    public void CheckRemovable(string name)
    {
        // Who is connected is told; what was not sent is the client's.
    }

    /// <inheritdoc/>
    public void Resize()
    {
        // The protocol's extension for it has no clients: those that connect from now on see the size.
    }

    /// <summary>Waits for the stop to finish. 0, or the negative errno of what could not be made durable.</summary>
    public int Join()
    {
        return QueueThread.JoinAll(_threads);
    }

    /// <summary>The frontend's figures; any thread.</summary>
    public void Report(IStatusWriter status)
    {
        status.Gauge("nbd_open_connections", Volatile.Read(ref _openCount));
        status.Gauge("nbd_borrowed_bytes", BorrowedBytes);
        NbdCounters.Report(_counters, status);
        QueueThread.Report(_threads, status);
    }

    /// <summary>Counts a client in. The queue that serves it, round robin, or null: no place is free.</summary>
    public QueueThread? Enter()
    {
        if (Interlocked.Increment(ref _openCount) <= MostOpen) return _threads[_turn++ % _threads.Length];
        Leave();
        return null;
    }

    /// <summary>Bytes that connections have beyond their own; any thread.</summary>
    public long BorrowedBytes => Volatile.Read(ref _borrowedPages) * Arena.PageBytes;

    /// <summary>A client has chosen an export: takes one of the places; false: all are taken.</summary>
    public bool TryAdmit()
    {
        if (Interlocked.Increment(ref _admittedCount) <= MaxConnections) return true;
        Interlocked.Decrement(ref _admittedCount);
        return false;
    }

    /// <summary>Its place is free again.</summary>
    public void Dismiss()
    {
        Interlocked.Decrement(ref _admittedCount);
        Volatile.Write(ref _isFullTold, 0);
    }

    /// <summary>Somebody was turned away: said once until a place is free again.</summary>
    public void NoteFull()
    {
        if (Volatile.Read(ref _isFullTold) != 0 || Interlocked.Exchange(ref _isFullTold, 1) != 0) return;
        _log?.Invoke(_fullLine);
    }

    /// <summary>A client was turned away because there is no memory for it; said once a minute.</summary>
    public void NoteNoMemory(string why)
    {
        long nowMs = Environment.TickCount64, saidMs = Volatile.Read(ref _noMemorySaidMs);
        if (nowMs - saidMs < AgainMs) return;
        if (Interlocked.CompareExchange(ref _noMemorySaidMs, nowMs, saidMs) != saidMs) return;
        _log?.Invoke($"a new client was turned away: {why}; those that are served go on");
    }

    /// <summary>Takes pages of what all connections share; false: there are none.</summary>
    public bool TryBorrow(int pages)
    {
        if (Interlocked.Add(ref _borrowedPages, pages) <= _memoryPages) return true;
        Return(pages);
        return false;
    }

    /// <summary>Gives them back.</summary>
    public void Return(int pages) => Interlocked.Add(ref _borrowedPages, -pages);

    /// <summary>Counts a client out.</summary>
    public void Leave() => Interlocked.Decrement(ref _openCount);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Listener listener in Listeners) listener?.Dispose();
        foreach (QueueThread thread in _threads) thread.Dispose();
    }

    private string FirstName => Exports is [var first, ..] ? Encoding.UTF8.GetString(first.Name) : "";
}
