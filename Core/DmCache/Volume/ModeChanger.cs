using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// Carries out orders to change the mode (B12): new writes first, then everything that is dirty goes home, and then the
/// mode has its name. On the first queue's thread.
/// </summary>
internal sealed class ModeChanger(DmCacheVolume volume) : IBackgroundTask
{
    private long _order;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        ModeState mode = volume.Mode;
        CacheMode wanted = volume.WantedMode;
        if (wanted == mode.Named && wanted == mode.Current) return;
        // Writes of the mode before are under way.
        if (!volume.HaveAllSeenMode) return;
        CacheMode next = NextTo(wanted);
        if (mode.Current != next) Begin(next);
        else if (TrySettle(next) && next != wanted) volume.Queues.WakeFirst();
    }

    // The way past the cache goes over writes to both devices, until nothing is dirty: nothing becomes so any more.
    private CacheMode NextTo(CacheMode wanted)
    {
        CacheMode current = volume.Mode.Current;
        bool mayDirty = current == CacheMode.Writeback
            || (current == CacheMode.Writethrough && volume.Map.Table.DirtyCount > 0);
        return wanted == CacheMode.Passthrough && mayDirty ? CacheMode.Writethrough : wanted;
    }

    // Write-back promises the least: it has its name before its first write is answered.
    private void Begin(CacheMode next)
    {
        volume.Drains.ForMode = false;
        _order = 0;
        if (next == CacheMode.Writeback) volume.Mode.Name(next);
        volume.Mode.Begin(next);
        volume.Queues.WakeAll();
    }

    private bool TrySettle(CacheMode next)
    {
        bool mustBeClean = next != CacheMode.Writeback && !Base.Mutant.Is(DmCacheMutant.B12NamedTooEarly);
        volume.Drains.ForMode = mustBeClean && volume.Map.Table.DirtyCount > 0;
        if (volume.Drains.ForMode || !IsUnmarked(next)) return false;
        volume.Mode.Name(next);
        return true;
    }

    // A mode that begins with nothing dirty begins so after a crash, too.
    private bool IsUnmarked(CacheMode next)
    {
        if (next != CacheMode.Passthrough) return true;
        if (_order == 0) _order = volume.BeginUnmark();
        if (!volume.IsUnmarked(_order)) return false;
        _order = 0;
        return true;
    }
}
