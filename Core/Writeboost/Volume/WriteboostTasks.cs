using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Queue;
using Weir.Core.Writeboost.Scrub;
using Weir.Core.Writeboost.Writeback;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Volume;

/// <summary>
/// The volume's background work and its orderly stop (R15), as the two tables that <see cref="BackgroundTasks"/> goes
/// by: the log is flushed within the sync interval, orders are carried out, write-back goes on.
/// </summary>
internal sealed unsafe class WriteboostTasks : IDisposable
{
    private readonly WriteboostVolume _volume;
    private readonly LogPort _port;
    private readonly BackingFlusher _flusher;
    private readonly FallbackQueue _fallback;
    private readonly SuperblockWriter _superblocks;
    private readonly NotesWriter? _notes;
    private readonly WritebackEngine _writeback;
    private readonly Reclaimer _reclaimer;
    private readonly Rescue _rescue;
    private readonly Scrubber _scrubber;
    private readonly DeviceChanger _changer;

    /// <summary>Those of the volume, on the first queue's thread.</summary>
    public WriteboostTasks(WriteboostVolume volume, QueuePorts ports)
    {
        (LogPort port, DeviceQueue cache, BackingQueues backings) = (ports.Log, ports.Cache, ports.Backings);
        (BackingFlusher flusher, FallbackQueue fallback) = (ports.Flusher, ports.Fallback);
        _volume = volume;
        _port = port;
        _flusher = flusher;
        _fallback = fallback;
        _superblocks = new SuperblockWriter(volume.Layout, cache, port);
        SegmentLife? life = volume.Layout.HasEpochs ? null : new SegmentLife(volume.State, volume.Log);
        volume.Fingerprints.Serve(cache, port, life);
        _writeback = new WritebackEngine(WritebackPartsOf(volume), port, cache, backings, _superblocks);
        _reclaimer = new Reclaimer(volume.Log, volume.Index, volume.Ranges, volume.Versions, volume.RangePressure,
            volume.Drains, volume.Readers);
        _rescue = new Rescue(RescuePartsOf(volume), port, backings, IsCacheLeft);
        _scrubber = new Scrubber(volume.Log, volume.State, volume.Index, volume.Rot, volume.Scrub, volume.Activity,
            volume.Options, port, cache);
        _notes = volume.Evidence.Notes is { } notes ? new NotesWriter(notes, cache, port) : null;
        _changer = new DeviceChanger(DevicePartsOf(volume), port, cache, backings, _notes, _writeback);
        Background = new BackgroundTasks(volume.Health, volume.ReadOnly, Tasks(), Stops());
    }

    /// <summary>What the queue polls.</summary>
    public BackgroundTasks Background { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _superblocks.Dispose();
        _notes?.Dispose();
        _writeback.Dispose();
        _rescue.Dispose();
        _scrubber.Dispose();
        _changer.Dispose();
    }

    // Who is asked when. Once the cache device has failed nothing of the log goes on: write-back comes to rest, then
    // the rescue tries to do without the cache. While the volume stops, no order begins and nothing is looked for.
    private BackgroundTask[] Tasks()
    {
        WriteboostVolume v = _volume;
        OrderedSuperblocks commits = new(v.Commits, v.State, _superblocks, v.Health, v.Cache.Name);
        List<BackgroundTask> tasks =
        [
            new("superblock", BackgroundState.Writing, _superblocks),
            new("memory", BackgroundState.Writing, new MemoryWatch(
                v.Memory, v.Log, _port, v.Commits, v.Fingerprints, v.Layout.HasEpochs)),
            new("sync interval", BackgroundState.Working, new SyncInterval(
                v.Log, v.Around, v.Queues, v.Options, _port, _flusher)),
            new("ordered flushes", BackgroundState.Working, new OrderedFlushes(
                v.Flushes, v.Log, v.Around, _port, _flusher)),
            new("ordered superblocks", BackgroundState.Serving, commits),
            new("growth", BackgroundState.Writing, new CacheGrower(
                v.Log, v.Index, v.State, _superblocks, commits, v.Growth, v.Drains, v.Health, v.Queues, v.Cache.Name,
                v.Options.Log)),
            new("reclaim", BackgroundState.Working, _reclaimer),
            new("write-back", BackgroundState.Writing, _writeback),
            new("devices", BackgroundState.Writing, _changer),
            new("writers' pace", BackgroundState.Working, new WriterPace(v.Throttle, v.Queues, _writeback)),
            new("full cache", BackgroundState.Working, new FullWait(
                v.Log, v.RangePressure, v.RoomRefusal, v.Queues, v.Options, _writeback)),
            new("scrub", BackgroundState.Serving, _scrubber),
            new("rescue", BackgroundState.Failed, _rescue),
            new("ordered flushes without a cache", BackgroundState.Failed, _fallback),
        ];
        if (_notes != null) tasks.Insert(1, new BackgroundTask("notes", BackgroundState.Writing, _notes));
        return [.. tasks];
    }

