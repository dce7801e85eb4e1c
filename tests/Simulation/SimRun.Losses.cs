using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <content>
/// Flushes that fail, and what they should have covered: it shows until the power goes, and all that time the flushes
/// of later lives succeed.
/// </content>
public sealed unsafe partial class SimRun
{
    private bool _flushesFirst;

    private void LoseFlush()
    {
        _flushesFirst = _since == CrashKind.Process;
        if (_since == CrashKind.Process || _world.Random.Chance(20)) return;
        int countdown = FlushesOfAnOpening + _world.Random.Below(_world.Random.Chance(50) ? 6 : 40);
        _devices.Cache!.Fault = new SimFault { Kind = IoKind.Flush, Countdown = countdown, Left = 1 };
    }

    // Mostly the process first, then the power.
    private CrashKind LossEnds(CrashKind drawn)
    {
        if (_world.Random.Chance(20)) return drawn;
        return _world.Faults > _faultsBefore ? CrashKind.Process : CrashKind.Power;
    }
}
