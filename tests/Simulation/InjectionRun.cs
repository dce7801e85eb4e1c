using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;

namespace Weir.Tests.Simulation;

/// <summary>How a device fails from its operation number N on.</summary>
public enum InjectedError
{
    /// <summary>That one fails with EIO.</summary>
    Once,
    /// <summary>That one and all later ones fail with EIO.</summary>
    Always,
    /// <summary>That one and all later ones but reads and flushes fail with EIO: what a worn out SSD does.</summary>
    WritesAlways,
    /// <summary>That one and all later ones fail with ENODEV.</summary>
    Gone,
    /// <summary>The next flush from there on fails, and drops half of what it should have covered.</summary>
    FlushOnce,
    /// <summary>That one and the ones after it, <see cref="Injection.WindowOperations"/> in all, fail with
    /// ENOSPC.</summary>
    Window,
}

/// <summary>
/// Where a run is hurt, and how its process ends: after the workload, or, early, with the first flush that succeeds
/// after the error. The cache device has writes that are durable by themselves, or has not.
/// </summary>
public readonly record struct Injection(
    bool OnCache, int Index, InjectedError Error, CrashKind End, bool Early, bool WritesDurably = false,
    string Layout = "native", bool Around = false)
{
    /// <summary>So many operations fail before an error passes: more than are tried without a pause.</summary>
    public const int WindowOperations = 6;

    /// <summary>What the device refuses at first, it takes later.</summary>
    public bool Passes => Error is InjectedError.Once or InjectedError.FlushOnce or InjectedError.Window;
}

/// <summary>
/// A fixed workload over two lives, with one injected error, judged by the oracle: while it runs, after it has ended,
/// and once more when the devices are well again.
/// </summary>
public sealed unsafe class InjectionRun : IDisposable
{
    private const long BackingBytes = (1 << 20) + 4096 + 512;
    private readonly Injection _injection;
    private readonly Layout _layout;
    private readonly SimWorld _world = new(20130925, trace: false);
    private readonly SimDevice _cache;
    private readonly SimDevice _backing;
    private readonly SimDisks _disks = new();
    private readonly SimRamStore _ram;
    private readonly History _history;
    private readonly CrashOracle _oracle;
    private readonly ulong[] _image = new ulong[BackingBytes / 512];
    private readonly List<SimContext> _contexts = [];
    private readonly List<string> _log = [];
    private Prng _ids = new(7);
    private long _flushedBefore;
    private bool _armed;
    private WriteboostVolume? _volume;
    private SimClient? _client;

    public InjectionRun(Injection injection)
    {
        _injection = injection;
        _layout = Layout.Find(injection.Layout);
        _cache = new SimDevice(_world, "cache", (1 << 20) + (Segments * _layout.MinSegmentBytes), 512, 512)
        {
            WritesDurably = injection.WritesDurably,
        };
        _backing = new SimDevice(_world, "backing", BackingBytes, 512, 512) { Notes = [] };
        _ram = new SimRamStore(_world, outlivesProcess: true);
        _history = new History(BackingBytes / 512) { Unordered = injection.Around };
        _oracle = new CrashOracle(_history);
        _cache.Plan = kind => Judge(kind, onCache: true);
        _disks.Add(_backing);
        _backing.Plan = kind => Judge(kind, onCache: false);
    }

    /// <summary>Operations of the cache and of the backing device since the format.</summary>
    public int CacheOperations { get; private set; }

    public int BackingOperations { get; private set; }

    /// <summary>Operations that were made to fail.</summary>
    public int Failures { get; private set; }

    /// <summary>The worst state of the first life.</summary>
    public VolumeState State { get; private set; }

    /// <summary>Runs all of it; throws what is wrong.</summary>
    public void Run()
    {
        _world.Restart(long.MaxValue);
        WriteboostFormat.Format(NewContext(), _cache, _layout, _layout.MinSegmentBytes, NewGuid);
        Bury();
        _armed = true;
        bool stopped = Open() && Live();
        State = _volume?.Health.State ?? VolumeState.Healthy;
        if (stopped) _history.Stopped();
        End(stopped);
        _armed = false;
        Judge(stopped);
    }

    public void Dispose()
    {
        Bury();
        _ram.Dispose();
        _cache.Media.Dispose();
        _backing.Media.Dispose();
    }

    private long Segments => _layout.MinSegmentBytes < 1 << 20 ? 12 : 8;