    // How it stops. Before the clean mark: the log, what went round it, and whatever else was under way.
    private Dictionary<BackgroundState, StopStep[]> Stops() => new()
    {
        [BackgroundState.ReadOnly] = [new("nothing", static () => true, static () => StopStatus.Stopped)],
        [BackgroundState.Stopping] =
        [
            new("all at rest and durable", IsSettled, BeginSamples),
            new("samples of the devices", () => _volume.Fingerprints.Settle(), BeginMark),
            new("clean mark", () => !_superblocks.IsBusy, EndMark),
        ],
        [BackgroundState.Failed] = [new("rescue", IsRescued, EndFailed)],
    };

    private bool IsSettled()
    {
        SegmentLog log = _volume.Log;
        if (!_volume.Queues.HaveAllStopped) return false;
        bool isDurable = log.ReservedEnd <= log.Durable || Mutant.Is(WriteboostMutant.R15StopWithoutFlush);
        if (!isDurable) log.RequestDurable(_port, log.ReservedEnd);
        bool isAroundSettled = IsAroundSettled();
        return isDurable && isAroundSettled && Background.AreQuiet;
    }

    // Or never will be.
    private bool IsAroundSettled() => _flusher.Ensure(_volume.Around.Written) || _volume.Around.HasFailed;

    private StopStatus BeginSamples()
    {
        if (!_volume.Layout.HasEpochs) _volume.Superblock.RamBoot = 0;
        _volume.Fingerprints.Stamp(_volume.Backings.ToList());
        return StopStatus.Running;
    }

    private StopStatus BeginMark()
    {
        if (_volume.Fingerprints is { Result: < 0 } unknown) _volume.Clean.OutdateUnnoted(unknown.Result);
        _volume.Clean.Settle(_reclaimer.FirstKept);
        _superblocks.Begin(ref _volume.Superblock);
        return StopStatus.Running;
    }

    private StopStatus EndMark()
    {
        if (_superblocks.Result == 0) _volume.Memory.Forget();
        int lost = _volume.Around.HasFailed ? -Errno.EIO : 0;
        return End(_superblocks.Result == 0 ? lost : _superblocks.Result);
    }

    private bool IsCacheLeft() => _writeback.IsQuiet && !_superblocks.IsBusy && _notes is not { IsBusy: true };

    private bool IsRescued() =>
        _rescue.IsOver && _volume.Queues.HaveAllStopped && _scrubber.IsQuiet && IsAroundSettled();

    private StopStatus EndFailed()
    {
        bool keepsAll = _volume.Health.State == VolumeState.PassThrough && !_volume.Around.HasFailed;
        return End(keepsAll ? 0 : -Errno.EIO);
    }

    private StopStatus End(int result)
    {
        _volume.DeviceOrders.EndAll();
        _volume.GiveUps.EndAll();
        return StopStatus.EndedWith(result);
    }

    private static WritebackParts WritebackPartsOf(WriteboostVolume volume) => new()
    {
        Log = volume.Log, Superblock = volume.State, Index = volume.Index, Ranges = volume.Ranges,
        Versions = volume.Versions, Changes = volume.Changes, Backings = volume.Backings,
        Samples = volume.Fingerprints, FlushLock = volume.FlushLock, AroundLosses = volume.AroundLosses,
        Refusals = volume.Refusals, Dirty = volume.DirtyData, Progress = volume.Progress, Drains = volume.Drains,
        RangePressure = volume.RangePressure, Governor = volume.Governor, Throttle = volume.Throttle,
        Activity = volume.Activity, Options = volume.Options, Lost = volume.Lost, Rot = volume.Rot,
        GiveUps = volume.GiveUps, Resumes = volume.Resumes, Health = volume.Health, Queues = volume.Queues,
        CacheName = volume.Cache.Name,
    };

    private static RescueParts RescuePartsOf(WriteboostVolume volume) => new()
    {
        Log = volume.Log, Memory = volume.Memory, Superblock = volume.State, Index = volume.Index,
        Ranges = volume.Ranges, Backings = volume.Backings, FlushLock = volume.FlushLock, Around = volume.Around,
        AroundLosses = volume.AroundLosses, Marker = volume.StaleMarker, Health = volume.Health,
        Queues = volume.Queues, Options = volume.Options,
    };

    private static DeviceParts DevicePartsOf(WriteboostVolume volume) => new()
    {
        Orders = volume.DeviceOrders, Backings = volume.Backings, Records = volume.Devices,
        Identity = volume.Identity, Evidence = volume.Evidence, Samples = volume.Fingerprints,
        Holdings = volume.Holdings, Lost = volume.Lost, Log = volume.Log, Index = volume.Index,
        Ranges = volume.Ranges, Drains = volume.Drains, Progress = volume.Progress, Around = volume.Around,
        AroundLosses = volume.AroundLosses, FlushLock = volume.FlushLock, OpenQueues = volume.OpenQueues,
        Queues = volume.Queues, Health = volume.Health, Options = volume.Options,
    };
}
