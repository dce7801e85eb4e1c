using System;
using Weir.Core.Base;
using Weir.Core.Caching;

namespace Weir.Core.DmCache.Places;

/// <summary>
/// Which home is at which place: what every request asks, and what only promotions and removals change. Whoever calls
/// has a lock of the home; an exclusive one to change something.
/// </summary>
internal sealed class CacheMap : IDisposable
{
    private const int CellsMin = 1 << 10, CellsMax = 1 << 16;

    /// <summary>Everything is free, but nothing is in <see cref="Free"/> yet.</summary>
    public CacheMap(in CacheGeometry geometry)
    {
        Geometry = geometry;
        Table = new PlaceTable(geometry.Places);
        Index = new HomeIndex(Table);
        Free = new FreePlaces(geometry.Places);
        Unreadable = new UnreadablePlaces(geometry.Places);
        Locks = new BlockLocks(CellsFor(geometry.Homes), blocksPerCell: 1);
    }

    /// <summary>Sizes.</summary>
    public CacheGeometry Geometry { get; private set; }

    /// <summary>
    /// Had by whoever looks at places from a thread that has no queue, and while they become more.
    /// </summary>
    public System.Threading.Lock SizeLock { get; } = new();

    /// <summary>What each place holds.</summary>
    public PlaceTable Table { get; }

    /// <summary>Where each home is.</summary>
    public HomeIndex Index { get; }

    /// <summary>Places that hold nothing.</summary>
    public FreePlaces Free { get; }

    /// <summary>Places that the cache device has refused to give.</summary>
    public UnreadablePlaces Unreadable { get; }

    /// <summary>Who may do what with which home; the rest behind the last whole block is one more.</summary>
    public BlockLocks Locks { get; }

    /// <summary>Bytes of memory, but for the locks, of which there are no more with more places.</summary>
    public long MemoryBytes => Table.MemoryBytes + Index.MemoryBytes + Free.MemoryBytes + Unreadable.MemoryBytes;

    /// <summary>Where a home is will be asked once its lock is taken: both are fetched side by side.</summary>
    public void Prefetch(long home) => Index.Prefetch(home);

    /// <summary>The place of a home; -1: it is not cached.</summary>
    public long Find(long home) => home < Geometry.Homes ? Index.Find(home) : -1;

    /// <summary>
    /// The home has left its place, and the durable metadata may say otherwise: it must not be written there before
    /// they do not (B9), nor be brought in again.
    /// </summary>
    public bool IsLeaving(long home) =>
        Table.LeavingCount > 0 && Index.FindLeaving(home) >= 0 && !Mutant.Is(DmCacheMutant.B9LeavingWritten);

    /// <summary>At the start: what the metadata say.</summary>
    public void Load(uint place, long home, PlaceState state)
    {
        Table.SetHome(place, home);
        Index.Add(place);
        Table.Change(place, state | PlaceState.Mapped, 0);
    }

    /// <summary>A place that was taken from <see cref="Free"/> has the home's bytes, and requests find it.</summary>
    public void Publish(uint place, long home, PlaceState state)
    {
        Table.SetHome(place, home);
        Index.Add(place);
        Table.Change(place, state | PlaceState.Mapped | PlaceState.Fresh, 0);
    }

    /// <summary>
    /// Requests find it no more. The place is free when a commit has said so (B3): whoever takes it away lists it.
    /// Until then it can be seen that the block is about to leave.
    /// </summary>
    public void Unmap(uint place)
    {
        const PlaceState all = PlaceState.Mapped | PlaceState.Fresh | PlaceState.Written | PlaceState.Dirty
            | PlaceState.Doubtful | PlaceState.Cleaning | PlaceState.Quiet;
        PlaceState old = Table.Change(place, PlaceState.Leaving, all);
        Invariant.Check((old & PlaceState.Mapped) != 0);
        Unreadable.Remove(place);
    }

    /// <summary>A commit without the place's entry is durable: it is free.</summary>
    public void EndLeaving(uint place)
    {
        Index.Remove(place);
        PlaceState old = Table.Change(place, 0, PlaceState.Leaving);
        Invariant.Check((old & PlaceState.Leaving) != 0);
        Free.Return(place);
    }

    /// <summary>Takes more places and homes. No request is under way, nothing leaves; nobody else is at work in it.
    /// </summary>
    public void Grow(in CacheGeometry grown)
    {
        Invariant.Check(grown.Places >= Geometry.Places);
        Invariant.Check(grown.Homes >= Geometry.Homes);
        Invariant.Check(Table.LeavingCount == 0);
        bool hasMore = grown.Places > Geometry.Places;
        Geometry = grown;
        if (!hasMore) return;
        Table.Grow(grown.Places);
        Index.Grow();
        Free.Grow(grown.Places);
        Unreadable.Grow(grown.Places);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Table.Dispose();
        Index.Dispose();
        Free.Dispose();
        Unreadable.Dispose();
    }

    private static int CellsFor(long homes)
    {
        int cells = CellsMin;
        while (cells < CellsMax && cells < homes) cells <<= 1;
        return cells;
    }
}
