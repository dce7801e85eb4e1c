using System.Threading;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <content>
/// The cache device fails and home has everything: the volume goes on without it. Nothing can be written on it any more
/// that would say so, and its closed pages would be believed: so the backing device keeps a note (B9, B11).
/// </content>
internal sealed unsafe partial class SsdCacheVolume
{
    private readonly Lock _fallbackLock = new();
    private IVolume? _fallback;

    private static StaleCacheMarker MarkerOf(Device cache, in SsdSuperblock head) =>
        new(cache.Name, $"ssdcache-{head.CacheId:N}");

    // Nothing of it is dirty, and nothing becomes so in these modes.
    private bool IsExpendable => Mode.Current != CacheMode.Writeback && Mode.Named != CacheMode.Writeback
        && Table.DirtyCount == 0 && Options.Fallback != null;

    // On the first queue's thread, once: a device operation that waits, instead of all that would fail.
    private bool TryAbandon(string reason)
    {
        if (Health.CacheHasFailed) return true;
        if (!IsExpendable) return false;
        if (MarkerOf(_cache, Head).Leave(_backing, Head.Epoch) is { } obstacle)
        {
            Options.Log($"{reason}; the cache cannot be left behind: {obstacle}");
            return false;
        }
        Health.Worsen(VolumeState.PassThrough, $"{reason}; {_backing.Name} has everything and is served alone");
        Queues.WakeAll();
        return true;
    }

    // By Request.Device; made by the first queue that comes.
    private IVolume?[] Fallback()
    {
        lock (_fallbackLock) return [_fallback ??= Options.Fallback!(_backing)];
    }
}
