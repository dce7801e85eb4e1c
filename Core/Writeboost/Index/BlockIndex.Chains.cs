using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <content>A bucket's chain, under its latch: what a block's versions are, and which of them still count.</content>
public sealed unsafe partial class BlockIndex
{
    private static int InsertSorted(BlockVersion* versions, int count, BlockVersion version)
    {
        int at = count;
        for (; at > 0 && versions[at - 1].Position < version.Position; at--) versions[at] = versions[at - 1];
        versions[at] = version;
        return count + 1;
    }

    private BlockVersion VersionOf(uint slot) => new()
    {
        Position = _table.PositionOf(slot),
        Slot = slot,
        Sectors = _nodes[slot].Sectors,
        Rotten = (_nodes[slot].Flags & RottenFlag) != 0,
        Unread = (_nodes[slot].Flags & UnreadFlag) != 0,
        Clean = (_nodes[slot].Flags & CleanFlag) != 0,
    };

    private void Pin(ref BlockVersion version)
    {
        int physical = (int)(version.Slot >> _slotShift);
        version.Ram = _table.RamOf(physical);
        if (version.Ram < 0) _table.Pin(physical);
    }

    // The chain starts at the new node. Gathers the block's nodes, and unlinks those that the newer ones cover.
    private uint Prune(uint first, ulong key, out FoundIn former)
    {
        BlockVersion* versions = stackalloc BlockVersion[MaxVersions + 1];
        int count = 0;
        for (uint slot = first; slot != None; slot = _nodes[slot].Next)
        {
            if (!_nodes[slot].Is(key)) continue;
            Invariant.Check(count <= MaxVersions);
            count = InsertSorted(versions, count, VersionOf(slot));
        }
        former = FormerOf(versions, count, first);
        if (Mutant.Is(WriteboostMutant.R2LastComerWins)) return PruneOthers(first, versions, count);
        byte covered = 0;
        for (int i = 0; i < count; i++)
        {
            if ((versions[i].Sectors & ~covered) == 0) first = Unlink(first, versions[i].Slot);
            covered |= versions[i].Sectors;
        }
        return first;
    }

    // The newest but the one that comes.
    private FoundIn FormerOf(BlockVersion* versions, int count, uint slot)
    {
        if (count == 1) return FoundIn.Nothing;
        uint former = versions[0].Slot == slot ? versions[1].Slot : versions[0].Slot;
        return _table.RamOf((int)(former >> _slotShift)) >= 0 ? FoundIn.Ram : FoundIn.Cache;
    }

    private bool HasVersion(uint first, ulong key)
    {
        for (uint slot = first; slot != None; slot = _nodes[slot].Next)
            if (_nodes[slot].Is(key)) return true;
        return false;
    }

    private uint PruneOthers(uint first, BlockVersion* versions, int count)
    {
        uint keep = first;
        for (int i = 0; i < count; i++)
            if (versions[i].Slot != keep && (versions[i].Sectors & ~_nodes[keep].Sectors) == 0)
                first = Unlink(first, versions[i].Slot);
        return first;
    }

    private uint Unlink(uint first, uint slot)
    {
        if ((_nodes[slot].Flags & CleanFlag) == 0) Interlocked.Decrement(ref DirtyCountOf(_nodes[slot].Key));
        if ((_nodes[slot].Flags & (RottenFlag | CleanFlag)) == RottenFlag) CountRotten(_nodes[slot].Key, -1);
        _nodes[slot].Flags = 0;
        if (first == slot) return _nodes[slot].Next;
        uint before = first;
        while (_nodes[before].Next != slot)
        {
            before = _nodes[before].Next;
            Invariant.Check(before != None);
        }
        _nodes[before].Next = _nodes[slot].Next;
        return first;
    }
}
