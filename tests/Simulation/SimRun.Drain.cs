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

    /// <summary>
    /// Forces blocks in, out and home, and reads again: what a volume has shown after a crash it goes on showing.
    /// </summary>
    private void ReadAgain()
    {
        if (_world.Random.Chance(50)) return;
        var shown = (ulong[])_image.Clone();
        if (_world.Random.Chance(50)) _engine.Drain(_volume!);
        for (int i = 0; i < 3; i++)
        {
            _client!.Idle(200_000);
            _client.ReadAll(_image);
            for (int x = 0; x < shown.Length; x++)
                if (_image[x] != shown[x] && _image[x] != SectorTag.Unknown)
                    throw new SimViolationException($"sector {x} has shown {shown[x]:x}, and shows {_image[x]:x} now, "
                        + "though nobody has written it" + _history.Explain(x));
        }
        shown.CopyTo(_image, 0);
    }

    /// <summary>The cache device is thrown away: the backing device alone keeps the promise.</summary>
    private void CheckWithoutCache(CrashKind kind)
    {
        var image = new ulong[_image.Length];
        for (long x = 0; x < image.Length; x++)
            image[x] = _disks.HasDropped(x) ? SectorTag.Unknown : SectorTag.Parse(_disks.Sector(x), x);
        long horizon = _promise.Horizon;
        string? wrong = _promise.Check(image, kind);
        if (wrong != null) throw new SimViolationException($"without the cache, after {kind}: {wrong}");
        _promise.Horizon = horizon;
    }
}
