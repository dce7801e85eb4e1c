using System.Numerics;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Sets;

// A way for a block that has none.
internal sealed unsafe partial class SetTable
{
    // Others may have taken what was chosen.
    private const int Tries = 4;
    private const uint NoSlot = uint.MaxValue;

    /// <summary>
    /// The way of a block, or a new one for it, pinned, all sectors invalid. Only a way of an open page is taken, which
    /// nobody has pinned and nothing of which is dirty, here or on the device. Not taken:
    /// <see cref="TakeResult.NoWay"/>; or <see cref="TakeResult.Closed"/>, and then the page of the block's own set is
    /// not open.
    /// </summary>
    /// <param name="block">Of the backing device.</param>
    /// <param name="mayEvict">A way that another block has may be taken.</param>
    /// <param name="gate">Which pages are open; null: all.</param>
    /// <param name="tick">Now, as in <see cref="Touch"/>.</param>
    /// <param name="slot">The way.</param>
    public TakeResult TryTake(uint block, bool mayEvict, IPageGate? gate, uint tick, out uint slot)
    {
        Invariant.Check(block < SsdGeometry.MaxBlocks);
        ref SpinLatch stripe = ref _stripes[(block * 0x9E3779B9u) >> (32 - 10)];
        stripe.Enter();
        TakeResult result = TakeAlone(block, mayEvict, gate, tick, out slot);
        stripe.Exit();
        return result;
    }

    private TakeResult TakeAlone(uint block, bool mayEvict, IPageGate? gate, uint tick, out uint slot)
    {
        int found = FindAndPin(block);
        slot = (uint)found;
        if (found >= 0) return TakeResult.Found;
        for (int i = 0; i < Tries; i++)
        {
            if (!IsOpen(gate, _geometry.SetOf(block, 0))) return TakeResult.Closed;
            slot = Choose(block, mayEvict, gate, tick, out uint ways);
            if (slot == NoSlot) break;
            bool isFree = _tags[slot] == 0;
            if (TryEnter(slot, block, gate, tick, ways)) return isFree ? TakeResult.Free : TakeResult.Evicted;
        }
        return TakeResult.NoWay;
    }

    private bool IsOpen(IPageGate? gate, uint set) => gate == null || gate.IsOpen(_geometry.PageOf(set));

    // A free way of the first set that has one; else of all the sets' victims the best one.
    private uint Choose(uint block, bool mayEvict, IPageGate? gate, uint tick, out uint ways)
    {
        uint set = _geometry.SetOf(block, 0), step = _geometry.StepOf(block), best = NoSlot;
        ulong bestRank = 0;
        ways = 0;
        for (int i = 0; i <= _assoc; i++, set = _geometry.NextSet(set, step))
        {
            uint idle = IdleOf(set);
            if (idle == 0 || !IsOpen(gate, set)) continue;
            uint free = idle & SetSearch.Equal(_tags + ((nuint)set * Ways), 0);
            if (free != 0) return (set * Ways) + (uint)BitOperations.TrailingZeroCount(free);
            if (!mayEvict) continue;
            int way = VictimChoice.Choose(Strategy, UseOf(set), idle, tick, LotOf(block, i, tick), out ulong rank);
            if (best != NoSlot && rank <= bestRank) continue;
            (best, bestRank, ways) = ((set * Ways) + (uint)way, rank, idle);
        }
        return best;
    }

    private uint IdleOf(uint set)
    {
        uint* states = _states + ((nuint)set * Ways);
        return Mutant.Is(SsdCacheMutant.B3NamedWayTaken)
            ? ~SetSearch.Any(states, ~WayState.Named) & SetSearch.All : SetSearch.Equal(states, 0);
    }

    // The same for the same run: simulations repeat.
    private static uint LotOf(uint block, int attempt, uint tick)
    {
        ulong state = ((ulong)tick << 32 | block) + (uint)attempt;
        return (uint)Prng.SplitMix(ref state);
    }

    // Somebody may be quicker. The pin comes before the look at the gate: who closes a page looks for pins.
    private bool TryEnter(uint slot, uint block, IPageGate? gate, uint tick, uint ways)
    {
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        bool isClaimed = TryClaim(slot);
        bool isOpen = isClaimed && IsOpen(gate, slot / Ways);
        if (isOpen) Enter(slot, block, tick, ways);
        if (isClaimed)
            Interlocked.Add(ref _states[slot], unchecked(0 - WayState.Claimed - (isOpen ? 0 : WayState.Pin)));
        latch.Exit();
        return isOpen;
    }

    private bool TryClaim(uint slot)
    {
        uint idle = Mutant.Is(SsdCacheMutant.B3NamedWayTaken) ? Volatile.Read(ref _states[slot]) & WayState.Named : 0;
        uint claimed = idle | WayState.Claimed | WayState.Pin;
        return Interlocked.CompareExchange(ref _states[slot], claimed, idle) == idle;
    }

    // The bits go first: if the process dies between, a block has a way with nothing in it.
    private void Enter(uint slot, uint block, uint tick, uint ways)
    {
        SetUse use = UseOf(slot / Ways);
        int way = (int)(slot % Ways);
        if (_tags[slot] == 0) Interlocked.Increment(ref CellOf(slot).Used);
        else VictimChoice.Leave(Strategy, use, way, ways);
        ClearAll(_valid + ((nuint)slot * (nuint)_validWords), _validWords);
        Mutant.Point();
        Volatile.Write(ref _tags[slot], block + 1);
        Mutant.Point();
        (use.Times[way], use.Counts[way]) = (tick, 0);
    }

    /// <summary>
    /// Takes the way from its block, whatever is in it. False: somebody else has pinned it, or it is being written
    /// back. The caller's pin stays; the way is nobody's.
    /// </summary>
    public bool Remove(uint slot)
    {
        const uint kept = WayState.Dirty | WayState.Named;
        ref SpinLatch latch = ref LatchOf(slot);
        latch.Enter();
        uint state = Volatile.Read(ref *StateOf(slot));
        uint alone = (state & kept) | WayState.Pin;
        bool isAlone = Interlocked.CompareExchange(ref _states[slot], alone | WayState.Claimed, alone) == alone;
        if (isAlone)
        {
            RemoveClaimed(slot);
            Interlocked.Add(ref _states[slot], unchecked(0 - WayState.Claimed));
        }
        latch.Exit();
        return isAlone;
    }

    private void RemoveClaimed(uint slot)
    {
        Invariant.Check(_tags[slot] != 0);
        ClearAll(_valid + ((nuint)slot * (nuint)_validWords), _validWords);
        Mutant.Point();
        ChangeDirty(slot, 0, _geometry.BlockUnits, isSet: false);
        Mutant.Point();
        Volatile.Write(ref _tags[slot], 0);
        Interlocked.Decrement(ref CellOf(slot).Used);
    }

    // Word by word: each store may be the last one.
    private static void ClearAll(ulong* words, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (words[i] == 0) continue;
            Volatile.Write(ref words[i], 0);
            Mutant.Point();
        }
    }
}
