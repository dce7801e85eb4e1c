using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Sees within a quarter of a second when somebody takes away the memory that should outlive the process (R1): removed,
/// moved, replaced, cut or covered, it would not be found by the next life. Then acknowledgements wait for the log, and
/// what had been acknowledged before is made durable at once. Part of the volume's background work.
/// </summary>
internal sealed class MemoryWatch(
    LogMemory memory, SegmentLog log, LogPort port, SuperblockOrders commits, Fingerprints samples, bool hasEpochs)
    : IBackgroundTask
{
    private const long TurnUs = 250_000;

    private readonly IRamRegion _region = log.Ram.Region;
    private long _acknowledgedEnd = -1; // in the lost memory alone, until durable

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } =
        memory.Outlives && log.Ram.Region.CanVanish ? 0 : long.MaxValue;

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (memory.IsForgotten) DeadlineUs = long.MaxValue;
        if (nowUs >= DeadlineUs && !Mutant.Is(WriteboostMutant.R1LossUnnoticed)) Look(nowUs);
        if (_acknowledgedEnd < 0 || log.Durable < _acknowledgedEnd) return;
        _acknowledgedEnd = -1;
        if (!memory.SettleLoss()) return;
        if (hasEpochs) commits.Begin();
        else samples.BeginWrite();
    }

    private void Look(long nowUs)
    {
        DeadlineUs = nowUs + TurnUs;
        if (_region.FindLoss() is not { } loss) return;
        DeadlineUs = long.MaxValue;
        memory.ReportLoss(loss);
        // Whoever saw the memory as good had reserved its slots before.
        Invariant.Check(_acknowledgedEnd < 0);
        _acknowledgedEnd = log.ReservedEnd;
        log.RequestDurable(port, _acknowledgedEnd);
    }
}
