using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Migration;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// The commit of an orderly stop: marks are the dirty blocks exactly, and hints and discards are kept. Nothing else is
/// under way.
/// </summary>
internal sealed class LastCommit(DmCacheVolume volume, Committer committer)
{
    private long _ticket;
    private uint _place;
    private bool _hasHints;
    private PolicyHost? _policy;
    private int _word;

    /// <summary>Begins it, for all groups: marks may go everywhere.</summary>
    public void Begin()
    {
        if (volume.Changes.Failure != null || volume.Devices.FlushError < 0) return;
        committer.IsExact = !Mutant.Is(DmCacheMutant.LastCommitInexact);
        committer.Last = TryKeep;
        for (uint group = 0; group < volume.Map.Table.Groups; group++) volume.Changes.Add(group, isUrgent: true);
        _ticket = volume.Changes.Urge();
    }

    /// <summary>It is durable, or never will be.</summary>
    public bool IsOver() => volume.Changes.IsDone(_ticket) || volume.Changes.Failure != null;

    // Called again where a block was missing: each part goes on where it was.
    private bool TryKeep() => TryKeepHints() && TryKeepDiscards();

    // At a suspend the policy still hears of what was before, and may become another one between two calls.
    private bool TryKeepHints()
    {
        volume.Policy.Enter();
        try
        {
            PolicyHost policy = volume.Policy.Host;
            if (policy != _policy) (_policy, _hasHints, _place) = (policy, false, 0);
            return TryKeepHintsOf(policy);
        }
        finally
        {
            volume.Policy.Exit();
        }
    }

    private bool TryKeepHintsOf(PolicyHost policy)
    {
        CacheMetadata metadata = volume.Metadata;
        (int major, int minor, int patch) = policy.Info.Version;
        if (!_hasHints)
        {
            (uint, uint, uint) version = ((uint)major, (uint)minor, (uint)patch);
            // Zeroes of a policy that has none: the kernel's tools cannot read metadata without them.
            if (!metadata.TryBeginHints(policy.Info.Name, CacheMetadata.HintBytes, version)) return false;
            _hasHints = true;
        }
        if (policy.Info.HintBytes == 0) return true;
        for (; _place < volume.Map.Table.Places; _place++)
            if (!metadata.TrySetHint(_place, HintOf(policy, _place))) return false;
        return true;
    }

    private uint HintOf(PolicyHost policy, uint place) =>
        (volume.Map.Table.StateOf(place) & PlaceState.Mapped) != 0 ? policy.HintOf(place) : 0;

    private bool TryKeepDiscards()
    {
        DiscardMap discards = volume.Discards;
        if (!volume.Metadata.TryResizeDiscards(discards.PieceBytes / CacheGeometry.SectorBytes, discards.Pieces))
            return false;
        for (; _word < discards.WordCount; _word++)
            if (!volume.Metadata.TrySetDiscardWord(_word, discards[_word])) return false;
        return true;
    }
}
