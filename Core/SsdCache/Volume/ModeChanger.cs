using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <summary>
/// Carries out orders to change the mode (B12): new writes first, then everything that is dirty goes home, and then the
/// mode has its name. On the first queue's thread.
/// </summary>
internal sealed class ModeChanger(SsdCacheVolume volume) : IBackgroundTask
{
    private long _ticket;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        ModeState mode = volume.Mode;
        CacheMode wanted = volume.WantedMode;
        if (wanted == mode.Named && wanted == mode.Current) return;
        // Writes of the mode before are under way.
        if (!volume.HaveAllSeenMode) return;
        if (mode.Current != wanted) Begin(wanted);
        else Settle(wanted);
    }

    // Write-back promises the least: it has its name before its first write is answered.
    private void Begin(CacheMode next)
    {
        volume.Drains.ForMode = false;
        _ticket = 0;
        if (next == CacheMode.Writeback) volume.Mode.Name(next);
        volume.Mode.Begin(next);
        volume.Queues.WakeAll();
    }

    private void Settle(CacheMode next)
    {
        bool mustBeClean = next != CacheMode.Writeback && !Mutant.Is(SsdCacheMutant.B12NamedTooEarly);
        volume.Drains.ForMode = mustBeClean && volume.Table.DirtyCount > 0;
        if (volume.Drains.ForMode || (mustBeClean && !IsDurable())) return;
        volume.Mode.Name(next);
    }

    // Dirty sectors may have left because home got newer ones, which no flush has covered yet.
    private bool IsDurable()
    {
        if (_ticket == 0) _ticket = volume.BeginFlush();
        return volume.Tickets.IsFlushed(_ticket);
    }
}
