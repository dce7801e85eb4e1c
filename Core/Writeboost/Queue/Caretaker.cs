using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Scrub;
using Weir.Core.Writeboost.Writeback;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// What nobody asked for and everybody relies on, on the first queue's thread: the log is flushed within the sync
/// interval, write-back goes on, and the stop is orderly (R15).
/// </summary>
public sealed unsafe class Caretaker : IDisposable
{
    private const long QuietTurnUs = 1_000_000;

    private readonly WriteboostVolume _volume;
    private readonly LogPort _port;
    private readonly SuperblockWriter _superblocks;
    private readonly NotesWriter? _notes;
    private readonly WritebackEngine _writeback;
    private readonly Reclaimer _reclaimer;
    private readonly Rescue _rescue;
    private readonly Scrubber _scrubber;
    private readonly BackingFlusher _flusher;
    private readonly DeviceChanger _changer;
    private readonly CacheGrower _grower;
    private readonly MemoryWatch _memory;
    private readonly FullWait _fullWait;
    private RetryClock _commitRetry;
    private long _syncDueUs = long.MaxValue;
    private StopStep _stop;
    private long _committing;

    /// <summary>The volume's one caretaker.</summary>
    public Caretaker(WriteboostVolume volume, LogPort port, DeviceQueue cache, BackingQueues backings,
        BackingFlusher flusher)
    {
        _flusher = flusher;
        _volume = volume;
        _port = port;
        _superblocks = new SuperblockWriter(volume.Layout, cache, port);
        volume.Fingerprints.Serve(cache, port, volume.Layout.HasEpochs ? null : new SegmentLife(volume));
        _writeback = new WritebackEngine(volume, port, cache, backings, _superblocks);
        _reclaimer = new Reclaimer(volume);
        _rescue = new Rescue(volume, port, backings);
        _scrubber = new Scrubber(volume, port, cache);
        _notes = volume.Notes != null ? new NotesWriter(volume, cache, port) : null;
        _changer = new DeviceChanger(volume, port, cache, backings, _notes);
        _grower = new CacheGrower(volume, _superblocks);
        _memory = new MemoryWatch(volume, port);
        _fullWait = new FullWait(volume);
    }

    private enum StopStep
    {
        None,
        Settle,
        Stamp,
        Mark,
        Done,
    }

    /// <summary>
    /// When <see cref="Poll"/> has something to do at the latest. Only those speak whom it asks in this state: the
    /// deadline of one who is not asked any more passes, and the thread would never sleep again.
    /// </summary>
    public long DeadlineUs => _volume.Health.CacheHasFailed ? AlwaysUs : Math.Min(AlwaysUs, WorkingUs);

    private long AlwaysUs => Math.Min(
        Math.Min(_changer.DeadlineUs, _grower.DeadlineUs), Math.Min(_writeback.DeadlineUs, _memory.DeadlineUs));

    private long WorkingUs => Math.Min(
        Math.Min(_syncDueUs, _stop == StopStep.None ? _scrubber.DeadlineUs : long.MaxValue),
        Math.Min(Math.Min(_reclaimer.DeadlineUs, _fullWait.DeadlineUs),
            _commitRetry.IsHeldUp ? _commitRetry.DueUs : long.MaxValue));