    private int Judge(IoKind kind, bool onCache)
    {
        if (!_armed) return 0;
        int index = onCache ? CacheOperations++ : BackingOperations++;
        if (onCache != _injection.OnCache || index < _injection.Index) return 0;
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
        _flushedBefore = _history.DurableHorizon;
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
            BackingSpec disk = new(_injection.Layout == "lc1" ? 1 : null, "disk", _backing);
            _volume = WriteboostVolume.Open(io, _cache, [disk], _ram, Options());
        }
        catch (UserErrorException) when (_world.Faults > faults)
        {
            return false;
        }
        _client = new SimClient(_world, _history, _disks, [0], _volume, [io]) { AlignsWrites = true };
        return true;
    }

    private WriteboostOptions Options() => new()
    {
        Layout = _layout,
        RamSegments = 4,
        MaxBatchedWriteback = 2,
        IdleUs = 20_000,
        BypassSequentialWrites = _injection.Around ? 8 : 0,
        RangeBudget = 16,
        NewGuid = NewGuid,
        Log = _log.Add,
        Fallback = static device => new PassthroughVolume(device),
    };

    // Everything the engine does, in a few hundred device operations: log, partial blocks, merges, ranges, a log that
    // wraps, write-back for want of space and in idle time, reclaiming, stop.
    private bool Live()
    {
        for (int round = 0; round < 3 && !IsOverEarly; round++)
        {
            for (int i = 0; i < 24; i++) Ask(RequestKind.Write, (i * 37 % 250) * 4096, 4096);
            Ask(RequestKind.Write, 8192 + 512, 1024);
            Ask(RequestKind.Write, 8192 + 2048, 6144, RequestFlags.Fua);
            Ask(RequestKind.Flush, 0, 0);
            Ask(RequestKind.WriteZeroes, 65536 + 512, 131072);
            Ask(RequestKind.Read, 0, 256 << 10);
            Ask(RequestKind.Write, 65536 + 4096, 512);
            if (_layout.HasRanges) Ask(RequestKind.Discard, 512 << 10, 262144);
            for (int i = 0; i < 3; i++) Ask(RequestKind.Write, (round + i) * 200_704, 200 << 10);
            _client!.Idle(30_000 * round);
            Ask(RequestKind.Read, 0, 200 << 10);
        }
        Ask(RequestKind.Flush, 0, 0);
        if (IsOverEarly) return false;
        _client!.Idle(3_000_000);
        if (_injection.Passes) AwaitHealth();
        // What begins in the stop cannot pass before it.
        if (_injection.Error == InjectedError.Window) _armed = false;
        _client.ReadAll(_image);
        return _client.Stop() == 1;
    }

    // Without anybody's help, and without a client; but where something may be lost, somebody has to know.
    private void AwaitHealth()
    {
        if (_volume!.Health.State == VolumeState.Degraded) _volume.Resume();
        for (int s = 0; s < 200 && !(_volume.Health.State == VolumeState.Healthy && _volume.IsDrained); s++)
            _client!.Idle(1_000_000);
        if (_volume.Health.State != VolumeState.Healthy)
            throw new SimViolationException($"does not heal: {_volume.Health.Reason}");
        if (!_volume.IsDrained || _volume.DirtyBlocks > 0) throw new SimViolationException("does not drain");
    }

    private bool IsOverEarly => _injection.Early && Failures > 0 && _history.DurableHorizon > _flushedBefore;

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
        _history.Close();
        Bury();
        if (_injection.End != CrashKind.Power) return;
        // Beside the log there is no order to keep: what is not flushed there may go.
        if (State == VolumeState.PassThrough && !stopped) return;
        _cache.Media.PowerCut(CutMode.AllLost, ref _world.Random);
        _backing.Media.PowerCut(CutMode.AllLost, ref _world.Random);
        _ram.Empty();
        _ram.FreeAbandoned();
        _ram.NewBoot();
    }

    // The devices are well again. A cache that was left behind is refused: the backing device has it all.
    private void Judge(bool stopped)
    {
        CrashKind kind = stopped ? CrashKind.None : _injection.End;
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
        string? wrong = _oracle.Check(_image, kind);
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
        PassthroughVolume alone = new(_backing);
        _client = new SimClient(_world, _history, _disks, [0], alone, [NewContext()]);
        _client.ReadAllPieces(_image);
    }

    private Guid NewGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        BitConverter.TryWriteBytes(bytes, _ids.Next());
        BitConverter.TryWriteBytes(bytes[8..], _ids.Next());
        return new Guid(bytes);
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
