using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Settings;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// Lets a suspended volume grow, on the first queue's thread: the metadata name the new places first, durably; then
/// every structure in memory takes them. A crash between is a cache whose new places are free.
/// </summary>
internal sealed class Grower(DmCacheVolume volume, Committer committer)
{
    private long _ticket;

    /// <summary>Begins its commit, unless there is no room for it.</summary>
    public void Begin(GrowOrder order)
    {
        uint places = order.Geometry.Places;
        // What a suspend has committed lies in memory: nothing is missing to look.
        bool isKnown = volume.Metadata.TryCountMissing(places, out long missing);
        if (!isKnown) volume.EndGrowth("the metadata cannot be looked at; nothing has grown");
        else if (volume.Changes.Failure is { } failure) volume.EndGrowth(failure);
        else if (missing > 0)
            volume.EndGrowth($"{places} cache blocks need {missing} more metadata blocks than the "
                + $"{volume.Metadata.MetadataBlocks} there are; nothing has grown");
        else BeginCommit(places);
    }

    /// <summary>Looks whether it is durable.</summary>
    public void GoOn(GrowOrder order)
    {
        string? failure = volume.Changes.Failure;
        bool isDone = volume.Changes.IsDone(_ticket);
        if (!isDone && failure == null) return;
        if (isDone) volume.TakeRoom(order);
        volume.Suspension.State = SuspendState.Suspended;
        volume.EndGrowth(isDone ? null : failure);
    }

    private void BeginCommit(uint places)
    {
        bool isLeftOut = Mutant.Is(DmCacheMutant.GrownUncommitted);
        if (!isLeftOut) committer.First = () => volume.Metadata.TryResize(places);
        _ticket = volume.Changes.Urge();
        volume.Suspension.State = SuspendState.Growing;
    }
}
