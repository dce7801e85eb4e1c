using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace Weir.Frontends.Recording;

/// <summary>
/// One recording: a thread that takes what the queue threads have noted, in the order of time, and writes it. An error
/// of the file is said once and ends it; clients notice nothing.
/// </summary>
internal sealed class TraceRecording : IDisposable
{
    /// <summary>Between two looks at the queue threads, and between two writes.</summary>
    private const int LookMs = 10, LooksPerWrite = 50;

    private const int PatienceMs = 5000;

    private readonly TraceFile _file;
    private readonly Action<string> _log;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _stopAsked = new();
    private readonly List<(TraceTap Tap, TraceRing Ring)> _sources = [];
    private readonly Lock _changing = new();
    private volatile string? _failure;
    private long _written;

    /// <summary>Opens the file and begins. Throws <c>UserErrorException</c>.</summary>
    public TraceRecording(string path, IReadOnlyList<TraceTap> taps, Action<string> log)
    {
        _file = TraceFile.Open(path);
        _log = log;
        Listen(taps);
        _thread = new Thread(Run) { IsBackground = true, Name = "trace" };
        _thread.Start();
    }

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>Why it has ended by itself; null: it has not.</summary>
    public string? Failure => _failure;

    /// <summary>Requests written so far; any thread.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>Requests that found no room; any thread.</summary>
    public long Dropped
    {
        get
        {
            long dropped = 0;
            foreach ((_, TraceRing ring) in Sources()) dropped += ring.Dropped;
            return dropped;
        }
    }

    /// <summary>Takes note of what comes by these, too.</summary>
    public void Listen(IReadOnlyList<TraceTap> taps)
    {
        foreach (TraceTap tap in taps)
        {
            TraceRing ring = new();
            lock (_changing) _sources.Add((tap, ring));
            tap.Begin(ring);
        }
    }

    /// <summary>
    /// Ends it: what was noted is written, and the file closed, when this returns; unless its disk hangs, which shall
    /// hold up nothing else.
    /// </summary>
    public void Dispose()
    {
        Unplug();
        _stopAsked.Set();
        if (_thread.Join(PatienceMs)) _stopAsked.Dispose();
        else _log($"trace {Path}: its disk does not answer; the end of it may be missing");
    }

    private (TraceTap Tap, TraceRing Ring)[] Sources()
    {
        lock (_changing) return [.. _sources];
    }

    private void Unplug()
    {
        foreach ((TraceTap tap, TraceRing ring) in Sources()) tap.End(ring);
    }

    private void Run()
    {
        try
        {
            for (int look = 1; !_stopAsked.Wait(LookMs); look++)
            {
                Drain();
                if (look % LooksPerWrite == 0) _file.Flush();
            }
            Drain();
            _file.Flush();
        }
        catch (IOException e)
        {
            Unplug();
            _failure = e.Message;
            _log($"trace {Path}: cannot be written: {e.Message}; no longer recorded");
        }
        finally
        {
            _file.Dispose();
        }
    }

    // What has come until now, the earliest first. What comes while this looks at one thread after the other waits.
    private void Drain()
    {
        (TraceTap Tap, TraceRing Ring)[] sources = Sources();
        long nowTicks = Stopwatch.GetTimestamp();
        while (Earliest(sources, nowTicks) is { } ring)
        {
            _file.Add(ring.First);
            ring.Take();
            Volatile.Write(ref _written, _written + 1);
        }
    }

    private static TraceRing? Earliest((TraceTap Tap, TraceRing Ring)[] sources, long latestTicks)
    {
        TraceRing? found = null;
        foreach ((_, TraceRing ring) in sources)
        {
            if (ring.Head == ring.Tail || ring.First.Ticks > latestTicks) continue;
            if (found == null || ring.First.Ticks < found.First.Ticks) found = ring;
        }
        return found;
    }
}
