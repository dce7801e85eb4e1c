using System;

namespace Weir.Tests.Simulation;

/// <summary>
/// The promise of engines whose data lies in place, and of writes that go round a log: every sector survives or is lost
/// for itself until a flush, or FUA of its own, covers it, and what a reopened volume has shown it keeps showing until
/// somebody writes the sector.
/// </summary>
/// <remarks>
/// There is no order between sectors. A flush that has failed is told to the client; what it should have covered may
/// be gone (<see cref="History.ForgiveUnflushed"/>), then or at the next power cut.
/// </remarks>
public sealed class StableInPlace(long sectorCount) : Promise(new History(sectorCount) { SectorBySector = true })
{
    /// <inheritdoc/>
    public override string? Check(ReadOnlySpan<ulong> image, CrashKind kind)
    {
        long horizon = FirstHorizon(kind);
        for (long x = 0; x < image.Length; x++)
        {
            ulong value = image[(int)x];
            if (value == SectorTag.Unknown) continue;
            bool wasThere = Find(x, value, History.Newest(x)) != None || History.Base[x] == value;
            if (!wasThere) return Strange(x, value);
            if (History.Newest(x) == None) continue;
            if (Lacks(x, value, horizon, out int by)) return Lost(x, value, by, horizon);
        }
        Horizon = horizon;
        return null;
    }
}
