using System.Numerics;

namespace Weir.Core.SsdCache.Sets;

/// <summary>What strategies know of a set: 16 values each, and a hand.</summary>
internal unsafe struct SetUse
{
    /// <summary>When each was used or brought in.</summary>
    public uint* Times;
    /// <summary>How often each was used of late, up to <see cref="VictimChoice.MostUses"/>.</summary>
    public byte* Counts;
    /// <summary>Where the search went on last: for clock a way, for sieve a time.</summary>
    public uint* Hand;
}

/// <summary>
/// The strategies: which of some ways gives way, how willingly, and what that changes. Times are ticks of the caller's,
/// 32 bits, which may wrap.
/// </summary>
/// <remarks>
/// lfu ages: what the victim's uses were is taken from all others of the set, so that a block has to be used again
/// before those that are used now are through (LFU with dynamic aging: Arlitt, Cherkasova et al., 2000). Lookups change
/// times and counts at the same time without a latch; a use that is lost now and then does no harm.
/// </remarks>
internal static unsafe class VictimChoice
{
    /// <summary>More uses are not counted: then what was used much is not stored again at each use.</summary>
    public const byte MostUses = 15;

    private const int Ways = Format.SsdGeometry.Ways;
    private const ulong Unused = 1UL << 40;

    /// <summary>
    /// The way that gives way among <paramref name="ways"/>, which are some; the larger <paramref name="rank"/>, the
    /// better a victim it is beside those of other sets.
    /// </summary>
    public static int Choose(Strategy strategy, in SetUse set, uint ways, uint now, uint lot, out ulong rank)
    {
        switch (strategy)
        {
            case Strategy.Lfu: return LeastOften(set, ways, now, out rank);
            case Strategy.Random:
                rank = lot * 0x9E3779B9u;
                return Nth(ways, (int)(((lot >> 16) * (uint)BitOperations.PopCount(ways)) >> 16));
            case Strategy.Clock: return ByHand(ways, SetSearch.Counted(set.Counts), *set.Hand, set, now, out rank);
            case Strategy.Sieve: return Sieve(set, ways, now, out rank);
            default:
                int way = SetSearch.Oldest(set.Times, ways, now, out uint age);
                rank = age;
                return way;
        }
    }

    /// <summary>The way that was chosen among <paramref name="ways"/> gives way now.</summary>
    public static void Leave(Strategy strategy, in SetUse set, int way, uint ways)
    {
        switch (strategy)
        {
            case Strategy.Lfu:
                Age(set.Counts, set.Counts[way]);
                break;
            case Strategy.Clock:
                ClearUses(set.Counts, Passed(set, ways, Between(*set.Hand, way)));
                *set.Hand = (uint)((way + 1) & (Ways - 1));
                break;
            case Strategy.Sieve:
                PassOver(set, way, ways);
                break;
        }
    }

    /// <summary>A use. Whatever the strategy, what another one would need is kept.</summary>
    public static void Use(Strategy strategy, uint* time, byte* count, uint tick)
    {
        if (*count < MostUses) (*count)++;
        if (strategy is Strategy.Lru or Strategy.Lfu && *time != tick) *time = tick;
    }

    private static int LeastOften(in SetUse set, uint ways, uint now, out ulong rank)
    {
        uint rarest = SetSearch.Fewest(set.Counts, ways, out byte count);
        int way = SetSearch.Oldest(set.Times, rarest, now, out uint age);
        rank = ((ulong)(byte.MaxValue - count) << 32) | age;
        return way;
    }

    // Unused ones first: the next at or behind the hand, round the set.
    private static int ByHand(uint ways, uint used, uint hand, in SetUse set, uint now, out ulong rank)
    {
        uint wanted = (ways & ~used) != 0 ? ways & ~used : ways;
        uint ahead = wanted & (SetSearch.All << (int)(hand & (Ways - 1)));
        int way = BitOperations.TrailingZeroCount(ahead != 0 ? ahead : wanted);
        rank = AgeOf(set, way, now) | ((ways & ~used) != 0 ? Unused : 0);
        return way;
    }

    // In the order in which they came in; the hand is the time of the last victim.
    private static int Sieve(in SetUse set, uint ways, uint now, out ulong rank)
    {
        uint unused = ways & ~SetSearch.Counted(set.Counts);
        uint wanted = unused != 0 ? unused : ways;
        uint ahead = wanted & NotBefore(set.Times, *set.Hand);
        int way = SetSearch.Oldest(set.Times, ahead != 0 ? ahead : wanted, now, out uint age);
        rank = age | (unused != 0 ? Unused : 0);
        return way;
    }

    // Those between hand and victim were passed over, round the oldest if need be.
    private static void PassOver(in SetUse set, int way, uint ways)
    {
        uint time = set.Times[way];
        uint notBefore = NotBefore(set.Times, *set.Hand);
        uint before = ~NotBefore(set.Times, time);
        bool isAhead = ((notBefore >> way) & 1) != 0;
        ClearUses(set.Counts, Passed(set, ways, isAhead ? notBefore & before : notBefore | before));
        *set.Hand = time;
    }

    private static uint NotBefore(uint* times, uint time)
    {
        uint found = 0;
        for (int way = 0; way < Ways; way++) found |= ((int)(times[way] - time) >= 0 ? 1u : 0) << way;
        return found;
    }

    private static ulong AgeOf(in SetUse set, int way, uint now) =>
        uint.Max(now + SetSearch.Skew - set.Times[way], SetSearch.Skew);

    // Where all were used the hand has gone round all of them.
    private static uint Passed(in SetUse set, uint ways, uint between) =>
        (ways & ~SetSearch.Counted(set.Counts)) == 0 ? ways : ways & between;

    // Bits from one way up to, not including, another, round the set.
    private static uint Between(uint hand, int way)
    {
        uint from = SetSearch.All << (int)(hand & (Ways - 1)), until = (1u << way) - 1;
        return (uint)way >= (hand & (Ways - 1)) ? from & until : from | until;
    }

    private static void ClearUses(byte* counts, uint ways)
    {
        for (; ways != 0; ways &= ways - 1) counts[BitOperations.TrailingZeroCount(ways)] = 0;
    }

    private static void Age(byte* counts, byte uses)
    {
        for (int way = 0; way < Ways; way++) counts[way] = (byte)(counts[way] - byte.Min(uses, counts[way]));
    }

    private static int Nth(uint ways, int n)
    {
        for (; n > 0; n--) ways &= ways - 1;
        return BitOperations.TrailingZeroCount(ways);
    }
}
