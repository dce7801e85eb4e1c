using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <content>A block's versions, under the latch of its bucket: which they are, and which of them still count.</content>
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

    private int Gather(in Held held, BlockVersion* versions)
    {
        uint* slots = stackalloc uint[MaxVersions];
        int found = SlotsOf(held, slots), count = 0;
        for (int i = 0; i < found; i++) count = InsertSorted(versions, count, VersionOf(slots[i]));
        return count;
    }

    // The version in the slot comes, unless newer ones have all it holds; those go that it, or they, cover now.
    private bool TryAdd(ref Held held, uint slot, byte flags, out FoundIn former)
    {
        BlockVersion* versions = stackalloc BlockVersion[MaxVersions + 1];
        int count = Gather(held, versions);
        former = count == 0 ? FoundIn.Nothing : WhereIs(versions[0].Slot);
        if (count > 0) count = InsertSorted(versions, count, VersionOf(slot));
        bool wins = Mutant.Is(WriteboostMutant.R2LastComerWins);
        bool stays = true;
        int change = 0;
        byte covered = wins ? _nodes[slot].Sectors : (byte)0;
        for (int i = 0; i < count; i++)
        {
            bool goes = (versions[i].Sectors & ~covered) == 0;
            if (versions[i].Slot == slot) stays = !goes || wins;
            else if (goes) change -= Drop(ref held, versions[i].Slot);
            if (!wins) covered |= versions[i].Sectors;
        }
        if (stays)
        {
            if ((flags & CleanFlag) == 0) change++;
            _nodes[slot].Flags = flags;
            Link(ref held, slot);
        }
        // One dirty version in another's place changes nothing that other queues must hear of.
        if (change != 0) Interlocked.Add(ref DirtyCountOf(held.Key), change);
        return stays;
    }

    private FoundIn WhereIs(uint slot) =>
        _table.RamOf((int)(slot >> _slotShift)) >= 0 ? FoundIn.Ram : FoundIn.Cache;

    private void Forget(ref Held held, uint slot)
    {
        if (Drop(ref held, slot) > 0) Interlocked.Decrement(ref DirtyCountOf(held.Key));
    }

    // Returns by how many the caller must lower the count of dirty versions.
    private int Drop(ref Held held, uint slot)
    {
        byte flags = _nodes[slot].Flags;
        if ((flags & (RottenFlag | CleanFlag)) == RottenFlag) CountRotten(held.Key, -1);
        _nodes[slot].Flags = 0;
        Unlink(ref held, slot);
        return (flags & CleanFlag) == 0 ? 1 : 0;
    }
}
