using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Queue;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// The volume's background work and its orderly stop, on the first queue's thread, as the two tables that
/// <see cref="BackgroundTasks"/> goes by.
/// </summary>
internal sealed unsafe class VolumeTasks : IQueueWork
{
    private readonly DmCacheVolume _volume;
    private readonly Committer _committer;
    private readonly Promoter _promoter;
    private readonly Evictor _evictor;
    private readonly Invalidator _invalidator;
    private readonly Writeback _writeback;
    private readonly Unmarker _unmarker;
    private readonly UnreadableKeeper _unreadable;
    private readonly LastFlush _lastFlush;
    private readonly LastCommit _lastCommit;
    private readonly Suspender _suspender;

    /// <summary>Those of the volume, on the thread of <paramref name="queues"/>.</summary>
    public VolumeTasks(DmCacheVolume volume, DataQueues queues, GrantQueue grants)
    {
        _volume = volume;
        _committer = volume.NewCommitter(queues);
        MigrationParts parts = volume.Migrations;
        _promoter = new Promoter(parts, queues, grants);
        _evictor = new Evictor(parts, () => _promoter.PlacesWanted);
        _invalidator = new Invalidator(parts, volume.Invalidations);
        CleaningGovernor governor = new(
            new CleaningLoad(volume, () => _evictor.IsStarved), volume.Options, new WriteThrottle());
        _writeback = new Writeback(parts, queues, governor);
        _unmarker = new Unmarker(parts, volume.Unmarks, governor);
        _unreadable = new UnreadableKeeper(parts);
        _lastFlush = new LastFlush(volume.Devices, queues);
        _lastCommit = new LastCommit(volume, _committer);
        _suspender = new Suspender(volume, _committer, _lastFlush, AreMovesAtRest);
        Background = new BackgroundTasks(volume.Health, volume.ReadOnly, Tasks(), Stops());
    }

    /// <inheritdoc/>
    public BackgroundTasks Background { get; }

    /// <inheritdoc/>
    public bool TryTakeGrant(BlockLock* it) => _promoter.TryTakeGrant(it);

    /// <inheritdoc/>
    public bool TryReadAlong(in WantedBlock wanted, Request* request, IBlockReader reader) =>
        _promoter.TryReadAlong(wanted, request, reader);

    /// <inheritdoc/>
    public void Dispose()
    {
        _committer.Dispose();
        _promoter.Dispose();
        _evictor.Dispose();
        _invalidator.Dispose();
        _writeback.Dispose();
        _unmarker.Dispose();
        _unreadable.Dispose();
    }

    // The committer is last: what the others change in a turn is listed when it looks.
    private BackgroundTask[] Tasks() =>
    [
        new("suspension", BackgroundState.Serving, _suspender),
        new("modes", BackgroundState.Serving, new ModeChanger(_volume)),
        new("ticks", BackgroundState.Serving, new PolicyTicks(_volume.Policy, _volume.Activity)),
        new("promotions", BackgroundState.Working, _promoter),
        new("evictions", BackgroundState.Serving, _evictor),
        new("invalidations", BackgroundState.Serving, _invalidator),
        new("write-back", BackgroundState.Working, _writeback),
        new("unreadable blocks", BackgroundState.Serving, _unreadable),
        new("marks", BackgroundState.Serving, _unmarker),
        new("commits", BackgroundState.Working, _committer),
    ];

    private Dictionary<BackgroundState, StopStep[]> Stops() => new()
    {
        [BackgroundState.ReadOnly] = [new("nothing", static () => true, static () => StopStatus.Stopped)],
        [BackgroundState.Stopping] =
        [
            new("all at rest", IsAtRest, Run(_lastFlush.Begin)),
            new("both devices flushed", _lastFlush.IsOver, Run(_lastCommit.Begin)),
            new("the last commit", IsNoted, End),
        ],
        [BackgroundState.Failed] = [new("all at rest", IsAtRest, static () => StopStatus.Failed(-Errno.EIO))],
    };

    private bool IsAtRest() => _volume.Queues.HaveAllStopped && AreMovesAtRest();

    private bool AreMovesAtRest() => _promoter.IsQuiet && _writeback.IsQuiet && _committer.IsQuiet;

    // What the last flush has lost, the next start has to know (B6).
    private bool IsNoted() =>
        _lastCommit.IsOver() && (_committer.IsQuiet || Mutant.Is(DmCacheMutant.B6LossNotAwaited));

    private static System.Func<StopStatus> Run(System.Action begin) => () =>
    {
        begin();
        return StopStatus.Running;
    };

    private StopStatus End()
    {
        int lost = _volume.Devices.FlushError;
        if (lost == 0 && _volume.Changes.Failure != null) lost = -Errno.EIO;
        return StopStatus.EndedWith(lost);
    }
}
