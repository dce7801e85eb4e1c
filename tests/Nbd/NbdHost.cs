using System;
using System.IO;
using System.Threading;
using Weir.Core.Io;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>An NBD server inside the test process, on a Unix socket, over any volume.</summary>
internal sealed class NbdHost : IDisposable
{
    private readonly Export[] _exports;
    private Exception? _failure;
    private bool _stopped;

    public NbdHost(
        IVolume volume, int queues = 1, int maxConnections = 128, string[]? listen = null,
        long idleUs = 30_000_000, TimeProvider? time = null)
        : this([new Export("disk", "a test", volume)], queues, maxConnections, listen, idleUs, time: time)
    {
    }

    public NbdHost(
        Export[] exports, int queues = 1, int maxConnections = 128, string[]? listen = null, long idleUs = 30_000_000,
        long memoryBytes = NbdServerOptions.DefaultMemoryBytes, TimeProvider? time = null)
    {
        _exports = exports;
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"weir-{Guid.NewGuid():n}.sock");
        Server = NbdServer.Start(new NbdServerOptions
        {
            Exports = exports,
            Listeners = Array.ConvertAll(listen ?? ["unix:" + Path], static address => Listener.Open(address)),
            Queues = queues,
            MaxConnections = maxConnections,
            MemoryBytes = memoryBytes,
            Log = line =>
            {
                lock (Lines) Lines.Add(line);
            },
            IdleUs = idleUs,
            Time = time,
            OnFailure = failure => _failure = failure,
        });
    }

    /// <summary>What whoever runs the server is told.</summary>
    public System.Collections.Generic.List<string> Lines { get; } = [];

    public NbdServer Server { get; }

    public string Path { get; }

    public string Uri => Server.Uri(0, 0);

    /// <summary>A client that has not said anything yet.</summary>
    public NbdClient Connect() => new(Path);

    /// <summary>A client ready for requests.</summary>
    public NbdClient Serve(bool structured = false, bool status = false)
    {
        NbdClient client = Connect();
        client.Greet();
        if (structured) client.NegotiateStructured();
        if (status) client.SelectAllocation("disk");
        client.Go("disk");
        return client;
    }

    /// <summary>Stops in order; everything must have gone well.</summary>
    public void Stop()
    {
        if (_stopped) return;
        _stopped = true;
        Server.Stop();
        int result = Server.Join();
        Assert.True(_failure == null, _failure?.ToString());
        Assert.Equal(0, result);
        Assert.False(File.Exists(Path));
    }

    /// <summary>Waits until the server has noticed that every client has gone.</summary>
    public void UntilNobodyIsThere() => Until(() => OpenConnections() == 0, "the end of every connection");

    /// <summary>Waits for something that must come; a minute means that it never does.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        bool came = condition();
        for (int i = 0; i < 60_000 && !came; i++)
        {
            Thread.Sleep(1);
            came = condition();
        }
        Assert.True(came, "waited in vain for: " + what);
    }

    private long OpenConnections()
    {
        OpenCount count = new();
        Server.Report(count);
        return count.Value;
    }

    private sealed class OpenCount : IStatusWriter
    {
        public long Value { get; private set; }

        public void Number(string name, long value)
        {
            if (name == "nbd_open_connections") Value = value;
        }

        public void Text(string name, string value)
        {
        }
    }

    public void Dispose()
    {
        // A test that failed has not let go of what it held: a server that waits for it would never end.
        foreach (Export export in _exports)
            if (export.Volume is TestVolume held) held.Hold = false;
        Stop();
        Server.Dispose();
    }
}
