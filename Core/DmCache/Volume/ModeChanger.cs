using Weir.Core.DmCache.Settings;
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
        // The way out of write-back goes over writes to both devices: nothing becomes dirty any more.
        CacheMode next = wanted == CacheMode.Passthrough && mode.Named == CacheMode.Writeback
            ? CacheMode.Writethrough : wanted;
        if (mode.Current != next)
        {
            mode.Begin(next);
            volume.Queues.WakeAll();
            return;
        }
        if (!volume.HaveAllSeenMode) return;
        bool mustBeClean = next != CacheMode.Writeback && !Base.Mutant.Is(DmCacheMutant.B12NamedTooEarly);
        volume.Drains.ForMode = mustBeClean && volume.Map.Table.DirtyCount > 0;
        if (volume.Drains.ForMode || !IsUnmarked(next)) return;
        mode.Name(next);
        if (next != wanted) volume.Queues.WakeFirst();
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
