using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Queue;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Volume;

/// <summary>
/// The volume's background work and its orderly stop, on the first queue's thread, as the two tables that
/// <see cref="BackgroundTasks"/> goes by.
/// </summary>
internal sealed class VolumeTasks : IQueueWork
{
    private readonly SsdCacheVolume _volume;
    private readonly PageCommitter _committer;
    private readonly Writeback.Writeback _writeback;
    private readonly SuperblockKeeper _superblock;
    private long _lastFlush;

    /// <summary>Those of the volume, on the thread of <paramref name="queues"/>.</summary>
    public VolumeTasks(SsdCacheVolume volume, DataQueues queues)
    {
        _volume = volume;
        _committer = volume.NewCommitter(queues);
        CleaningGovernor governor = new(new CleaningLoad(volume), volume.Options, new WriteThrottle());
        _writeback = volume.NewWriteback(queues, governor);
        _superblock = new SuperblockKeeper(volume, queues);
        Background = new BackgroundTasks(volume.Health, volume.ReadOnly, Tasks(), Stops());
    }

    /// <inheritdoc/>
    public BackgroundTasks Background { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _committer.Dispose();
        _writeback.Dispose();
        _superblock.Dispose();
    }

    // The committer is last: what the others change in a turn is there when it looks.
    private BackgroundTask[] Tasks() =>
    [
        new("modes", BackgroundState.Serving, new ModeChanger(_volume)),
        new("write-back", BackgroundState.Working, _writeback),
        new("superblock", BackgroundState.Working, _superblock),
        new("commits", BackgroundState.Working, _committer),
    ];

    private Dictionary<BackgroundState, StopStep[]> Stops() => new()
    {
        [BackgroundState.ReadOnly] = [new("nothing", static () => true, static () => StopStatus.Stopped)],
        [BackgroundState.Stopping] =
        [
            new("all at rest", IsAtRest, BeginLast),
            new("all is durable, and all pages are closed", IsAllClosed, BeginSuperblock),
            new("the superblock", () => _superblock.IsQuiet, End),
        ],
        [BackgroundState.Failed] = [new("all at rest", IsAtRest, EndFailed)],
    };

    private bool IsAtRest() => _volume.Queues.HaveAllStopped && _writeback.IsQuiet && _committer.IsQuiet;

    private StopStatus EndFailed() => _volume.Health.State == VolumeState.PassThrough ? StopStatus.Stopped
        : StopStatus.Failed(-Errno.EIO);

    private StopStatus BeginLast()
    {
        _committer.ClosesAll = true;
        if (!Mutant.Is(SsdCacheMutant.B6StopUnflushed)) _lastFlush = _volume.Tickets.AskFlush();
        return StopStatus.Running;
    }

    private bool IsAllClosed()
    {
        if (_volume.Tickets.Failure != null) return _committer.IsQuiet;
        return _volume.Tickets.IsFlushed(_lastFlush) && _volume.Pages.OpenCount == 0 && _committer.IsQuiet;
    }

    private StopStatus BeginSuperblock()
    {
        _committer.ClosesAll = false;
        _superblock.BeginLast();
        return StopStatus.Running;
    }

    private StopStatus End()
    {
        int lost = _volume.Devices.FlushError;
        if (lost == 0 && _volume.Tickets.Failure != null) lost = -Errno.EIO;
        if (lost == 0) lost = _superblock.Result;
        if (lost == 0) _volume.ForgetMemory();
        return StopStatus.EndedWith(lost);
    }
}
