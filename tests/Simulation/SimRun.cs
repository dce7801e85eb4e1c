using System;
using System.Collections.Generic;
using System.Diagnostics;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>How a seed went.</summary>
public readonly record struct SimResult(
    ulong Seed, string? Failure, ulong Hash, long Steps, int Crashes, TimeSpan Elapsed);

/// <summary>
/// One seed: a volume formatted, opened, used, crashed or stopped, and opened again, several times over, with the
/// image checked after every opening.
/// </summary>
public sealed unsafe partial class SimRun : IDisposable
{
    private const int FlushesOfAnOpening = 3, TurnsUntilStuck = 200_000;
    private static readonly CutMode[] s_wholeWrites =
        [CutMode.OldestLost, CutMode.AllKept, CutMode.CoinPerWrite, CutMode.NewestLost, CutMode.PrefixAndOne];

    private readonly ISimEngine _engine;
    private readonly SimConfig _config;
    private readonly SimWorld _world;
    private readonly SimDevices _devices;
    private readonly SimDisks _disks;
    private readonly SimRamStore _ram;
    private readonly Promise _promise;
    private readonly History _history;
    private readonly Workload _workload;
    private readonly ulong[] _image;
    private readonly List<SimContext> _contexts = [];
    private IVolume? _volume;
    private SimClient? _client;
    private CrashKind _since;
    private long _rotSector;
    private bool _formatted;
    private int _faultsBefore;
    private int _crashes;
    private bool _crashesAtWork;

    public SimRun(ISimEngine engine, ulong seed, bool trace)
    {
        _engine = engine;
        var random = new Prng(seed);
        _config = SimConfig.Draw(seed, engine, ref random);
        _world = new SimWorld(random.Next(), trace) { AtCrash = OnCrash };
        _devices = new SimDevices(_world, _config, engine.UnitBytes);
        _disks = _devices.Disks;
        if (_devices.Cache != null) _devices.Cache.WritesDurably = new Prng(seed + 6).Chance(60);
        _ram = new SimRamStore(_world, _config.RamOutlivesProcess);
        _promise = engine.NewPromise(_config);
        _history = _promise.History;
        for (int i = 0; i < _disks.Count; i++) _disks[i].AtFailedFlush = _history.ForgiveUnflushed;
        _workload = new Workload(_config.BackingBytes, _config.Discards, _config.Echoes, random.Next());
        _image = new ulong[_history.SectorCount];
        if (_config.TaggedBacking) PresetBacking();
    }

    /// <summary>Readable events, when asked for.</summary>
    public IReadOnlyList<string> Trace => (IReadOnlyList<string>?)_world.Trace ?? [];

    /// <summary>Runs <paramref name="seed"/> to its end or its first violation.</summary>
    public static SimResult Run(ISimEngine engine, ulong seed)
    {
        using var run = new SimRun(engine, seed, trace: false);
        return run.Run();
    }

    /// <summary>Runs it to its end or its first violation.</summary>
    public SimResult Run()
    {
        string? failure = null;
        var watch = Stopwatch.StartNew();
        Mutant.AtPoint = _world.MaybeTickPoint;
        try
        {
            Format();
            for (int life = 0; life < _config.Lives; life++) Live();
            LastLife();
            if (_config.Rot) RotAndReopen();
            if (_config.RotsServed) RotWhileServed();
        }
        catch (Exception e)
        {
            failure = e is SimViolationException ? e.Message : e.ToString();
            _world.Trace?.Add("FAILED: " + failure);
        }
        Mutant.AtPoint = null;
        return new SimResult(_config.Seed, failure, _world.Hash, _world.Step, _crashes, watch.Elapsed);
    }

    public void Dispose()
    {
        Bury();
        _ram.Dispose();
        _devices.Dispose();
    }

    private void PresetBacking()
    {
        byte* sector = stackalloc byte[512];
        for (long x = 0; x < _history.SectorCount; x += 1 + x / 64 % 3)
        {
            ulong value = (1UL << 40) + (ulong)x;
            SectorTag.Fill(sector, x, 1, value);
            int disk = _disks.At(x * 512);
            _disks[disk].Media.Preset((x * 512) - _disks.StartOf(disk), 512, sector);
            _history.Base[x] = _history.Shown[x] = value;
        }
    }

