using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Recording;
using Weir.Native;

namespace Weir.Frontends.Ublk;

/// <summary>What the ublk frontend is started with.</summary>
/// <param name="Queues">Hardware queues of each device, and threads.</param>
/// <param name="Recover">Devices that a dead server left are taken over, not refused.</param>
/// <param name="Copy">How bytes come and go; null: the best that the kernel has.</param>
internal sealed record UblkOptions(int Queues, bool Recover, UblkCopy? Copy);

/// <summary>
/// Volumes served as block devices: one <see cref="UblkDevice"/> per export, one thread per hardware queue, shared by
/// all devices. The stop waits for whoever has a device open, unless it is told not to.
/// </summary>
internal sealed class UblkServer : IServing
{
    /// <summary>Devices served at a time: as many as a cache has.</summary>
    public const int DevicesMax = 254;

    private const int StopTurnMs = 100;

    private readonly UblkHost _host;
    private readonly UblkOptions _options;
    private readonly QueueThread[] _threads;
    private readonly UblkDevice?[] _devices = new UblkDevice?[DevicesMax];
    private readonly Lock _changing = new();
    private readonly Action<string> _log;
    private Thread? _stopper;
    private volatile bool _isForced;
    private string? _warning;

    private UblkServer(
        UblkHost host, UblkOptions options, IVolume[] volumes, Action<Exception> onFailure, Action<string> log)
    {
        (_host, _options, _log) = (host, options, log);
        _threads = new QueueThread[options.Queues];
        for (int i = 0; i < options.Queues; i++)
            _threads[i] = new QueueThread(i, NewContext, volumes, new UblkQueue(this), onFailure);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Uris => Devices.Select(static device => device.Path).ToList();

    /// <inheritdoc/>
    public IReadOnlyList<TraceTap> Taps => Array.ConvertAll(_threads, static thread => thread.Tap);

    /// <inheritdoc/>
    public string? Warning => _warning ?? QueueThread.WarningOf(_threads);

    private IEnumerable<UblkDevice> Devices => _devices.OfType<UblkDevice>();

    /// <summary>Starts the threads, then a device for each export.</summary>
    public static UblkServer Start(
        UblkHost host, UblkOptions options, OpenedVolume volume, Action<Exception> onFailure, Action<string> log)
    {
        IVolume[] volumes = [.. volume.Exports.Select(static export => export.Volume).Append(volume.Volume).Distinct()];
        UblkServer server = new(host, options, volumes, onFailure, log);
        QueueThread.StartAll(server._threads);
        try
        {
            // Before a device is there, since those that are taken over have users who wait; then what devices add.
            server.LockMemory();
            List<UblkNote> notes = UblkNote.All(host.Control);
            server.CheckNames(volume.Exports, notes);
            foreach (OpenedExport export in volume.Exports) server.Add(export, notes);
            server.LockMemory();
        }
        catch (Exception e)
        {
            // Whoever waits for a device that was taken over waits on, for the next one to take it: nobody stops it.
            if (server.Devices.Any(static device => device.WasLeft)) onFailure(e);
            server.Stop(force: true);
            server.Join();
            foreach (QueueThread thread in server._threads) thread.Dispose();
            throw;
        }
        return server;
    }

    /// <summary>The device of a place.</summary>
    public UblkDevice DeviceAt(int place) => Volatile.Read(ref _devices[place])!;

    /// <inheritdoc/>
    public string UriOf(string export) => Find(export)?.Path ?? "(gone)";

    /// <inheritdoc/>
    public void Add(OpenedExport export)
    {
        lock (_changing)
        {
            // The stop has closed every device, or waits for this lock to do so.
            if (_stopper != null) throw new UserErrorException("stopping");
            Add(export, UblkNote.All(_host.Control));
            LockMemory();
        }
    }

    /// <inheritdoc/>
    public void CheckRemovable(string name)
    {
        if (Find(name) is { } device && UblkUsers.IsOpen(device.Path))
            throw new UserErrorException($"{device.Path} is open or mounted: it can go when it is released");
    }

    /// <inheritdoc/>
    public void Remove(string name)
    {
        lock (_changing)
            if (Find(name) is { } device) Close(device, force: true);
    }

    /// <inheritdoc/>
    public void Resize()
    {
        string? failure = null;
        lock (_changing)
        {
            LockMemory();
            foreach (UblkDevice device in Devices)
            {
                int result = device.Resize();
                if (result < 0) failure = CannotResize(device, result);
            }
        }
        if (failure != null) throw new UserErrorException(failure);
    }

    /// <inheritdoc/>
    public void Stop(bool force)
    {
        if (force) _isForced = true;
        lock (_threads)
        {
            if (_stopper != null) return;
            _stopper = new Thread(CloseAll) { IsBackground = true, Name = "stop" };
            _stopper.Start();
        }
    }

    /// <inheritdoc/>
    public int Join()
    {
        _stopper?.Join();
        return QueueThread.JoinAll(_threads);
    }

    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        List<UblkDevice> devices = [.. Devices];
        status.Text("ublk_copy", string.Join(' ', devices.Select(static d => UblkDevice.NameOf(d.Copy)).Distinct()));
        status.Text("ublk_recoverable", devices.TrueForAll(static device => device.CanRecover) ? "yes" : "no");
        status.Text("ublk_features", $"0x{_host.Features:x}");
        UblkCounters.Report(devices.SelectMany(static device => device.Counters), status);
        QueueThread.Report(_threads, status);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (QueueThread thread in _threads) thread.Dispose();
        _host.Dispose();
    }

