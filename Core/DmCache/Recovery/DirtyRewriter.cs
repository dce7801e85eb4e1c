using System;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// After a flush of the cache device that failed: every dirty block is written again (<see cref="RangeRewriter"/>). Cut
/// anywhere, it begins anew.
/// </summary>
internal sealed class DirtyRewriter(BlockingIo io, Device cache, CacheMap map, Action<string> log)
{
    private const int MostBytes = 1 << 20;

    /// <summary>All of it. Throws <see cref="Base.UserErrorException"/> when the device refuses a write.</summary>
    public void Run()
    {
        long all = map.Table.DirtyCount;
        log($"{cache.Name}: a flush has failed: what is clean is forgotten, and {all} dirty blocks are written "
            + "again");
        using RangeRewriter rewriter = new(io, cache, (int)Math.Min(MostBytes, map.Geometry.BlockBytes));
        for (uint place = 0; place < map.Table.Places; place++)
            if ((map.Table.StateOf(place) & PlaceState.Dirty) != 0)
                rewriter.Rewrite(map.Geometry.PlaceOffset(place), map.Geometry.BlockBytes);
    }
}
