using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends.Commands;
using Weir.Frontends.Compose;
using Weir.Frontends.Control;
using Weir.Frontends.Recording;
using Weir.Frontends.Status;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>The life of one <c>weir serve</c>: open, serve, wait for the stop, flush, close.</summary>
internal sealed class Server : IDisposable
{
    private const int Pending = int.MinValue;
    private const int TurnMs = 50;

    private readonly ManualResetEventSlim _stopAsked = new();
    private readonly ManualResetEventSlim _stopped = new();
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private readonly OpenedVolume _volume;
    private readonly IServing _serving;
    private readonly ServingSpec _spec;
    private readonly RundownGuard _rundown = new();
    private readonly TraceRecorder _recorder = new(Program.Log);
    private const int RundownPatienceMs = 5000;
    private const int LeaveMs = 500;

    private int _result = Pending;
    private string[] _lastWords = [];
    private readonly StopWatcher _watcher;
    private volatile bool _isLeaving;

    private Server(VolumeSpec volume, ServingSpec serving)
    {
        _spec = serving;
        Program.Errors.Start();
        FileLimit.Raise();
        using IListening listening = Listening.Open(volume, serving);
        if (serving.Control != null) UnixSocketFile.Check(serving.Control);
        _watcher = new StopWatcher(() => _volume!.Volume.Hang);
        // Before anything is opened: a file that cannot be is the user's mistake.
        if (volume.Trace is { } trace) _recorder.Start(trace);
        _volume = ToolCommand.WithProgress(shows: true, progress => Opening.Run(volume, Program.Log, progress));
        try
        {
            _serving = listening.Serve(_volume, serving.Queues, Die);
            _volume.Serving = _serving;
            _volume.Commands = [.. _volume.Commands, _recorder.Command];
            _recorder.Connect(_serving.Taps);
        }
        catch
        {
            _volume.Dispose();
            throw;
        }
    }

    /// <summary>Serves until SIGINT, SIGTERM or <c>weir stop</c>; the program's exit code.</summary>
    public static int Run(VolumeSpec volume, ServingSpec serving)
    {
        using Server server = new(volume, serving);
        return server.Run();
    }

    /// <summary>Frees what the stop has left.</summary>
    public void Dispose()
    {
        _stopAsked.Dispose();
        _stopped.Dispose();
    }

    /// <summary>
    /// The handlers stay until the end: a second signal finds the stop under way, and never shortens the flush; it ends
    /// what waits for a device that hangs.
    /// </summary>
    private int Run()
    {
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, AskToStop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, AskToStop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, AskToStop);
        using ControlServer? control = OpenControl();
        if (_serving.Warning is { } warning) Program.Log(warning);
        foreach (OpenedExport export in _volume.Exports) Program.Ready.Add("weir: ready " + export.Describe(_serving));
        _stopAsked.Wait();
        _rundown.Announce();
        _watcher.Start();
        _result = Finish();
        _watcher.Dispose();
        _stopped.Set();
        control?.Drain();
        if (_result >= 0) return Program.Done;
        return Program.Complain("stopped, but not everything is durable: " + Errno.Text(_result), Program.Failed);
    }

    private int Finish()
    {
        _serving.Stop(force: false);
        int result = _serving.Join();
        _recorder.Dispose();
        HealthNote health = new();
        _volume.Volume.Report(health);
        _lastWords = [.. health.Lines];
        foreach (string line in _lastWords) Program.Log(line);
        if (health.HasLost && result >= 0) result = -Errno.EIO;
        // Held up by a device that hangs: the process's end closes what is in use.
        if (!_rundown.Close(RundownPatienceMs)) return result;
        _serving.Dispose();
        _volume.Dispose();
        return result;
    }

    private ControlServer? OpenControl()
    {
        if (_spec.Control == null) return null;
        try
        {
            ControlServer control = new(_spec.Control, new ControlCommands(_rundown, _volume, Report, StopAndWait)
            {
                LastWords = () => _lastWords,
                KernelStatus = _volume.Volume is IKernelStatus kernel ? kernel.KernelStatus : null,
                IsLeaving = () => _isLeaving,
                Ordered = _serving.Resize,
            });
            control.Start();
            return control;
        }
        catch
        {
            Finish();
            throw;
        }
    }

    private void AskToStop(PosixSignalContext context)
    {
        context.Cancel = true;
        if (_watcher.Verdict is { } hang) Environment.Exit(Program.Complain(hang, Program.Failed));
        _stopAsked.Set();
    }

    private int StopAndWait(bool force)
    {
        if (force) _serving.Stop(force: true);
        _stopAsked.Set();
        while (!_stopped.Wait(TurnMs))
            if (force && _watcher.Verdict is { } hang) throw LeaveSoon(hang);
        return _result;
    }

    // Once whoever asked has been told: the kernel may keep the process until the device answers.
    private UserErrorException LeaveSoon(string why)
    {
        _isLeaving = true;
        new Thread(() =>
        {
            Thread.Sleep(LeaveMs);
            Environment.Exit(Program.Complain(why, Program.Failed));
        })
        { IsBackground = true }.Start();
        return new UserErrorException(why);
    }

    private void Report(IStatusWriter status)
    {
        status.Text("name", _volume.Name);
        status.Text("uri", string.Join(' ', _serving.Uris));
        status.Text("version", typeof(Server).Assembly.GetName().Version?.ToString(3) ?? "");
        status.Number("pid", Environment.ProcessId);
        status.Counter("log_lines_dropped", Program.Errors.Dropped);
        status.Gauge("uptime_s", (long)Stopwatch.GetElapsedTime(_startedAt).TotalSeconds);
        status.Gauge("queues", _spec.Queues);
        status.Text("engine", _volume.Volume.Engine);
        status.Text("access", _volume.Volume.ReadOnly ? "read-only" : "read-write");
        _volume.Volume.Report(status);
        _serving.Report(status);
        _recorder.Report(status);
        if (_volume.Tunables.Count > 0) status.Group("options", ReportOptions);
    }

    // As 'weir message KEY' shows them.
    private void ReportOptions(IStatusWriter status)
    {
        foreach (Tunable tunable in _volume.Tunables)
        {
            if (tunable.IsDuration || tunable.Words != null) status.Text(tunable.Name, tunable.Show(tunable.Read()));
            else status.Number(tunable.Name, tunable.Read());
        }
    }

    /// <summary>A queue's thread cannot go on: what is in shared memory is better replayed by a new process.</summary>
    private static void Die(Exception e) =>
        Environment.Exit(Program.Complain(
            e is UserErrorException
                ? e.Message
                : $"a queue failed: {e.GetType().Name}: {e.Message}\n{e.StackTrace}", Program.Failed));
}
