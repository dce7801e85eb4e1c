using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Writeback;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Attaches and detaches backing devices while the volume is served (R13), one at a time, as part of the volume's
/// background work. Attach: no batch under way, samples and device table written, every queue has its door, then the
/// export. Detach: drain while clients are served, refuse new requests, drain the rest, flush the device, mark beyond
/// every record that names it, device table written, its blocks out of the index, every queue has let go, and only then
/// is the number free. An order whose device table is refused has failed: the table is written again as it was, with
/// growing pauses, before the next order, and before a device that was to leave is served again. So has one that was
/// answered because a device hangs: what is under way there ends some time, and counts as refused.
/// </summary>
internal sealed class DeviceChanger : IBackgroundTask, IDisposable
{
    private const long TurnUs = 1000;

    /// <summary>The flush waits for its turn.</summary>
    private const int Unasked = int.MaxValue;

    /// <summary>Slots of the index looked at in one turn.</summary>
    private const int SlotsPerTurn = 1 << 14;

    /// <summary>Drains under clients that write on before they are refused.</summary>
    private const int DrainsMax = 8;

    /// <summary>Segments that may be left for the drain without clients.</summary>
    private const int FewSegments = 4;

    private readonly WriteboostVolume _volume;
    private readonly LogPort _port;
    private readonly BackingQueues _backings;
    private readonly WritebackEngine _writeback;
    private readonly IoContext _io;
    private readonly TableWriter? _table;
    private readonly NotesWriter? _notes;
    private readonly DeviceFlusher _flusher;
    private DeviceOrder? _order;
    private BackingDevice? _device;
    private Step _step;
    private long _target;
    private int _drains;
    private long _setbacks;
    private long _slot;
    private int _flushResult;
    private DeviceRecord _before;
    private RetryClock _retry;
    private BackingDevice? _staying;
    private bool _rewriting;
    private bool _stopping;
    private bool _isAnswered;

    /// <summary>On the first queue's thread.</summary>
    public DeviceChanger(WriteboostVolume volume, LogPort port, DeviceQueue cache, BackingQueues backings,
        NotesWriter? notes, WritebackEngine writeback)
    {
        _writeback = writeback;
        _notes = notes;
        _volume = volume;
        _port = port;
        _backings = backings;
        _io = port.Io;
        _flusher = new DeviceFlusher(volume.FlushLock, _io) { Failed = FailFlush, Ended = EndFlush };
        if (volume.Layout.HasDeviceTable) _table = new TableWriter(cache, port);
    }

    private enum Step
    {
        None,
        AwaitQuiet,
        WriteSamples,
        WriteAttached,
        AwaitDoors,
        Drain,
        Refuse,
        DrainRest,
        Flush,
        WriteDetached,
        Forget,
        AwaitGone,
    }

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    // No batch of write-back may begin: what it does with a device is settled at its start, so none begins before the
    // device that comes is in the table and this thread has its door.
    private bool WantsQuiet => _step is Step.AwaitQuiet or Step.WriteSamples or Step.WriteAttached or Step.AwaitDoors;

