using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Queue;

/// <content>A device comes.</content>
internal sealed partial class DeviceChanger
{
    private void Attach(bool writebackIsQuiet)
    {
        if (_step == Step.AwaitQuiet && writebackIsQuiet && LogIsDurable() && TryTakeTurn())
        {
            try
            {
                BackingSpec spec = _order!.Spec!;
                _device = new Binding(_parts.Records.Table, _target, _parts.Options, spec.Evidence)
                    .BindOne(spec, _parts.Backings.ToList());
                _parts.Identity.Check(_device);
                _parts.Evidence.Check(_device, null);
                _parts.Identity.Warn(_device);
                _parts.Evidence.Warn(_device);
                _parts.Evidence.Take(_device, _parts.Log.HeadSegment);
            }
            catch (UserErrorException error)
            {
                _device = null;
                Finish(error);
                return;
            }
            _step = Step.WriteSamples;
            _parts.Identity.TakeSamples(_device, _order.Spec!.Samples);
            _parts.Samples.BeginWrite();
        }
        if (_step == Step.WriteSamples && !_parts.Samples.IsBusy)
        {
            if (SamplesFailed(ResultOf(_parts.Samples.Result))) return;
            _step = Step.WriteAttached;
            if (_table != null)
            {
                _before = _parts.Records.Table![_device!.Id];
                _parts.Records.Describe(_device);
                _table.Begin(_parts.Records.Table);
            }
            _notes?.Begin();
        }
        if (_step == Step.WriteAttached && IsWritten)
        {
            if (TableFailed(ResultOf(_table?.Result ?? 0))) return;
            _parts.Backings.Set(_device!);
            Announce();
            _step = Step.AwaitQueues;
        }
        if (_step == Step.AwaitQueues && _parts.OpenQueues.HaveSeen(_parts.Backings.Generation)) Finish(null);
    }

    // Where the device begins must not lie behind the log's end after a power cut: what is logged then would be taken
    // for another's.
    private bool LogIsDurable()
    {
        if (_target == 0) _target = _parts.Log.ReservedEnd;
        bool isDurable = _parts.Log.Durable >= _target;
        if (!isDurable) _parts.Log.RequestDurable(_port, _target);
        return isDurable;
    }
}
