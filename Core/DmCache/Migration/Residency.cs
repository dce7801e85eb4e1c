using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// How blocks come into the cache and leave it: for requests, for the policy and for the metadata at once. Any thread;
/// whoever calls has the home's exclusive lock.
/// </summary>
internal sealed class Residency(CacheMap map, PolicySlot policy, ChangeList changes)
{
    /// <summary>What requests ask.</summary>
    public CacheMap Map => map;

    /// <summary>Who decides.</summary>
    public PolicySlot Policy => policy;

    /// <summary>What is not durable yet.</summary>
    public ChangeList Changes => changes;

    /// <summary>
    /// The place, taken from the free ones, has the home's bytes. Returns the number of the commit that will have it.
    /// </summary>
    public long Enter(uint place, long home, PlaceState state, in Access access, bool isUrgent)
    {
        policy.Enter();
        map.Publish(place, home, state);
        policy.Host.Insert(place, home, access);
        if ((state & PlaceState.Dirty) != 0) policy.Host.SetDirty(place, isDirty: true);
        policy.Exit();
        return changes.Add(place >> PlaceTable.GroupShift, isUrgent);
    }

    /// <summary>
    /// The block leaves its place, which is free once the commit of the returned number is durable (B3).
    /// </summary>
    public long Leave(uint place, bool isEvicted, bool isUrgent)
    {
        policy.Enter();
        map.Unmap(place);
        policy.Host.Remove(place, isEvicted);
        policy.Exit();
        if (Mutant.Is(DmCacheMutant.B3FreeAtOnce))
        {
            map.EndLeaving(place);
        }
        return changes.Add(place >> PlaceTable.GroupShift, isUrgent);
    }
}
