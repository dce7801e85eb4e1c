using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Queue;

// A unit of which the cache has some of the sectors wanted, where a device gives whole units only: what the cache has
// is read apart, and laid over what home has when both are there.
internal sealed unsafe partial class SsdCacheQueue
{
    private bool TryOverlay(Request* request, in Run run)
    {
        if (_overlays.FreeCount == 0 || _io.FreeCount - IoContext.Reserve < 2) return false;
        Piece* piece = PieceOf(request);
        ref PieceBlock it = ref BlockAt(piece, run.VolumeOffset);
        long within = run.VolumeOffset - BlockStart(piece, it);
        long unit = within / SsdGeometry.UnitBytes * SsdGeometry.UnitBytes;
        byte* target = request->Data + (BlockStart(piece, it) + unit - request->OffsetBytes);
        byte* bytes = _overlays.Take(ref piece->Overlays, target, SectorsOf(piece, it, within, run.LengthBytes));
        IoOp* op = _io.Acquire(_handler, IoKind.Read);
        Invariant.Check(op != null);
        op->Request = request;
        op->OffsetBytes = _geometry.PlaceOffset((uint)it.Slot) + unit;
        op->LengthBytes = SsdGeometry.UnitBytes;
        op->Buffer = bytes;
        op->Own<SsdCacheOp>() = new SsdCacheOp { VolumeOffset = BlockStart(piece, it) + unit, IsCache = true };
        Own(request)->Left++;
        _cache.Submit(op);
        return true;
    }

    // Those of the unit that are wanted and come from the cache, a bit each.
    private ulong SectorsOf(Piece* piece, in PieceBlock it, long within, long lengthBytes)
    {
        bool wantsClean = (it.Action & LookupAction.ReadCache) != 0 && !_devices.DistrustsClean;
        int first = (int)(within / SectorBytes), limit = (int)((within + lengthBytes) / SectorBytes);
        ulong sectors = 0;
        for (int at = first; at < limit;)
        {
            int found = NextCached((uint)it.Slot, at, limit, wantsClean, out int count);
            for (int sector = found; sector < found + count && found < limit; sector++)
                sectors |= 1UL << (sector % UnitSectors);
            at = found + System.Math.Max(count, 1);
        }
        return sectors;
    }
}