    private void Format()
    {
        bool done = false;
        while (!done)
        {
            _world.Restart(_world.Random.Chance(20) && _crashes == 0 ? 1 + _world.Random.Below(20) : long.MaxValue);
            done = Guard(() => _engine.Format(_config, NewContext(), _devices));
            _world.Note(SimEvent.Format, done ? 1 : 0);
            if (done) Bury();
            else AfterCrash();
        }
        _since = CrashKind.None;
        _formatted = true;
    }

    private void Live()
    {
        // An opening has so many steps that crashes counted from its first one would seldom come to the work behind it.
        _crashesAtWork = _world.Random.Chance(60);
        _world.Restart(_crashesAtWork ? long.MaxValue : DrawCrash());
        if (_config.Fragile && _world.Random.Chance(50)) _world.CrashAtWrite = 1 + _world.Random.Below(5);
        _faultsBefore = _world.Faults;
        _mayEndHeld = true;
        DrawFault();
        bool alive = Guard(() =>
        {
            bool readOnly = _workload.Below(100) < 8;
            if (!Open(readOnly, _config.Absent())) return;
            bool known = Verify(!readOnly);
            if (!readOnly && known && _engine.MovesBlocks) ReadAgain();
            if (!readOnly && known) Work();
            readOnly |= !known;
            if (readOnly || _config.Echoes || _workload.Below(100) < 50 || !Stop()) _world.Kill();
        });
        _crashesAtWork = _mayEndHeld = false;
        _devices.Heal();
        Seal(false);
        if (!alive || _world.Crashed) AfterCrash();
        else AfterStop();
    }

    /// <summary>No crash, no fault: everything must be there, and stay there over a stop.</summary>
    private void LastLife()
    {
        for (int round = 0; round < 2; round++)
        {
            _world.Restart(long.MaxValue);
            if (!Open(readOnly: false))
            {
                // Refused, and now the user has said which device it is.
                Bury();
                _world.Restart(long.MaxValue);
                Open(readOnly: false);
            }
            Verify(durable: true);
            if (round == 0) Work();
            else Drain();
            if (!Stop()) throw new SimViolationException("the stop failed on healthy devices");
            AfterStop();
        }
    }

    /// <summary>An engine may refuse a failing device with an error of its own, not with one of these.</summary>
    private static bool IsBug(Exception e) =>
        e is SimViolationException or SimStuckException or InvariantException or NullReferenceException
            or IndexOutOfRangeException or ArgumentException or InvalidOperationException or OverflowException;

    private void Seal(bool isSealed)
    {
        _ram.Sealed = isSealed;
        _devices.Seal(isSealed);
    }

    private bool Open(bool readOnly, int absent = -1)
    {
        _disks.SetAbsent(absent);
        int faults = _world.Faults;
        if (_world.Random.Chance(40)) _config.Retune();
        _world.Note(SimEvent.Open, readOnly ? 1 : 0, (long)_since);
        Seal(readOnly);
        SimOpening opening = new(readOnly, _since, absent >= 0, _disks.HasDroppedAny);
        var contexts = new SimContext[readOnly ? 1 : _config.Queues];
        for (int i = 0; i < contexts.Length; i++) contexts[i] = NewContext();
        try
        {
            _volume = _engine.Open(_config, contexts[0], _devices, _ram, readOnly);
        }
        catch (UserErrorException e) when (_engine.MayRefuse(_config, opening, e.Message))
        {
            _world.Note(SimEvent.Note, text: "refused: " + e.Message);
            _world.Kill();
            return false;
        }
        catch (Exception e) when (!_world.Crashed && _world.Faults > faults && !IsBug(e))
        {
            _world.Note(SimEvent.Note, text: "open failed: " + e.Message);
            _world.Kill();
            return false;
        }
        bool single = _config.Disks == 1;
        if (single && _volume.Exports[0].SizeBytes != _disks[0].SizeBytes)
            throw new SimViolationException("the volume has a wrong size");
        var numbers = new ushort[_disks.Count];
        for (int i = 0; i < numbers.Length && !single; i++)
            if (!_disks.IsAbsent(i)) numbers[i] = _engine.NumberOf(_volume, i);
        _client = new SimClient(_world, _history, _disks, numbers, _volume, contexts)
        {
            ImitationSource = _devices.Cache?.Media,
            AlignsWrites = _config.AlignsWrites,
            LacksDevice = absent < 0 ? null : () => _engine.LacksDevice(_volume),
        };
        return true;
    }

