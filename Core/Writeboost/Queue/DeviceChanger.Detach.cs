using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>A device goes.</content>
internal sealed partial class DeviceChanger
{
    private void BeginDetach()
    {
        _device = _parts.Backings.Find(_order!.Name)
            ?? throw new UserErrorException($"'{_order.Name}': the cache has no such device; it has "
                + string.Join(", ", _parts.Backings.ToList().ConvertAll(static device => device.Name)));
        (long dirty, int ranges) = (_parts.Index.DirtyOf(_device.Id), _parts.Holdings.RangesOf(_device.Id));
        if (_device.IsAbsent && (dirty > 0 || ranges > 0))
            throw new UserErrorException($"'{_order.Name}' is not given, and the cache holds {dirty} dirty blocks and "
                + $"{ranges} discarded or zeroed ranges of it: attach it first");
        if (!_device.IsAbsent && _parts.Backings.AttachedCount == 1)
            throw new UserErrorException($"'{_order.Name}' is the only device that is attached; use 'weir stop'");
        (_drains, _setbacks) = (0, _parts.Progress.Setbacks);
        _step = Step.Drain;
        if (!_device.IsAbsent) SetState(BackingState.Draining);
        _target = _parts.Drains.BeginForDevice();
    }

    private bool IsDrained =>
        _parts.Drains.IsWrittenBack(_target) || Mutant.Is(WriteboostMutant.R13IdReusedEarly);

    private void Detach()
    {
        switch (_step)
        {
            case Step.Drain when IsDrained:
                Refuse();
                break;
            case Step.Refuse when HasNoRequests():
                _step = Step.DrainRest;
                _target = _parts.Drains.BeginForDevice();
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
                _parts.Samples.Forget(_device!.Id);
                (_step, _slot) = (Step.Forget, 0);
                break;
            case Step.Forget when ForgetMore():
                Invariant.Check(_parts.Backings.Find(_device!.Id) == _device);
                _parts.Backings.Remove(_device.Id);
                _parts.Queues.WakeAll();
                _step = Step.AwaitGone;
                break;
            case Step.AwaitGone when _parts.OpenQueues.HaveSeen(_parts.Backings.Generation):
                Finish(null);
                break;
        }
    }

    private void Refuse()
    {
        long left = _parts.Log.HeadSegment - _parts.Log.DirtySegment;
        if (++_drains < DrainsMax && left > FewSegments)
        {
            _target = _parts.Drains.BeginForDevice();
            return;
        }
        if (StaysForLost()) return;
        if (!_device!.IsAbsent) SetState(BackingState.Leaving);
        _step = Step.Refuse;
    }

    // What is lost is nowhere else to be told: the device would be gone, and its next user would find the errors.
    private bool StaysForLost()
    {
        if (_parts.Index.RottenOf(_device!.Id) == 0 || Mutant.Is(WriteboostMutant.R13IdReusedEarly)) return false;
        _order!.LeavesLost = true;
        TurnBack();
        return true;
    }

    private bool HasNoRequests() =>
        _parts.OpenQueues.HaveSeen(_parts.Backings.Generation) && _parts.OpenQueues.RequestsOf(_device!.Id) == 0;

    // What another's failed flush has lost, this one cannot bring back.
    private void Flush()
    {
        bool needed = !_device!.IsAbsent && _device.Device.CanFlush;
        if (!TryTakeTurn()) return;
        _flushResult = _parts.Around.HasFailed ? -Errno.EIO : needed ? 0 : 1;
        if (_flushResult == 0) _flusher.Flush(_device.Id, _backings[_device.Id]);
    }

    private void FailFlush(int id, int error)
    {
        _flushResult = error;
        _parts.AroundLosses.ReportFlush(id, -error);
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
        _parts.Queues.WakeFirst();
    }

    // What is under way there cannot be taken back; when it has ended, it counts as failed.
    private void Answer()
    {
        _isAnswered = true;
        _order!.Interrupt();
    }

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
        _parts.Evidence.Notes?.SetDevice(_device!.Id, null);
        _notes?.Begin();
        if (_table == null) return;
        _before = _parts.Records.Table![_device!.Id];
        _parts.Records.Table[_device.Id] = default;
        _table.Begin(_parts.Records.Table);
    }

    // Clean blocks and ranges of the device still serve reads; another device under its number must not meet them.
    private bool ForgetMore()
    {
        int id = _device!.Id;
        Invariant.Check(_device.State is BackingState.Leaving or BackingState.Absent);
        long end = Math.Min(_slot + SlotsPerTurn, _parts.Log.Geometry.SlotCount);
        for (; _slot < end; _slot++)
            if (_parts.Index.IsLinked((uint)_slot) && BackingTable.IdOf(_parts.Index.KeyOf((uint)_slot)) == id)
                _parts.Index.Remove((uint)_slot);
        if (_slot < _parts.Log.Geometry.SlotCount) return false;
        _parts.Ranges.RemoveBetween(BackingTable.KeyOf(id, 0), BackingTable.KeyOf(id + 1, 0));
        return true;
    }
}
