using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Recording;

/// <summary>
/// Records what clients ask of a served volume, whatever its engine, when it is told to: at the start
/// (<c>--option trace=PATH</c>), or while it is served (<c>weir message trace PATH</c>, <c>trace off</c>). Any thread.
/// </summary>
/// <param name="log">Takes a line for whoever runs the server.</param>
internal sealed class TraceRecorder(Action<string> log) : IDisposable
{
    /// <summary>The option, and the message.</summary>
    public const string Key = "trace";

    private const string Off = "off";

    private readonly Lock _changing = new();
    private IReadOnlyList<TraceTap> _taps = [];
    private TraceRecording? _recording;
    private long _writtenBefore;
    private long _droppedBefore;

    /// <summary>What it answers to.</summary>
    public VolumeCommand Command => new(Key, "write what clients ask for into a file that 'weir simulate' reads")
    {
        Form = "PATH|off",
        RunWith = (arguments, _) => arguments[0] == Off ? Stop() : Start(arguments[0]),
    };

    /// <summary>The queue threads are there.</summary>
    public void Connect(IReadOnlyList<TraceTap> taps)
    {
        lock (_changing)
        {
            _taps = taps;
            _recording?.Listen(taps);
        }
    }

    /// <summary>Begins. Throws <c>UserErrorException</c>.</summary>
    public string Start(string path)
    {
        lock (_changing)
        {
            if (_recording is { Failure: null } now)
                throw new UserErrorException($"{Key}: {now.Path} is being recorded; end that with '{Key} {Off}'");
            Retire();
            _recording = new TraceRecording(path, _taps, log);
            return $"{Key}: recording {_recording.Path}\n";
        }
    }

    /// <summary>Adds its figures.</summary>
    public void Report(IStatusWriter status)
    {
        lock (_changing)
        {
            string state = _recording == null ? Off
                : _recording.Failure is { } failure ? $"failed: {_recording.Path}: {failure}" : _recording.Path;
            status.Text("trace", state);
            status.Counter("trace_requests", _writtenBefore + (_recording?.Written ?? 0));
            status.Counter("trace_dropped_requests", _droppedBefore + (_recording?.Dropped ?? 0));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_changing) Retire();
    }

    private string Stop()
    {
        lock (_changing)
        {
            if (_recording is not { } ended) throw new UserErrorException($"{Key}: nothing is recorded");
            Retire();
            return ended.Failure is { } failure
                ? throw new UserErrorException($"{Key}: {ended.Path}: cannot be written: {failure}; it has "
                    + $"{ended.Written} requests at most")
                : $"{Key}: {ended.Path}: {ended.Written} requests, {ended.Dropped} left out\n";
        }
    }

    private void Retire()
    {
        if (_recording is not { } ended) return;
        ended.Dispose();
        _writtenBefore += ended.Written;
        _droppedBefore += ended.Dropped;
        _recording = null;
    }
}