    /// <summary>Nothing is under way.</summary>
    public bool IsQuiet => _step == Step.None && !_rewriting;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (state == BackgroundState.Serving || !TryStop()) GoOn(nowUs, _writeback.IsQuiet);
        _writeback.MustRest = WantsQuiet;
    }

    private void GoOn(long nowUs, bool writebackIsQuiet)
    {
        _table?.Poll();
        _volume.DeviceOrders.NoteWork(_step == Step.None ? 0 : _device?.Id ?? 0, !writebackIsQuiet);
        if (_step == Step.None && (!IsTableTrue(nowUs) || !TryBegin()))
        {
            DeadlineUs = !_retry.IsHeldUp ? long.MaxValue : _rewriting ? nowUs + TurnUs : _retry.DueUs;
            return;
        }
        DeadlineUs = _step == Step.Forget ? 0 : nowUs + TurnUs;
        if (MayTurnBack && (_order!.IsCancelled || !_volume.Health.TakesWrites || IsHeldUp)) TurnBack();
        else if (!_isAnswered && IsNotToBeTakenBack && _order!.IsHung) Answer();
        if (_step is not Step.None and <= Step.AwaitDoors) Attach(writebackIsQuiet);
        else if (_step != Step.None) Detach();
        if (_step == Step.None) DeadlineUs = long.MaxValue;
    }

    // The volume stops: what can be left is left. True when nothing is under way any more.
    private bool TryStop()
    {
        _stopping = true;
        if (MayTurnBack) TurnBack();
        if (_step == Step.None) _volume.DeviceOrders.Refuse();
        // It does not look any more: its deadline would pass, and the thread never sleep again.
        if (IsQuiet) DeadlineUs = long.MaxValue;
        return IsQuiet;
    }

    /// <inheritdoc/>
    public void Dispose() => _table?.Dispose();

    // Until the table is written, a detach leaves everything as it was, and an attach has done nothing.
    private bool MayTurnBack => _step is Step.AwaitQuiet or Step.Drain or Step.Refuse or Step.DrainRest
        || (_step == Step.Flush && _flushResult == Unasked);

    // It is with a device, which may hang.
    private bool IsNotToBeTakenBack => _step is Step.WriteSamples or Step.WriteAttached or Step.WriteDetached;

    // Some device refuses what is written back: the log's order has all wait for it, this one too.
    private bool IsHeldUp => _step is Step.Drain or Step.DrainRest
        && (_volume.Progress.Setbacks != _setbacks || _volume.Lost.Hold != null);

    private bool TryBegin()
    {
        _order = _volume.DeviceOrders.Take();
        if (_order == null) return false;
        _device = null;
        try
        {
            if (!_volume.Health.TakesWrites)
                throw new UserErrorException(
                    $"the volume is {VolumeHealth.NameOf(_volume.Health.State)}: {_volume.Health.Reason}");
            if (_order.Spec == null) BeginDetach();
            else (_step, _target) = (Step.AwaitQuiet, 0);
        }
        catch (UserErrorException error)
        {
            Finish(error);
            return false;
        }
        return true;
    }

    private void Finish(UserErrorException? error)
    {
        _step = Step.None;
        _order!.Device = _device;
        if (!_isAnswered) _order.Finish(error);
        (_order, _isAnswered) = (null, false);
        _flusher.GiveBack();
        // Write-back had to keep quiet, and writers may wait for it: it goes on with the next turn.
        _volume.Queues.WakeFirst();
    }

    // A queue that flushes takes no notice of devices that come and go: none shall begin to, and perhaps never end,
    // when an order cannot be turned back any more.
    private bool TryTakeTurn() => _flusher.TryTake();

    private void TurnBack()
    {
        if (IsHeldUp && _volume.Lost.Hold != null) _order!.LeavesLost = _volume.Index.RottenOf(_device!.Id) > 0;
        if (_device != null && _step != Step.AwaitQuiet)
        {
            SetState(BackingState.Attached);
            _volume.Drains.CancelForDevice();
        }
        string why = _order!.IsCancelled ? "interrupted"
            : IsHeldUp ? _volume.Lost.Hold ?? _volume.Progress.LastSetback : "the volume stops or is not healthy";
        string what = _order.Spec == null ? $"{_order.Name}: stays attached: {why}" : $"{_order.Name}: {why}";
        _device = null;
        Finish(new UserErrorException(what));
    }

    private void SetState(BackingState state)
    {
        _device!.State = state;
        Announce();
    }

    private void Announce()
    {
        _volume.Backings.NoteChange();
        _volume.Queues.WakeAll();
    }

    private void Attach(bool writebackIsQuiet)
    {
        if (_step == Step.AwaitQuiet && writebackIsQuiet && LogIsDurable() && TryTakeTurn())
        {
            try
            {
                BackingSpec spec = _order!.Spec!;
                _device = new Binding(_volume.DeviceTable, _target, _volume.Options, spec.Evidence)
                    .BindOne(spec, _volume.Backings.ToList());
                _volume.Identity.Check(_device);
                _volume.Evidence.Check(_device, null);
                _volume.Identity.Warn(_device);
                _volume.Evidence.Warn(_device);
                _volume.Evidence.Take(_device, _volume.Log.HeadSegment);
            }
            catch (UserErrorException error)
            {
                _device = null;
                Finish(error);
                return;
            }
            _step = Step.WriteSamples;
            _volume.Identity.TakeSamples(_device, _order.Spec!.Samples);
            _volume.Fingerprints.BeginWrite();
        }
        if (_step == Step.WriteSamples && !_volume.Fingerprints.IsBusy)
        {
            if (SamplesFailed(ResultOf(_volume.Fingerprints.Result))) return;
            _step = Step.WriteAttached;
            if (_table != null)
            {
                _before = _volume.DeviceTable![_device!.Id];
                _volume.Devices.Describe(_device);
                _table.Begin(_volume.DeviceTable);
            }
            _notes?.Begin();
        }
        if (_step == Step.WriteAttached && IsWritten)
        {
            if (TableFailed(ResultOf(_table?.Result ?? 0))) return;
            _volume.Backings.Set(_device!);
            Announce();
            _step = Step.AwaitDoors;
        }
        if (_step == Step.AwaitDoors && _volume.OpenQueues.HaveSeen(_volume.Backings.Generation)) Finish(null);
    }

    // Where the device begins must not lie behind the log's end after a power cut: what is logged then would be taken
    // for another's.
    private bool LogIsDurable()
    {
        if (_target == 0) _target = _volume.Log.ReservedEnd;
        bool isDurable = _volume.Log.Durable >= _target;
        if (!isDurable) _volume.Log.RequestDurable(_port, _target);
        return isDurable;
    }

    private void BeginDetach()
    {
        _device = _volume.Backings.Find(_order!.Name)
            ?? throw new UserErrorException($"'{_order.Name}': the cache has no such device; it has "
                + string.Join(", ", _volume.Backings.ToList().ConvertAll(static device => device.Name)));
        (long dirty, int ranges) = (_volume.Index.DirtyOf(_device.Id), _volume.Holdings.RangesOf(_device.Id));
        if (_device.IsAbsent && (dirty > 0 || ranges > 0))
            throw new UserErrorException($"'{_order.Name}' is not given, and the cache holds {dirty} dirty blocks and "
                + $"{ranges} discarded or zeroed ranges of it: attach it first");
        if (!_device.IsAbsent && _volume.Backings.AttachedCount == 1)
            throw new UserErrorException($"'{_order.Name}' is the only device that is attached; use 'weir stop'");
        (_drains, _setbacks) = (0, _volume.Progress.Setbacks);
        _step = Step.Drain;
        if (!_device.IsAbsent) SetState(BackingState.Draining);
        _target = _volume.Drains.BeginForDevice();
    }

    private bool IsDrained =>
        _volume.Drains.IsWrittenBack(_target) || Mutant.Is(WriteboostMutant.R13IdReusedEarly);

    private void Detach()
    {
        switch (_step)
        {
            case Step.Drain when IsDrained:
                Refuse();
                break;
            case Step.Refuse when HasNoRequests():
                _step = Step.DrainRest;
                _target = _volume.Drains.BeginForDevice();
                break;
            case Step.DrainRest when IsDrained:
                if (!StaysForLost()) (_step, _flushResult) = (Step.Flush, Unasked);
                break;
            case Step.Flush when _flushResult == Unasked:
                Flush();
                break;
            case Step.Flush when _flushResult == 0 || _isAnswered:
                AwaitFlush();
                break;
            case Step.Flush when _flushResult != 0:
                if (_flushResult > 0) WriteDetached();
                else FlushFailed();
                break;
            case Step.WriteDetached when IsWritten:
                if (TableFailed(ResultOf(_table?.Result ?? 0))) return;
                _volume.Fingerprints.Forget(_device!.Id);
                (_step, _slot) = (Step.Forget, 0);
                break;
            case Step.Forget when ForgetMore():
                _volume.Backings.Remove(_device!.Id);
                _volume.Queues.WakeAll();
                _step = Step.AwaitGone;
                break;
            case Step.AwaitGone when _volume.OpenQueues.HaveSeen(_volume.Backings.Generation):
                Finish(null);
                break;
        }
    }

    private void Refuse()
    {
        long left = _volume.Log.HeadSegment - _volume.Log.DirtySegment;
        if (++_drains < DrainsMax && left > FewSegments)
        {
            _target = _volume.Drains.BeginForDevice();
            return;
        }
        if (StaysForLost()) return;
        if (!_device!.IsAbsent) SetState(BackingState.Leaving);
        _step = Step.Refuse;
    }

    // What is lost is nowhere else to be told: the device would be gone, and its next user would find the errors.
    private bool StaysForLost()
    {
        if (_volume.Index.RottenOf(_device!.Id) == 0 || Mutant.Is(WriteboostMutant.R13IdReusedEarly)) return false;
        _order!.LeavesLost = true;
        TurnBack();
        return true;
    }

    private bool HasNoRequests() =>
        _volume.OpenQueues.HaveSeen(_volume.Backings.Generation) && _volume.OpenQueues.RequestsOf(_device!.Id) == 0;

    // What another's failed flush has lost, this one cannot bring back.
    private void Flush()
    {
        bool needed = !_device!.IsAbsent && _device.Device.CanFlush;
        if (!TryTakeTurn()) return;
        _flushResult = _volume.Around.HasFailed ? -Errno.EIO : needed ? 0 : 1;
        if (_flushResult == 0) _flusher.Flush(_device.Id, _backings[_device.Id]);
    }

    private void FailFlush(int id, int error)
    {
        _flushResult = error;
        _volume.AroundLosses.ReportFlush(id, -error);
    }

    private void EndFlush()
    {
        if (_flushResult == 0) _flushResult = 1;
    }

    // Nobody need wait for a device that does not answer: it stays, and is served again once it does.
    private void AwaitFlush()
    {
        if (!_isAnswered && _order!.IsCancelled) Answer();
        if (!_isAnswered || _flushResult == 0) return;
        (_isAnswered, _step, _order) = (false, Step.None, null);
        _flusher.GiveBack();
        SetState(BackingState.Attached);
        _device = null;
        _volume.Queues.WakeFirst();
    }

    // What is under way there cannot be taken back; when it has ended, it counts as failed.
    private void Answer()
    {
        _isAnswered = true;
        _order!.Interrupt();
    }

    private int ResultOf(int result) => _isAnswered && result >= 0 ? -Errno.ETIMEDOUT : result;

    private void FlushFailed()
    {
        UserErrorException error =
            new($"{_device!.Device.Name}: flush failed: {Errno.Text(_flushResult)}; '{_device.Name}' stays attached");
        SetState(BackingState.Attached);
        _device = null;
        Finish(error);
    }

    private void WriteDetached()
    {
        _step = Step.WriteDetached;
        _volume.Evidence.Notes?.SetDevice(_device!.Id, null);
        _notes?.Begin();
        if (_table == null) return;
        _before = _volume.DeviceTable![_device!.Id];
        _volume.DeviceTable[_device.Id] = default;
        _table.Begin(_volume.DeviceTable);
    }

    // The table, and where there is none, the notes; but those only help, and nothing depends on how they end.
    private bool IsWritten => _table is not { IsBusy: true } && _notes is not { IsBusy: true };

    // The device table is as it was; samples of a device that is not in it say nothing.
    private bool SamplesFailed(int result)
    {
        if (result >= 0) return false;
        if (_device!.IsNew) _volume.Fingerprints.Forget(_device.Id);
        _device = null;
        Finish(new UserErrorException($"'{_order!.Name}': is not attached: cache device: writing the samples of "
            + $"devices failed: {Errno.Text(result)}"));
        return true;
    }

    // What the durable table says is not known any more. Either is true of a device that comes, as nothing is logged
    // for it, and of one that goes, as nothing of it is dirty: until somebody is served again.
    private bool TableFailed(int result)
    {
        if (result >= 0) return false;
        bool stays = _order!.Spec == null;
        string what = $"'{_order.Name}': {(stays ? "stays attached" : "is not attached")}";
        if (_table == null)
        {
            EndWithoutTable(stays);
            return true;
        }
        _volume.DeviceTable![_device!.Id] = _before;
        if (!stays && _device.IsNew) _volume.Fingerprints.Forget(_device.Id);
        (_staying, _device) = (stays ? _device : null, null);
        Refused(result);
        if (_volume.Health.CacheHasFailed || Mutant.Is(WriteboostMutant.R13StaysUnwritten)) Settle();
        Finish(new UserErrorException($"{what}: {TableReason(result)}"));
        return true;
    }

    // It was answered while its notes hung.
    private void EndWithoutTable(bool stays)
    {
        if (stays && !_device!.IsAbsent)
        {
            _volume.Evidence.Notes?.SetDevice(_device.Id, _device.Device);
            SetState(BackingState.Attached);
        }
        _device = null;
        Finish(null);
    }

    private static string TableReason(int result) =>
        $"cache device: writing the device table failed: {Errno.Text(result)}";

    private void Refused(int result)
    {
        _retry.Refused(_io.NowUs);
        _volume.Health.Hold(Trouble.DeviceTable, TableReason(result) + VolumeHealth.TriedAgain);
    }

    // False: the durable table may say what the one in memory does not. Whoever has an order has it tried at once.
    private bool IsTableTrue(long nowUs)
    {
        if (!_retry.IsHeldUp) return true;
        if (_volume.Health.CacheHasFailed && !_rewriting) Settle();
        else if (_rewriting && !_table!.IsBusy) EndRewrite(_table.Result);
        else if (!_rewriting && !_stopping) TryRewrite(nowUs);
        return !_retry.IsHeldUp;
    }

    private void TryRewrite(long nowUs)
    {
        _retry.Heed(_volume.Health, nowUs);
        if (nowUs < _retry.DueUs && !_volume.DeviceOrders.IsAnyWaiting) return;
        _rewriting = true;
        _table!.Begin(_volume.DeviceTable!);
    }

    private void EndRewrite(int result)
    {
        _rewriting = false;
        if (result >= 0)
        {
            Settle();
            return;
        }
        Refused(result);
        _volume.DeviceOrders.Take()?.Finish(new UserErrorException(TableReason(result)));
    }

    private void Settle()
    {
        _retry.Passed();
        _volume.Health.Pass(Trouble.DeviceTable);
        if (_staying == null) return;
        _staying.State = BackingState.Attached;
        _staying = null;
        Announce();
    }

    // Clean blocks and ranges of the device still serve reads; another device under its number must not meet them.
    private bool ForgetMore()
    {
        int id = _device!.Id;
        long end = Math.Min(_slot + SlotsPerTurn, _volume.Geometry.SlotCount);
        for (; _slot < end; _slot++)
            if (_volume.Index.IsLinked((uint)_slot) && BackingTable.IdOf(_volume.Index.KeyOf((uint)_slot)) == id)
                _volume.Index.Remove((uint)_slot);
        if (_slot < _volume.Geometry.SlotCount) return false;
        _volume.Ranges.RemoveBetween(BackingTable.KeyOf(id, 0), BackingTable.KeyOf(id + 1, 0));
        return true;
    }
}
