using System;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Policies;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

// A read that misses, of a block that the policy wants: home is read once, for the client and for the cache. A slow
// disk would have to find the block twice otherwise. The client is answered when its bytes are there; what follows is
// the promoter's (D27).
internal sealed unsafe partial class DmCacheQueue : IBlockReader
{
    /// <summary>Blocks up to here: the rest of a larger one would cost the client more than a seek.</summary>
    private const int AlongBytes = 128 << 10;

    private bool MayReadAlong(Request* request)
    {
        DmCacheRequest* own = Own(request);
        return request->Kind == RequestKind.Read && _work != null && own->Lock.BlockCount == 1
            && _map.Geometry.BlockBytes <= AlongBytes && request->LengthBytes < _map.Geometry.BlockBytes
            && own->Mode != CacheMode.Passthrough && own->Lock.FirstBlock < _map.Geometry.Homes
            && (own->Facts & RequestFacts.IsSequential) == 0 && _map.Free.Count > 0
            && !_parts.Discards.IsDiscarded(own->Lock.FirstBlock);
    }

    private bool TryReadAlong(Request* request)
    {
        long home = Own(request)->Lock.FirstBlock;
        Access access = AccessOf(request, home);
        bool? isWanted = AskPolicy(request, home, access);
        if (isWanted == true) return _work!.TryReadAlong(new WantedBlock(home, access), request, this);
        return false;
    }

    /// <inheritdoc/>
    public void BlockRead(Request* request, byte* block, int result)
    {
        if (result < 0)
        {
            // The unreadable bytes may be others of the block.
            Move(request);
            return;
        }
        long within = request->OffsetBytes - _map.Geometry.HomeOffset(Own(request)->Lock.FirstBlock);
        Buffer.MemoryCopy(block + within, request->Data, request->LengthBytes, request->LengthBytes);
        Moved(request);
    }
}
