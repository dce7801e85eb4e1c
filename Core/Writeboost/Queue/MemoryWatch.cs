using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Sees within a quarter of a second when somebody takes away the memory that should outlive the process (R1): removed,
/// moved, replaced, cut or covered, it would not be found by the next life. Then acknowledgements wait for the log, and
/// what had been acknowledged before is made durable at once. Part of the volume's background work.
/// </summary>
internal sealed class MemoryWatch(WriteboostVolume volume, LogPort port) : IBackgroundTask
{
    private const long TurnUs = 250_000;

    private readonly IRamRegion _region = volume.Log.Ram.Region;
    private long _acknowledgedEnd = -1; // in the lost memory alone, until durable

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } =
        volume.Memory.Outlives && volume.Log.Ram.Region.CanVanish ? 0 : long.MaxValue;

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (volume.Memory.IsForgotten) DeadlineUs = long.MaxValue;
        if (nowUs >= DeadlineUs && !Mutant.Is(WriteboostMutant.R1LossUnnoticed)) Look(nowUs);
        if (_acknowledgedEnd < 0 || volume.Log.Durable < _acknowledgedEnd) return;
        _acknowledgedEnd = -1;
        if (!volume.Memory.SettleLoss()) return;
        if (volume.Layout.HasEpochs) volume.Commits.Begin();
        else volume.Fingerprints.BeginWrite();
    }

    private void Look(long nowUs)
    {
        DeadlineUs = nowUs + TurnUs;
        if (_region.FindLoss() is not { } loss) return;
        DeadlineUs = long.MaxValue;
        volume.Memory.ReportLoss(loss);
        // Whoever saw the memory as good had reserved its slots before.
        _acknowledgedEnd = volume.Log.ReservedEnd;
        volume.Log.RequestDurable(port, _acknowledgedEnd);
    }
}
