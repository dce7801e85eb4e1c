using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation;

/// <summary>
/// A fixed workload over two lives, with one injected error, judged by the engine's promise: while it runs, after it
/// has ended, and once more when the devices are well again.
/// </summary>
public sealed unsafe class InjectionRun : IDisposable
{
    private const long BackingBytes = (1 << 20) + 4096 + 512;
    private readonly IInjectedEngine _engine;
    private readonly Injection _injection;
    private readonly SimConfig _config;
    private readonly SimWorld _world = new(20130925, trace: false);
    private readonly SimDevices _devices;
    private readonly SimRamStore _ram;
    private readonly Promise _promise;
    private readonly ulong[] _image = new ulong[BackingBytes / 512];
    private readonly List<SimContext> _contexts = [];
    private readonly int[] _operations = new int[Enum.GetValues<SimRole>().Length];
    private long _flushedBefore;
    private bool _hasLostFlush;
    private bool _isExpendable;
    private bool _armed;
    private IVolume? _volume;
    private SimClient? _client;

    public InjectionRun(IInjectedEngine engine, Injection injection)
    {
        (_engine, _injection) = (engine, injection);
        _config = engine.ConfigFor(injection);
        _config.BackingBytes = BackingBytes;
        _devices = new SimDevices(_world, _config, engine.UnitBytes);
        _ram = new SimRamStore(_world, outlivesProcess: true);
        _promise = engine.NewPromise(_config);
        Watch(_devices.Cache, SimRole.Cache);
        Watch(_devices.Metadata, SimRole.Metadata);
        Watch(_devices.Disks[0], SimRole.Backing);
        _devices.Disks[0].Notes = [];
    }

    /// <summary>All operations so far.</summary>
    public int OperationCount => _operations[0] + _operations[1] + _operations[2];

    /// <summary>Operations that were made to fail.</summary>
    public int Failures { get; private set; }

    /// <summary>The worst state of the first life.</summary>
    public VolumeState State { get; private set; }

    /// <summary>Operations of a device since the format.</summary>
    public int Operations(SimRole role) => _operations[(int)role];

    /// <summary>Runs all of it; throws what is wrong.</summary>
    public void Run()
    {
        _world.Restart(long.MaxValue);
        _engine.Format(_config, NewContext(), _devices);
        Bury();
        _armed = true;
        bool stopped = Open() && Live();
        State = _volume == null ? VolumeState.Healthy : _engine.StateOf(_volume);
        _isExpendable = _volume != null && _engine.IsCacheExpendable(_volume);
        if (stopped) _promise.History.Stopped();
        End(stopped);
        _armed = false;
        Inspect();
        Judge(stopped);
        if (_engine.MovesBlocks) ReadAgain();
    }

    public void Dispose()
    {
        Bury();
        _ram.Dispose();
        _devices.Dispose();
    }

    private void Watch(SimDevice? device, SimRole role)
    {
        if (device == null) return;
        device.Plan = kind => Judge(kind, role);
        if (role != SimRole.Backing) device.WritesDurably = _injection.WritesDurably;
    }

    private int Judge(IoKind kind, SimRole role)
    {
        if (!_armed) return 0;
        int index = _operations[(int)role]++;
        if (role != _injection.Role || index < _injection.Index) return 0;
        bool fails = _injection.Error switch
        {
            InjectedError.Once => index == _injection.Index,
            InjectedError.WritesAlways => kind is not (IoKind.Read or IoKind.Flush),
            InjectedError.Window => index < _injection.Index + Injection.WindowOperations,
            InjectedError.FlushOnce => kind == IoKind.Flush && Failures == 0,
            _ => true,
        };
        if (!fails) return 0;
        Failures++;
        _hasLostFlush |= kind == IoKind.Flush;
        _flushedBefore = _promise.History.DurableHorizon;
        return _injection.Error switch
        {
            InjectedError.Gone => SimDevice.Gone,
            InjectedError.Window => -28,
            _ => -5,
        };
    }

    private bool Open()
    {
        _world.Restart(long.MaxValue);
        int faults = _world.Faults;
        SimContext io = NewContext();
        try
        {
            _volume = _engine.Open(_config, io, _devices, _ram, readOnly: false);
        }
        catch (UserErrorException) when (_world.Faults > faults)
        {
            return false;
        }
        _client = NewClient(_volume, io);
        return true;
    }

    private SimClient NewClient(IVolume volume, SimContext io) =>
        new(_world, _promise.History, _devices.Disks, [0], volume, [io])
        {
            AlignsWrites = true,
            MustServe = (kind, flags) => _engine.MustServe(
                _injection, kind == RequestKind.Flush || (flags & RequestFlags.Fua) != 0, _hasLostFlush),
        };

    // Everything an engine does, in a few hundred device operations: writes, partial blocks, merges, ranges, a cache
    // that is too small, write-back for want of space and in idle time, reclaiming, stop.
    private bool Live()
    {
        for (int round = 0; round < _engine.WorkloadRounds && !IsOverEarly; round++)
        {
            for (int i = 0; i < 24; i++) Ask(RequestKind.Write, (i * 37 % 250) * 4096, 4096);
            Ask(RequestKind.Write, 8192 + 512, 1024);
            Ask(RequestKind.Write, 8192 + 2048, 6144, RequestFlags.Fua);
            Ask(RequestKind.Flush, 0, 0);
            Ask(RequestKind.WriteZeroes, 65536 + 512, 131072);
            Ask(RequestKind.Read, 0, 256 << 10);
            Ask(RequestKind.Write, 65536 + 4096, 512);
            if (_config.Discards) Ask(RequestKind.Discard, 512 << 10, 262144);
            for (int i = 0; i < 3; i++) Ask(RequestKind.Write, (round + i) * 200_704, 200 << 10);
            _client!.Idle(30_000 * round);
            Ask(RequestKind.Read, 0, 200 << 10);
        }
        Ask(RequestKind.Flush, 0, 0);
        if (IsOverEarly) return false;
        _client!.Idle(3_000_000);
        if (_injection.Passes && _engine.Heals) AwaitHealth();
        // What begins in the stop cannot pass before it.
        if (_injection.Error == InjectedError.Window) _armed = false;
        _client.ReadAll(_image);
        return _client.Stop() == StopStatus.Stopped;
    }