    /// <summary>Reads and judges the whole image. False: a failing device hides part of it.</summary>
    private bool Verify(bool durable)
    {
        _client!.ReadAll(_image);
        for (int x = 0; x < _image.Length; x++)
            if (_image[x] == SectorTag.Unknown && !_disks.IsAbsent(_disks.At(x * 512L))) return false;
        ReadOnlySpan<ulong> judged = WithoutDropped();
        string? wrong = _promise.Check(judged, _since);
        if (wrong != null) throw new SimViolationException($"after {_since}: {wrong}");
        _world.Note(SimEvent.Verify, (long)_since);
        if (_since != CrashKind.Process && !durable && _since != CrashKind.Power) return true;
        bool isDurable = _since != CrashKind.Process;
        _promise.Rebase(judged, isDurable);
        // What was dropped is not judged, but it shows from now on.
        for (int x = 0; x < _image.Length; x++)
            if (judged[x] != _image[x]) _history.Settle(x, _image[x], isDurable);
        _since = CrashKind.None;
        return true;
    }

    // A backing device that failed a flush showed this until the power went: a life that came between knew of no
    // failure and took it for durable. Whoever was told EIO knew.
    private ulong[] WithoutDropped()
    {
        var judged = (ulong[])_image.Clone();
        for (long x = 0; x < judged.Length; x++)
        {
            if (_disks.HasDropped(x) && SectorTag.Parse(_disks.Sector(x), x) == judged[x])
                judged[x] = SectorTag.Unknown;
        }
        return judged;
    }

    private void Work()
    {
        _change = null;
        if (_crashesAtWork) _world.PlanCrash(DrawCrash());
        _workload.NextLife();
        // From here on what was lost counts as flushed, for whoever has not heard of it.
        if (_flushesFirst) Request(RequestKind.Flush, 0);
        _flushesFirst = false;
        bool mayOverlap = _workload.MayOverlap && _engine.OrdersOverlaps;
        if (_workload.Below(100) < 30) CheckBlockStatus();
        for (int i = 0; i < _workload.Requests; i++)
        {
            PlannedRequest plan = _workload.Next();
            int turns = 0;
            while (_client!.Outstanding >= _workload.QueueDepth || !_client.TrySubmit(plan, mayOverlap))
            {
                _client.Turn(true, long.MaxValue);
                if (++turns > TurnsUntilStuck) throw new SimStuckException("the volume works, but for nobody");
            }
            if (_workload.Below(100) < 60) _client.Turn(false, _world.NowUs);
            if (_config.Grows()) _engine.Grow(_volume!);
            _engine.Meddle(_config, _volume!);
            if (_config.Suspends()) Suspend();
            if (_disks.Count > 1) ChangeDevices();
            if (_workload.Below(100) < _workload.IdlePercent) _client.Idle(_workload.IdleUs());
        }
        if (_workload.Below(100) < 70) _client!.Drain();
    }

    /// <summary>Right after a verification: an extent said to be zero must be.</summary>
    private void CheckBlockStatus()
    {
        for (int i = 0; i < 4; i++)
        {
            long first = _workload.Below((int)_history.SectorCount);
            long count = 1 + _workload.Below((int)(_history.SectorCount - first));
            _client!.CheckBlockStatus(first * 512, count * 512, _image);
        }
    }

    private bool Stop()
    {
        StopStatus status = _client!.Stop();
        _world.Note(SimEvent.Stop, status.Error);
        if (status == StopStatus.Stopped && _engine.InspectAtRest(_volume!, _devices) is { } wrong)
            throw new SimViolationException("stopped, but " + wrong);
        if (status == StopStatus.Stopped) return true;
        if (!_client.MayFail) throw new SimViolationException($"on healthy devices the stop is {status}");
        return false;
    }

    private void AfterStop()
    {
        _history.Stopped();
        _history.Close();
        Bury();
        if (_world.Random.Chance(30)) LosePower();
        Inspect();
    }

    private void Inspect()
    {
        if (_engine.Inspect(_config, _devices) is { } wrong)
            throw new SimViolationException($"after {_since}, on the devices: {wrong}");
    }

