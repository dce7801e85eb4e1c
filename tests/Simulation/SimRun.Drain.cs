namespace Weir.Tests.Simulation;

public sealed unsafe partial class SimRun
{
    private const int DrainSteps = 400;

    /// <summary>Writes everything back; then the backing device alone must hold the whole image (R7, R8, R9).</summary>
    private void Drain()
    {
        _engine.Drain(_volume!);
        for (int i = 0; i < DrainSteps && !_engine.IsDrained(_volume!); i++) _client!.Idle(100_000);
        if (!_engine.IsDrained(_volume!)) throw new SimStuckException("the volume is never drained");
        for (long x = 0; x < _history.SectorCount; x++)
        {
            byte* sector = _disks.Sector(x);
            if (SectorTag.Parse(sector, x) == _image[x] || _disks.HasDropped(x)) continue;
            throw new SimViolationException(
                $"everything is written back, but sector {x} of the backing device holds "
                + $"{SectorTag.Describe(sector, x)}, not {_image[x]:x}" + _history.Explain(x));
        }
    }
}
