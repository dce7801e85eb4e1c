using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Settings;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// Lets a volume grow whose requests are held, on the first queue's thread: the metadata name the new places first,
/// durably; then every structure in memory takes them. A crash between is a cache whose new places are free.
/// </summary>
internal sealed class Grower(DmCacheVolume volume, Committer committer)
{
    private long _ticket;
    private long _missing;

    /// <summary>Begins its commit. All that has changed before is durable.</summary>
    public void Begin(GrowOrder order)
    {
        uint places = order.Geometry.Places;
        _missing = 0;
        committer.First = () => TryResize(places);
        _ticket = volume.Changes.Urge();
        volume.Suspension.State = SuspendState.Growing;
    }

    /// <summary>What the user is told where the metadata have no room for so many places.</summary>
    public static string TextOfMissing(CacheMetadata metadata, uint places, long missing) =>
        $"{places} cache blocks need {missing} more metadata blocks of 4 KiB than the {metadata.MetadataBlocks} there "
            + "are; nothing has grown";

    /// <summary>Looks whether it is durable. True: it is over, and the order is answered.</summary>
    public bool TryEnd(GrowOrder order)
    {
        string? failure = volume.Changes.Failure;
        bool isDone = volume.Changes.IsDone(_ticket);
        if (!isDone && failure == null) return false;
        if (_missing > 0)
            failure = TextOfMissing(volume.Metadata, order.Geometry.Places, _missing);
        else if (isDone) volume.TakeRoom(order);
        volume.EndGrowth(isDone && _missing == 0 ? null : failure);
        return true;
    }

    // False: a block of metadata is missing, and this is called again.
    private bool TryResize(uint places)
    {
        if (!volume.Metadata.TryCountMissing(places, out _missing)) return false;
        return _missing > 0 || Mutant.Is(DmCacheMutant.GrownUncommitted) || volume.Metadata.TryResize(places);
    }
}
