using System.Numerics;
using System.Runtime.Intrinsics;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <content>What the backing device does not have: of one slot, and by a glance at many.</content>
public sealed unsafe partial class BlockIndex
{
    /// <summary>Slots of one <see cref="Glance"/>; every segment has a multiple of them.</summary>
    public const int GlanceSlots = 32;

    /// <summary>
    /// The version in <paramref name="slot"/> if it counts and the backing device does not have it.
    /// </summary>
    public bool TryGetDirty(uint slot, out ulong key, out byte sectors)
    {
        (key, sectors) = (0, 0);
        if (!_nodes[slot].IsDirty) return false;
        Held held = Enter(_nodes[slot].Key);
        bool dirty = _nodes[slot].IsDirty;
        if (dirty) (key, sectors) = (_nodes[slot].Key, _nodes[slot].Sectors);
        Exit(held);
        return dirty;
    }

    /// <summary>
    /// Of which of the <see cref="GlanceSlots"/> slots from <paramref name="first"/> on <see cref="TryGetDirty"/> may
    /// say true, a bit for each: their flags alone, without a latch.
    /// </summary>
    public uint Glance(long first)
    {
        Invariant.Check(first >= 0);
        Invariant.Check(first + GlanceSlots <= SlotCount);
        ulong* nodes = (ulong*)&_nodes[first];
        uint dirty = 0;
        for (int i = 0; i < GlanceSlots; i += Vector256<ulong>.Count)
            dirty |= DirtyAmong(Vector256.Load(nodes + i)) << i;
        return dirty;
    }

    /// <summary>As <see cref="Glance"/>, one by one.</summary>
    internal uint GlancePortable(long first)
    {
        uint dirty = 0;
        for (int i = 0; i < GlanceSlots; i++)
            if (_nodes[first + i].IsDirty) dirty |= 1u << i;
        return dirty;
    }

    /// <summary>
    /// The next dirty version, as <see cref="TryGetDirty"/> has it, from <paramref name="slot"/> on, which is left
    /// behind it. False when there is none. For walks over the whole cache.
    /// </summary>
    public bool TryNextDirty(ref long slot, out ulong key, out byte sectors)
    {
        (key, sectors) = (0, 0);
        while (slot < SlotCount)
        {
            long first = slot & ~(GlanceSlots - 1L);
            uint dirty = Glance(first) >> (int)(slot - first);
            slot = dirty == 0 ? first + GlanceSlots : slot + BitOperations.TrailingZeroCount(dirty);
            if (dirty != 0 && TryGetDirty((uint)slot++, out key, out sectors)) return true;
        }
        return false;
    }

    // The flags are the highest byte of a node.
    private static uint DirtyAmong(Vector256<ulong> nodes)
    {
        Vector256<ulong> flags = nodes & Vector256.Create((ulong)(LinkedFlag | CleanFlag) << 56);
        return Vector256.Equals(flags, Vector256.Create((ulong)LinkedFlag << 56)).ExtractMostSignificantBits();
    }
}