    // Without anybody's help, and without a client; but where something may be lost, somebody has to know.
    private void AwaitHealth()
    {
        if (_engine.StateOf(_volume!) == VolumeState.Degraded) _volume!.Resume();
        for (int s = 0; s < 200 && !IsWell; s++) _client!.Idle(1_000_000);
        if (_engine.StateOf(_volume!) != VolumeState.Healthy)
            throw new SimViolationException($"does not heal: {new StatusFigures(_volume!).TextOf("state_reason")}");
        if (!_engine.IsDrained(_volume!) || _engine.HasDirty(_volume!))
            throw new SimViolationException("does not drain");
    }

    private bool IsWell => _engine.StateOf(_volume!) == VolumeState.Healthy && _engine.IsDrained(_volume!);

    private bool IsOverEarly =>
        _injection.Early && Failures > 0 && _promise.History.DurableHorizon > _flushedBefore;

    private void Ask(RequestKind kind, long offset, long length, RequestFlags flags = RequestFlags.None)
    {
        if (IsOverEarly) return;
        if (length > 0) length = Math.Min(length, BackingBytes - offset);
        PlannedRequest plan = new() { Kind = kind, Flags = flags, OffsetBytes = offset, LengthBytes = length };
        if (!_client!.TrySubmit(plan, mayOverlap: true)) throw new SimViolationException("no slot");
        _client.Drain();
    }

    private void End(bool stopped)
    {
        _world.Kill();
        foreach (SimContext context in _contexts) context.Abandon();
        _ram.ProcessDied();
        _promise.History.Close();
        Bury();
        if (_injection.End != CrashKind.Power) return;
        // Beside the log there is no order to keep: what is not flushed there may go.
        if (State == VolumeState.PassThrough && !stopped) return;
        foreach (SimDevice device in _devices.All) device.Media.PowerCut(CutMode.AllLost, ref _world.Random);
        _ram.Empty();
        _ram.FreeAbandoned();
        _ram.NewBoot();
    }

    private void Inspect()
    {
        if (_engine.Inspect(_config, _devices) is { } wrong) throw new SimViolationException($"{State}: {wrong}");
    }

    // Everything goes home, and back perhaps: what was shown stays. A cache that is refused moves nothing.
    private void ReadAgain()
    {
        if (_volume == null) return;
        var shown = (ulong[])_image.Clone();
        _engine.Drain(_volume!);
        for (int i = 0; i < 100 && !_engine.IsDrained(_volume!); i++) _client!.Idle(100_000);
        if (!_engine.IsDrained(_volume!)) throw new SimViolationException("is never drained");
        _client!.ReadAll(_image);
        for (int x = 0; x < shown.Length; x++)
            if (shown[x] != _image[x])
                throw new SimViolationException($"sector {x} has shown {shown[x]:x}, and shows {_image[x]:x} now");
        Bury();
        Inspect();
    }

    // Where writes go to both devices, the backing device alone keeps the promise.
    private void CheckBackingAlone(CrashKind kind)
    {
        for (long x = 0; x < _image.Length; x++)
            _image[x] = SectorTag.Parse(_devices.Disks.Sector(x), x);
        if (_promise.Check(_image, kind) is { } wrong)
            throw new SimViolationException($"{State}, without the cache, after {kind}: {wrong}");
    }

    // The devices are well again. A cache that was left behind is refused: the backing device has it all.
    private void Judge(bool stopped)
    {
        CrashKind kind = stopped ? CrashKind.None : _injection.End;
        if (_isExpendable) CheckBackingAlone(kind);
        if (State == VolumeState.PassThrough)
        {
            RefuseTheCache();
            ReadBackingAlone();
            if (_injection.End == CrashKind.Power && !stopped) kind = CrashKind.Process;
        }
        else
        {
            if (!Open()) throw new SimViolationException("healthy devices are not opened");
            _client!.ReadAllPieces(_image);
        }
        string? wrong = _promise.Check(_image, kind);
        if (wrong != null) throw new SimViolationException($"{State}, stopped {stopped}, after {kind}: {wrong}");
    }

    private void RefuseTheCache()
    {
        try
        {
            Open();
        }
        catch (UserErrorException)
        {
            Bury();
            return;
        }
        throw new SimViolationException("a cache that was left behind is replayed");
    }

    private void ReadBackingAlone()
    {
        _world.Restart(long.MaxValue);
        _client = NewClient(new PassthroughVolume(_devices.Disks[0]), NewContext());
        _client.ReadAllPieces(_image);
    }

    private SimContext NewContext()
    {
        var context = new SimContext(_world);
        _contexts.Add(context);
        return context;
    }

    private void Bury()
    {
        _volume?.Dispose();
        _volume = null;
        _client?.Dispose();
        _client = null;
        foreach (SimContext context in _contexts) context.Dispose();
        _contexts.Clear();
        _ram.FreeAbandoned();
    }
}
