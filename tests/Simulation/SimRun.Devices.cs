using System;

namespace Weir.Tests.Simulation;

/// <content>Devices that leave a volume under work, and come back (R13).</content>
public sealed unsafe partial class SimRun
{
    private Func<bool?>? _change;
    private int _changing;

    /// <summary>Once per request: begins a change now and then, and sees what became of it.</summary>
    private void ChangeDevices()
    {
        if (_change != null) EndChange(_change());
        else if (_config.ChangesDevices()) BeginChange();
    }

    private void BeginChange()
    {
        int absent = -1;
        for (int i = 0; i < _disks.Count; i++)
            if (_disks.IsAbsent(i)) absent = i;
        // One that was not there at the start has data that nobody has seen: it comes with the next life.
        if (absent >= 0 && !_disks.HasLeft(absent)) return;
        _changing = absent >= 0 ? absent : _world.Random.Below(_disks.Count);
        _world.Note(SimEvent.Note, _changing, text: absent >= 0 ? "attach" : "detach");
        _client!.BeginLeaving(absent >= 0 ? -1 : _changing);
        _change = absent >= 0
            ? _engine.Attach(_volume!, _disks, _changing)
            : _engine.Detach(_volume!, _changing);
    }

    private void EndChange(bool? done)
    {
        if (done == null) return;
        bool attached = _client!.Leaving < 0;
        _world.Note(SimEvent.Note, _changing, done == true ? 1 : 0, text: "changed");
        if (done == false && !_client.MayFail)
            throw new SimViolationException($"device {_changing} cannot come or go on healthy devices");
        if (done == true && attached) _disks.Return(_changing);
        if (done == true && attached) _client.Number(_changing, _engine.NumberOf(_volume!, _changing));
        if (done == true && !attached) Leave();
        _change = null;
        _client.BeginLeaving(-1);
    }

    /// <summary>It is gone: all that was ever acknowledged is on the device itself.</summary>
    private void Leave()
    {
        _disks.Leave(_changing);
        long first = _disks.StartOf(_changing) / 512;
        for (long x = first; x < first + (_disks[_changing].SizeBytes / 512); x++)
        {
            long now = _history.Tick();
            ulong value = SectorTag.Parse(_disks.Sector(x), x);
            if (_history.ReadAllowed(x, value, now, now)) continue;
            throw new SimViolationException($"device {_changing} was let go, but its sector {x} holds "
                + SectorTag.Describe(_disks.Sector(x), x) + _history.Explain(x));
        }
    }
}
