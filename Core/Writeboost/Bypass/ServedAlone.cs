using System.Collections.Generic;
using System.Threading;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// What serves backing devices without the cache: those that were never cached, and all of them once the cache device
/// has failed and left nothing that they do not have (R11).
/// </summary>
internal sealed class ServedAlone(BackingTable backings, WriteboostOptions options)
{
    private IVolume?[]? _fallback;

    /// <summary>Orders to flush them while the cache device has failed.</summary>
    public FlushTickets Flushes { get; } = new();

    /// <summary>Why flushes of some of them fail; null: they do not.</summary>
    public string? FlushLoss
    {
        get
        {
            List<string> losses = [];
            foreach (IVolume? volume in All)
                if (volume?.FlushLoss is { } loss) losses.Add(loss);
            return losses.Count == 0 ? null : string.Join("; ", losses);
        }
    }

    private IEnumerable<IVolume?> All
    {
        get
        {
            foreach ((IVolume volume, _) in options.Uncached) yield return volume;
            foreach (IVolume? volume in Volatile.Read(ref _fallback) ?? []) yield return volume;
        }
    }

    /// <summary>By Request.Device; made by the first queue that comes.</summary>
    public IVolume?[] Fallback()
    {
        lock (backings)
        {
            if (_fallback != null) return _fallback;
            IVolume?[] volumes = new IVolume?[BackingTable.MaxId];
            foreach (BackingDevice backing in backings.ToList())
                if (!backing.IsAbsent) volumes[backing.Id - BackingTable.MinId] = options.Fallback!(backing.Device);
            return _fallback = volumes;
        }
    }

    /// <summary>
    /// What to say of a device, by Request.Device, whose flush has failed with a negative errno.
    /// </summary>
    public string DescribeLoss(int device, int result) => Fallback()[device]?.FlushLoss
        ?? $"backing device {backings.NameOf(device + BackingTable.MinId)}: flush failed: {Errno.Text(result)}";

    /// <summary>Flushes of all of them count again; why they had failed, or null.</summary>
    public string? Resume()
    {
        string? loss = FlushLoss;
        foreach (IVolume? volume in All) volume?.Resume();
        return loss;
    }
}
