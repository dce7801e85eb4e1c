using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

public sealed unsafe partial class SimRun
{
    /// <summary>
    /// With nothing to do, an engine may write everything back. Where it says that nothing is dirty any more, the
    /// backing device alone must hold the whole image.
    /// </summary>
    private void CheckDrained()
    {
        for (int i = 0; i < 40 && Dirty() > 0; i++) _client!.Idle(2_000_000);
        _drained = Dirty() == 0;
        if (!_drained) return;
        for (long x = 0; x < _history.SectorCount; x++)
        {
            byte* sector = _backing.Media.Current + x * 512;
            if (SectorTag.Parse(sector, x) == _image[x]) continue;
            throw new SimViolationException(
                $"nothing is dirty, but sector {x} of the backing device holds {SectorTag.Describe(sector, x)}, "
                + $"not {_image[x]:x} (R7, R8)" + _history.Explain(x));
        }
    }

    private long Dirty()
    {
        var status = new Figures();
        _volume!.Report(status);
        return status.Numbers.GetValueOrDefault("dirty_blocks", -1)
            + status.Numbers.GetValueOrDefault("dirty_ranges");
    }

    private sealed class Figures : IStatusWriter
    {
        public Dictionary<string, long> Numbers { get; } = [];

        public void Number(string name, long value) => Numbers[name] = value;

        public void Text(string name, string value)
        {
        }
    }
}
