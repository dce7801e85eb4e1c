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
/// background work. Attach: no batch under way, samples and device table written, every queue knows it, then the
/// export. Detach: drain while clients are served, refuse new requests, drain the rest, flush the device, mark beyond
/// every record that names it, device table written, its blocks out of the index, every queue has let go, and only then
/// is the number free. An order whose device table is refused has failed: the table is written again as it was, with
/// growing pauses, before the next order, and before a device that was to leave is served again. So has one that was
/// answered because a device hangs: what is under way there ends some time, and counts as refused.
/// </summary>
internal sealed partial class DeviceChanger : IBackgroundTask, IDisposable
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

    private readonly DeviceParts _parts;
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
    public DeviceChanger(
        DeviceParts parts, LogPort port, DeviceQueue cache, BackingQueues backings, NotesWriter? notes,
        WritebackEngine writeback)
    {
        _writeback = writeback;
        _notes = notes;
        _parts = parts;
        _port = port;
        _backings = backings;
        _io = port.Io;
        _flusher = new DeviceFlusher(parts.FlushLock, _io) { Failed = FailFlush, Ended = EndFlush };
        if (parts.Records.Table != null) _table = new TableWriter(cache, port);
    }

    private enum Step
    {
        None,
        AwaitQuiet,
        WriteSamples,
        WriteAttached,
        AwaitQueues,
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
    // device that comes is in the table and this thread has its queue.
    private bool WantsQuiet => _step is Step.AwaitQuiet or Step.WriteSamples or Step.WriteAttached or Step.AwaitQueues;

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
        _parts.Orders.NoteWork(_step == Step.None ? 0 : _device?.Id ?? 0, !writebackIsQuiet);
        if (_step == Step.None && (!IsTableTrue(nowUs) || !TryBegin()))
        {
            DeadlineUs = !_retry.IsHeldUp ? long.MaxValue : _rewriting ? nowUs + TurnUs : _retry.DueUs;
            return;
        }
        DeadlineUs = _step == Step.Forget ? 0 : nowUs + TurnUs;
        if (MayTurnBack && (_order!.IsCancelled || !_parts.Health.TakesWrites || IsHeldUp)) TurnBack();
        else if (!_isAnswered && IsNotToBeTakenBack && _order!.IsHung) Answer();
        if (_step is not Step.None and <= Step.AwaitQueues) Attach(writebackIsQuiet);
        else if (_step != Step.None) Detach();
        if (_step == Step.None) DeadlineUs = long.MaxValue;
    }

    // The volume stops: what can be left is left. True when nothing is under way any more.
    private bool TryStop()
    {
        _stopping = true;
        if (MayTurnBack) TurnBack();
        if (_step == Step.None) _parts.Orders.Refuse();
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
        && (_parts.Progress.Setbacks != _setbacks || _parts.Lost.Hold != null);

    private bool TryBegin()
    {
        Invariant.Check(_order == null);
        _order = _parts.Orders.Take();
        if (_order == null) return false;
        _device = null;
        try
        {
            if (!_parts.Health.TakesWrites)
                throw new UserErrorException(
                    $"the volume is {VolumeHealth.NameOf(_parts.Health.State)}: {_parts.Health.Reason}");
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
        Invariant.Check(_order != null);
        _step = Step.None;
        _order!.Device = _device;
        if (!_isAnswered) _order.Finish(error);
        (_order, _isAnswered) = (null, false);
        _flusher.GiveBack();
        // Write-back had to keep quiet, and writers may wait for it: it goes on with the next turn.
        _parts.Queues.WakeFirst();
    }

    // A queue that flushes takes no notice of devices that come and go: none shall begin to, and perhaps never end,
    // when an order cannot be turned back any more.
    private bool TryTakeTurn() => _flusher.TryTake();

    private void TurnBack()
    {
        if (IsHeldUp && _parts.Lost.Hold != null) _order!.LeavesLost = _parts.Index.RottenOf(_device!.Id) > 0;
        if (_device != null && _step != Step.AwaitQuiet)
        {
            SetState(BackingState.Attached);
            _parts.Drains.CancelForDevice();
        }
        string why = _order!.IsCancelled ? "interrupted"
            : IsHeldUp ? _parts.Lost.Hold ?? _parts.Progress.LastSetback : "the volume stops or is not healthy";
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
        _parts.Backings.NoteChange();
        _parts.Queues.WakeAll();
    }

    private int ResultOf(int result) => _isAnswered && result >= 0 ? -Errno.ETIMEDOUT : result;
}