    /// <summary>As <see cref="IVolumeQueue.StopResult"/>.</summary>
    public int StopResult { get; private set; }

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs)
    {
        if (_volume.ReadOnly)
        {
            if (_stop == StopStep.Settle) Finish(1);
            return;
        }
        _superblocks.Poll();
        _notes?.Poll();
        _memory.Poll(nowUs);
        if (_volume.Health.CacheHasFailed)
        {
            PollFailed(nowUs);
            return;
        }
        PollSync(nowUs);
        PollOrders();
        _grower.Poll(nowUs, mayBegin: _committing == 0 && _stop == StopStep.None);
        _reclaimer.Poll(nowUs);
        // Other queues may still have writers that wait for a free segment.
        bool mayStart = (_stop == StopStep.None || !_volume.Queues.HaveAllStopped) && !_changer.WantsQuiet;
        _writeback.Poll(nowUs, mayStart);
        PollDevices(nowUs, mayGoOn: _stop == StopStep.None);
        if (_volume.Throttle.Update(_writeback.Space)) _volume.Queues.WakeAll();
        _fullWait.Poll(nowUs, _writeback.HeldUpBy);
        if (_stop == StopStep.None) _scrubber.Poll(nowUs);
        else PollStop();
    }

    /// <summary>Starts the orderly stop.</summary>
    public void BeginStop() => _stop = StopStep.Settle;

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

    // Nothing of the log goes on: write-back comes to rest, then the rescue tries to do without the cache.
    private void PollFailed(long nowUs)
    {
        _syncDueUs = long.MaxValue;
        _grower.Poll(nowUs, mayBegin: false);
        _writeback.Poll(nowUs, mayStart: false);
        PollDevices(nowUs, mayGoOn: false);
        _rescue.Poll(_writeback.IsQuiet && !_superblocks.IsBusy && _notes is not { IsBusy: true });
        if (_stop is StopStep.None or StopStep.Done || !_rescue.IsOver || !_volume.Queues.HaveAllStopped) return;
        if (!_scrubber.IsQuiet) return;
        if (!IsRoundSettled()) return;
        bool keepsAll = _volume.Health.State == VolumeState.PassThrough && !_volume.Around.HasFailed;
        Finish(keepsAll ? 1 : -Errno.EIO);
    }

    private void PollDevices(long nowUs, bool mayGoOn)
    {
        if (mayGoOn || !_changer.TryStop()) _changer.Poll(nowUs, _writeback.IsQuiet);
    }

    private void PollSync(long nowUs)
    {
        SegmentLog log = _volume.Log;
        // Without an interval the timer still looks after write-back, for writes that came through other queues.
        long interval = _volume.Options.SyncIntervalUs;
        long turnUs = interval != 0 ? interval : QuietTurnUs;
        if (IsAllDurable) _volume.Queues.ClearChange();
        if (IsAllDurable)
        {
            _syncDueUs = long.MaxValue;
        }
        else if (_syncDueUs == long.MaxValue)
        {
            _syncDueUs = nowUs + turnUs;
        }
        else if (nowUs >= _syncDueUs)
        {
            _syncDueUs = nowUs + turnUs;
            if (interval == 0) return;
            if (log.ReservedEnd > log.Durable) log.RequestDurable(_port, log.ReservedEnd);
            _flusher.Ensure(_volume.Around.Written);
        }
    }

    private void PollOrders()
    {
        (long position, long around) = _volume.FlushWanted;
        if (position > _volume.Log.Durable) _volume.Log.RequestDurable(_port, position);
        if (around > _volume.Around.Flushed) _flusher.Ensure(around);
        if (_superblocks.IsBusy || _stop != StopStep.None) return;
        if (_committing != 0) EndCommit();
        _commitRetry.Heed(_volume.Health, _port.Io.NowUs);
        bool isDue = !_commitRetry.IsHeldUp || _port.Io.NowUs >= _commitRetry.DueUs;
        if (_volume.CommitsAsked > _volume.CommitsDone && isDue && !_volume.Health.CacheHasFailed) StartCommit();
    }

    // For all who have asked until now.
    private void StartCommit()
    {
        _committing = _volume.CommitsAsked;
        _superblocks.Begin(ref _volume.Superblock);
    }

    private void EndCommit()
    {
        if (_superblocks.Result >= 0)
        {
            _volume.CommitsDone = _committing;
            _commitRetry.Passed();
            _volume.Health.Pass(Trouble.Superblock);
        }
        else
        {
            _commitRetry.Refused(_port.Io.NowUs);
            string reason = $"cache device {_volume.Cache.Name}: writing the superblock failed"
                + $"{VolumeHealth.TriedAgain}: {Errno.Text(_superblocks.Result)}";
            _volume.Health.Hold(Trouble.Superblock, reason);
            _volume.NoteCommitRefused(reason);
        }
        _committing = 0;
    }

    private bool IsAllDurable =>
        _volume.Log.ReservedEnd <= _volume.Log.Durable
        && (_volume.Around.Written == _volume.Around.Flushed || _volume.Around.HasFailed);

    // Or never will be.
    private bool IsRoundSettled() => _flusher.Ensure(_volume.Around.Written) || _volume.Around.HasFailed;

    private void PollStop()
    {
        if (_stop == StopStep.Settle && IsSettled())
        {
            _stop = StopStep.Stamp;
            if (!_volume.Layout.HasEpochs) _volume.Superblock.RamBoot = 0;
            _volume.Fingerprints.Stamp(_volume.Backings.ToList());
        }
        if (_stop == StopStep.Stamp && _volume.Fingerprints.Settle())
        {
            _stop = StopStep.Mark;
            if (_volume.Fingerprints is { Result: < 0 } unknown) _volume.OutdateUnnoted(unknown.Result);
            _volume.SettleClean(_reclaimer.FirstKept);
            _superblocks.Begin(ref _volume.Superblock);
        }
        else if (_stop == StopStep.Mark && !_superblocks.IsBusy)
        {
            if (_superblocks.Result == 0) _volume.ForgetRam();
            int kept = _volume.Around.HasFailed ? -Errno.EIO : 1;
            Finish(_superblocks.Result == 0 ? kept : _superblocks.Result);
        }
    }

    // Before the clean mark: the log, what went round it, and whatever else was under way.
    private bool IsSettled()
    {
        SegmentLog log = _volume.Log;
        if (!_volume.Queues.HaveAllStopped) return false;
        bool settled = log.ReservedEnd <= log.Durable || Mutant.Is(WriteboostMutant.R15StopWithoutFlush);
        if (!settled) log.RequestDurable(_port, log.ReservedEnd);
        bool roundSettled = IsRoundSettled();
        return settled && roundSettled && _writeback.IsQuiet && !_superblocks.IsBusy && _changer.IsQuiet
            && _scrubber.IsQuiet && _grower.IsQuiet;
    }

    private void Finish(int result)
    {
        StopResult = result;
        _stop = StopStep.Done;
        _volume.EndDeviceOrders();
    }
}
