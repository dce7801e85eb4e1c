using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>The device table, written again as it was when it was refused.</content>
internal sealed partial class DeviceChanger
{
    // The table, and where there is none, the notes; but those only help, and nothing depends on how they end.
    private bool IsWritten => _table is not { IsBusy: true } && _notes is not { IsBusy: true };

    // The device table is as it was; samples of a device that is not in it say nothing.
    private bool SamplesFailed(int result)
    {
        if (result >= 0) return false;
        if (_device!.IsNew) _parts.Samples.Forget(_device.Id);
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
        _parts.Records.Table![_device!.Id] = _before;
        if (!stays && _device.IsNew) _parts.Samples.Forget(_device.Id);
        (_staying, _device) = (stays ? _device : null, null);
        Refused(result);
        if (_parts.Health.CacheHasFailed || Mutant.Is(WriteboostMutant.R13StaysUnwritten)) Settle();
        Finish(new UserErrorException($"{what}: {TableReason(result)}"));
        return true;
    }

    // It was answered while its notes hung.
    private void EndWithoutTable(bool stays)
    {
        if (stays && !_device!.IsAbsent)
        {
            _parts.Evidence.Notes?.SetDevice(_device.Id, _device.Device);
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
        _parts.Health.Hold(Trouble.DeviceTable, TableReason(result) + VolumeHealth.TriedAgain);
    }

    // False: the durable table may say what the one in memory does not. Whoever has an order has it tried at once.
    private bool IsTableTrue(long nowUs)
    {
        if (!_retry.IsHeldUp) return true;
        if (_parts.Health.CacheHasFailed && !_rewriting) Settle();
        else if (_rewriting && !_table!.IsBusy) EndRewrite(_table.Result);
        else if (!_rewriting && !_stopping) TryRewrite(nowUs);
        return !_retry.IsHeldUp;
    }

    private void TryRewrite(long nowUs)
    {
        _retry.Heed(_parts.Health, nowUs);
        if (nowUs < _retry.DueUs && !_parts.Orders.IsAnyWaiting) return;
        _rewriting = true;
        _table!.Begin(_parts.Records.Table!);
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
        _parts.Orders.Take()?.Finish(new UserErrorException(TableReason(result)));
    }

    private void Settle()
    {
        _retry.Passed();
        _parts.Health.Pass(Trouble.DeviceTable);
        if (_staying == null) return;
        _staying.State = BackingState.Attached;
        _staying = null;
        Announce();
    }
}
