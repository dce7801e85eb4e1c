using System;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Makes places free before they are needed, on the first queue's thread: asks the policy who gives way, takes the
/// block out, and lets the next commit say so (B3). A reserve of free places keeps promotions from waiting for
/// commits, and lets many removals share one.
/// </summary>
internal sealed class Evictor : IBackgroundTask, IDisposable
{
    /// <summary>One place in so many is kept free, but at least and at most these.</summary>
    private const int ReserveOneIn = 64, ReserveMin = 1, ReserveMax = 256;

    private readonly MigrationParts _parts;
    private readonly Func<int> _placesWanted;
    private readonly BlockTaker _taker;
    private int _leaving;
    private int _counted;
    private long _leavingTicket;

    /// <summary>For a promoter that says how many places it wants and cannot have.</summary>
    public Evictor(MigrationParts parts, Func<int> placesWanted)
    {
        (_parts, _placesWanted, _taker) = (parts, placesWanted, new BlockTaker(parts.Residency));
    }

    /// <summary>Places that are kept free.</summary>
    public int Reserve => (int)Math.Clamp(_parts.Geometry.Places / ReserveOneIn, ReserveMin, ReserveMax);

    /// <summary>Somebody wants a place, and all that could give way are dirty: write-back is pressed.</summary>
    public bool IsStarved { get; private set; }

    private CacheMap Map => _parts.Residency.Map;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        IsStarved = false;
        if (_leaving > 0 && _parts.Residency.Changes.IsDone(_leavingTicket)) _leaving = 0;
        int wanted = _placesWanted();
        _counted = Math.Min(_counted, wanted);
        if (wanted == 0 || state != BackgroundState.Serving || _parts.Residency.Changes.Failure != null) return;
        int missing = Reserve - Map.Free.Count - _leaving;
        while (missing > 0 && TryEvict()) missing--;
        if (_leaving > 0) _parts.Residency.Changes.Urge();
        IsStarved = _leaving == 0 && Map.Free.Count == 0;
        if (IsStarved) CountWaiting(wanted);
    }

    /// <inheritdoc/>
    public void Dispose() => _taker.Dispose();

    // Each block that waits once: they go in the order in which they have come.
    private void CountWaiting(int wanted)
    {
        _parts.Moves.Count(MoveEvent.LeftNoPlace, wanted - _counted);
        _counted = wanted;
    }

    // False: nobody may go now.
    private bool TryEvict()
    {
        _parts.Residency.Policy.Enter();
        uint place = _parts.Residency.Policy.Host.ChooseVictim(Map.Table);
        _parts.Residency.Policy.Exit();
        if (place == PolicyInfo.NoPlace) return false;
        Taking taking = _taker.TryTake(place, isEvicted: true, out long ticket);
        if (taking == Taking.Busy) _parts.Moves.Count(MoveEvent.Clashed);
        if (taking != Taking.Taken) return false;
        _leavingTicket = ticket;
        _leaving++;
        _parts.Moves.Count(MoveEvent.Demoted);
        return true;
    }
}