    private UblkDevice? Find(string export) =>
        Devices.FirstOrDefault(device => device.Export.Part.Name == export);

    /// <summary>Before anything is opened: throws when a dead server has left devices that nobody wants back.</summary>
    public static void CheckLeft(UblkHost host, bool recover)
    {
        UblkNote? left = UblkNote.All(host.Control).Find(note => note.IsWaiting && note.Shares(host.Identity));
        if (left != null && !recover) throw Left(left);
    }

    private static UserErrorException Left(UblkNote note)
    {
        string path = UblkDevice.PathOf(note.Info.dev_id);
        return new UserErrorException($"{path}: was left by a weir that died, and its users wait: take it over with "
            + $"--recover, or give it up with 'weir stop --device {path} --force'");
    }

    private static string CannotResize(UblkDevice device, int error) =>
        $"{device.Path}: cannot be resized: {Errno.Text(error)}";

    // Under the lock of changes, or before anybody else knows the server.
    private void Add(OpenedExport export, List<UblkNote> notes)
    {
        int place = Array.IndexOf(_devices, null);
        Invariant.Check(place >= 0);
        UblkDevice device = Make(export, notes);
        Volatile.Write(ref _devices[place], device);
        foreach (QueueThread thread in _threads)
            Invariant.Check(thread.Post(new QueueMessage(QueueMessageKind.ExportAdded, place)));
        try
        {
            device.Start();
        }
        catch
        {
            if (!device.WasLeft) Close(device, force: true);
            throw;
        }
        if (device.WasLeft) ResizeLeft(device);
    }

    // A device that a dead server left is this export's own: its users wait, and nobody else may serve it.
    private UblkDevice Make(OpenedExport export, List<UblkNote> notes)
    {
        UblkNote? left = null;
        foreach (UblkNote note in notes)
        {
            if (note.Name != export.Part.Name || !note.Shares(_host.Identity)) continue;
            if (note.IsWaiting) left = note;
            else if (note.IsOver) UblkDevice.Forget(_host, note.Info);
        }
        if (left == null) return MakeNew(export);
        if (!_options.Recover) throw Left(left);
        _log($"taking over {UblkDevice.PathOf(left.Info.dev_id)}");
        return UblkDevice.Recover(_host, export, left, _options.Queues, _options.Copy);
    }

    private UblkDevice MakeNew(OpenedExport export)
    {
        UblkDevice device = UblkDevice.Add(_host, export, _options.Queues, _options.Copy);
        if (!device.CanRecover)
            _log($"{device.Path}: goes when this process dies, for this kernel, or a user without CAP_SYS_ADMIN, "
                + "cannot have others");
        return device;
    }

    // It has the size it had when it was made; its users are better off with that than with errors.
    private void ResizeLeft(UblkDevice device)
    {
        int result = device.Resize();
        if (result < 0) _log(CannotResize(device, result));
    }

    // A device that waits under another name would wait for ever, beside a new one of the same bytes.
    private void CheckNames(IReadOnlyList<OpenedExport> exports, List<UblkNote> notes)
    {
        if (exports.Count > DevicesMax)
            throw new UserErrorException($"{exports.Count} block devices; expected {DevicesMax} at most");
        foreach (UblkNote note in notes)
        {
            if (!note.IsWaiting || !note.Shares(_host.Identity)) continue;
            if (exports.Any(export => export.Part.Name == note.Name)) continue;
            throw new UserErrorException($"{UblkDevice.PathOf(note.Info.dev_id)}: was left under the name "
                + $"'{note.Name}', and its users wait: serve it under that name again");
        }
    }

    // First thing on each thread: what serves the system's own writing back must not wait for it.
    private RingContext NewContext()
    {
        if (Libc.BecomeIoFlusher() < 0)
            _warning ??= "no right to be an I/O flusher (CAP_SYS_RESOURCE): under memory pressure, do not swap or "
                + "write back to this device from this machine";
        RingContext io = new(
            driverBuffers: UblkDevice.CopyOf(_host.Features) == UblkCopy.Direct ? RingContext.DriverBuffersMax : 0);
        io.WarmUp();
        return io;
    }

    private void LockMemory()
    {
        // A mebibyte for every request there may be, most of it never used: too much to take.
        if (Devices.Any(static device => device.Copy == UblkCopy.Buffer)) return;
        // What there is, wholly: to fetch a page may mean to write another one back, to the very devices served here.
        // What comes later, as it is touched: address space is reserved that is never used.
        if (Libc.LockAll(Const.MCL_CURRENT) < 0 || Libc.LockAll(Const.MCL_FUTURE | Const.MCL_ONFAULT) < 0)
            _warning ??= "memory cannot be locked (CAP_IPC_LOCK): under memory pressure, requests may wait for swap";
    }

    private void CloseAll()
    {
        lock (_changing)
            foreach (UblkDevice device in Devices.ToList()) Close(device, force: false);
        QueueThread.StopAll(_threads);
    }

    private void Close(UblkDevice device, bool force)
    {
        int result, said = 0;
        while ((result = device.TryStop(force || _isForced)) < 0)
        {
            if (result != said)
                _log(result == -Errno.EBUSY
                    ? $"{device.Path} is open or mounted: the stop goes on when it is released, or with "
                        + "'weir stop --force'"
                    : $"{device.Path} cannot be stopped, and is tried again: {Errno.Text(result)}");
            said = result;
            Thread.Sleep(StopTurnMs);
        }
        Volatile.Write(ref _devices[Array.IndexOf(_devices, device)], null);
        device.Dispose();
    }
}