    private void AfterCrash()
    {
        _crashes++;
        _history.Close();
        bool isExpendable = _volume != null && _engine.IsCacheExpendable(_volume);
        Bury();
        // What a device forgot in a failed flush shows until the power goes: mostly let it show first.
        bool forgetful = _world.Faults > _faultsBefore && _world.Random.Chance(70);
        int pick = _world.Random.Below(_config.Echoes ? 400 : forgetful ? 55 : 100);
        CrashKind kind = pick < 45 ? CrashKind.Process : pick < 55 ? CrashKind.ProcessWithoutRam : CrashKind.Power;
        if (_config.LosesFlushes) kind = LossEnds(kind);
        if (kind == CrashKind.ProcessWithoutRam && !_engine.KeepsInRam) kind = CrashKind.Process;
        _world.Note(SimEvent.Crash, (long)kind, text: kind.ToString());
        if (kind > _since) _since = kind;
        if (kind == CrashKind.Power) LosePower();
        if (isExpendable) CheckWithoutCache(_since);
        if (_formatted) Inspect();
        if (kind == CrashKind.Process) return;
        _ram.Empty();
        _ram.FreeAbandoned();
        if (_formatted && kind == CrashKind.Power && _world.Random.Chance(25)) Forge();
    }

    private void Forge()
    {
        _world.Restart(long.MaxValue);
        _world.Note(SimEvent.Note, text: "forge");
        _engine.Forge(_config, NewContext(), _devices);
        Bury();
    }

    private void LosePower()
    {
        int modes = Enum.GetValues<CutMode>().Length;
        var mode = (CutMode)_world.Random.Below(modes);
        // The log of one life continues in that of another only where whole records were lost.
        if (_config.Echoes) mode = s_wholeWrites[_world.Random.Below(s_wholeWrites.Length)];
        _devices.Cache?.Media.PowerCut(mode, ref _world.Random);
        _devices.Metadata?.Media.PowerCut((CutMode)_world.Random.Below(modes), ref _world.Random);
        for (int i = 0; i < _disks.Count; i++)
            _disks[i].Media.PowerCut((CutMode)_world.Random.Below(modes), ref _world.Random);
        _ram.Empty();
        _ram.FreeAbandoned();
        _ram.NewBoot();
    }

    /// <summary>Runs at the moment of death, while the memory of what is in flight still is there.</summary>
    private void OnCrash()
    {
        foreach (SimContext context in _contexts) context.Abandon();
        _ram.ProcessDied();
    }

    /// <summary>Frees what belonged to the process that is gone.</summary>
    private void Bury()
    {
        _client?.Dispose();
        _client = null;
        _volume?.Dispose();
        _volume = null;
        foreach (SimContext context in _contexts) context.Dispose();
        _contexts.Clear();
        _ram.FreeAbandoned();
    }

    private SimContext NewContext()
    {
        var context = new SimContext(_world);
        _contexts.Add(context);
        return context;
    }

    /// <summary>Runs a life; false if it crashed. Whatever a crash throws on its way out counts as the crash.</summary>
    private bool Guard(Action life)
    {
        try
        {
            life();
            return true;
        }
        catch (Exception e) when (_world.Crashed && e is not SimViolationException)
        {
            return false;
        }
    }

    private long DrawCrash()
    {
        int pick = _world.Random.Below(100);
        if (_config.Fragile && pick < 60) return 1 + _world.Random.Below(90);
        if (pick < 20 || (_config.Echoes && pick < 70)) return long.MaxValue;
        if (pick < 40) return 1 + _world.Random.Below(40);
        return 1 + _world.Random.Below(1 << _world.Random.Between(4, 12));
    }

    private void DrawFault()
    {
        if (_config.LosesFlushes)
        {
            LoseFlush();
            return;
        }
        if (!_config.Faults || _world.Random.Chance(50)) return;
        SimDevice device = _devices.Any(ref _world.Random);
        IoKind kind = _world.Random.Below(6) switch { 0 => IoKind.Read, 1 or 2 => IoKind.Flush, _ => IoKind.Write };
        int left = _world.Random.Chance(70) ? _world.Random.Between(1, 4) : 1_000_000;
        int countdown = _world.Random.Below(1 << _world.Random.Between(0, 6));
        if (kind == IoKind.Flush && _world.Random.Chance(70)) countdown += FlushesOfAnOpening;
        device.Fault = new SimFault { Kind = kind, Countdown = countdown, Left = left };
    }
}
