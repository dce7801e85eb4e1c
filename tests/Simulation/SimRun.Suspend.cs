using System;

namespace Weir.Tests.Simulation;

/// <content>Requests that are held for a while, and what is on the devices meanwhile.</content>
public sealed unsafe partial class SimRun
{
    private const int StepsOfAnOrder = 20_000;
    private const long OrderStepUs = 1000;

    private bool _mayEndHeld;

    /// <summary>Suspends the volume, looks at its devices, and lets it go on; or the process dies there.</summary>
    private void Suspend()
    {
        _client!.IsHeld = true;
        bool isSuspended = Await(_engine.Suspend(_volume!), "suspend");
        if (isSuspended) BeSuspended();
        if (isSuspended && _mayEndHeld && _world.Random.Chance(20)) EndHeld();
        // What cannot be made durable stays held: all that is left is a stop.
        if (!Await(_engine.Resume(_volume!), "resume") && isSuspended) EndHeld();
        _client.IsHeld = false;
    }

    private void BeSuspended()
    {
        _world.Note(SimEvent.Note, _client!.Outstanding, text: "suspended");
        if (_world.PendingCount > 0)
            throw new SimViolationException($"suspended, but {_world.PendingCount} operations are under way");
        // All that was acknowledged is on the devices, and they were flushed.
        _history.AcknowledgeFlush(_history.Tick());
        if (_engine.InspectAtRest(_volume!, _devices) is { } wrong)
            throw new SimViolationException("suspended, but " + wrong);
        Seal(true);
        for (int i = _world.Random.Below(4); i > 0 && _client.Outstanding < _workload.QueueDepth; i--)
        {
            _client.TrySubmit(_workload.Next(), mayOverlap: false);
            _engine.Meddle(_config, _volume!);
            _client.Idle(_world.Random.Below(200_000));
        }
        Seal(false);
    }

    // Not in the last life, which ends well.
    private void EndHeld()
    {
        if (!_mayEndHeld) throw new SimViolationException("on healthy devices the resume failed");
        _world.Kill();
        throw new SimCrashException();
    }

    private bool Await(Func<bool?> order, string what)
    {
        for (int i = 0; i < StepsOfAnOrder; i++)
        {
            if (order() is not { } done)
            {
                _client!.Turn(true, _world.NowUs + OrderStepUs);
                continue;
            }
            _world.Note(SimEvent.Note, done ? 1 : 0, text: what);
            if (!done && !_client!.MayFail) throw new SimViolationException($"on healthy devices the {what} failed");
            return done;
        }
        throw new SimStuckException($"the {what} never ends");
    }
}
