using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// Lines for standard output or standard error that never wait for whoever reads them: a thread of its own writes.
/// Their number is bounded; what does not fit is dropped and counted, and a line in its place says so when there is
/// room again. Any thread.
/// </summary>
/// <param name="descriptor">Where to; it stays open.</param>
/// <param name="name">What it is called, for the line about what was dropped.</param>
internal sealed class LineWriter(int descriptor, string name)
{
    /// <summary>Lines that wait at most: more than a start, a failure and a stop have to say.</summary>
    public const int Capacity = 512;

    private const int RetryMs = 10, DrawPatienceMs = 1000;

    private readonly object _gate = new();
    private readonly Queue<string> _lines = new();
    private Thread? _thread;
    private bool _isWriting;
    private long _gap;
    private long _dropped;

    /// <summary>Lines that nobody will see: nobody read the ones before, or nobody reads any more.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Takes one line; it is written soon, in its turn.</summary>
    public void Add(string line)
    {
        lock (_gate)
        {
            // The last place is for the line about the gap.
            if (_lines.Count >= Capacity - 1)
            {
                _gap++;
                Interlocked.Increment(ref _dropped);
                return;
            }
            NoteGap();
            _lines.Enqueue(line);
            Start();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>
    /// Writes text that is no line of its own, as what is drawn again and again, behind the lines that wait; for
    /// commands that serve nobody.
    /// </summary>
    public void Write(string text)
    {
        Flush(DrawPatienceMs);
        TryWrite(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Waits until all is written, at most <paramref name="patienceMs"/> ms; false when it is not.</summary>
    public bool Flush(int patienceMs)
    {
        long endMs = Environment.TickCount64 + patienceMs;
        lock (_gate)
        {
            while (_lines.Count > 0 || _isWriting || _gap > 0)
            {
                long leftMs = endMs - Environment.TickCount64;
                if (leftMs <= 0 || !Monitor.Wait(_gate, (int)leftMs)) return false;
            }
            return true;
        }
    }

    /// <summary>Starts its thread now rather than with the first line, wherever that comes from.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_thread != null) return;
            _thread = new Thread(Write) { IsBackground = true, Name = "log" };
            _thread.Start();
        }
    }

    // What was dropped lies behind all that waits now.
    private void NoteGap()
    {
        if (_gap == 0) return;
        _lines.Enqueue($"weir: {_gap} log lines were dropped: {name} was not read");
        _gap = 0;
    }

    private void Write()
    {
        while (true)
        {
            string line = Take();
            if (!TryWrite(Encoding.UTF8.GetBytes(line + "\n"))) Interlocked.Increment(ref _dropped);
        }
    }

    private string Take()
    {
        lock (_gate)
        {
            _isWriting = false;
            Monitor.PulseAll(_gate);
            while (_lines.Count == 0 && _gap == 0) Monitor.Wait(_gate);
            if (_lines.Count == 0) NoteGap();
            _isWriting = true;
            return _lines.Dequeue();
        }
    }

    // False: there is no reader any more, or no room on the disk for the rest.
    private unsafe bool TryWrite(byte[] bytes)
    {
        for (int done = 0; done < bytes.Length;)
        {
            long wrote;
            fixed (byte* at = &bytes[done]) wrote = Libc.Write(descriptor, at, bytes.Length - done);
            if (wrote > 0) done += (int)wrote;
            else if (wrote == -Errno.EAGAIN) Thread.Sleep(RetryMs);
            else if (wrote != -Errno.EINTR) return false;
        }
        return true;
    }
}
