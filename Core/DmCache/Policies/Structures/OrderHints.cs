using System;
using System.Numerics;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/*
 * A hint of a policy that has queues:    | 31 .. 24 extra | 23 .. 16 queue | 15 .. 0 how new, of 65,536 |
 */

/// <summary>
/// Keeps the order of queues over a restart. How new a block is in its queue is written as a part of 65,536; when it is
/// read, blocks are sorted into at most 1,024 steps, so that up to 512 places keep their order exactly, and
/// more of them in steps, inside of which they lie by place.
/// </summary>
/// <remarks>The lists of the policy have <see cref="ListsFor"/> more, behind its own, one for each step.</remarks>
internal struct OrderHints : IDisposable
{
    private const int StepsMax = 1024, RankBits = 16, ByteMask = 0xFF;

    private readonly uint _places;
    private readonly int _queues, _steps, _firstList, _together;
    private Cells<ushort> _ranks;
    private long _ranksAt;
    private bool _isLoading;

    /// <summary>For that many of the policy's lists, the first ones; those for the steps come after.</summary>
    public OrderHints(uint places, int queues, int lists)
        : this(places, queues, lists, together: 0)
    {
    }

    private OrderHints(uint places, int queues, int lists, int together)
    {
        _together = together;
        _places = places;
        _queues = queues;
        _steps = StepsFor(places);
        _firstList = lists;
        _isLoading = true;
    }

    /// <summary>
    /// For levels that are one order, from the lowest to the highest: the first <paramref name="levels"/> of the
    /// policy's lists. Whatever was loaded goes to the first one of them, from where the policy takes it.
    /// </summary>
    public static OrderHints OfLevels(uint places, int levels, int lists) => new(places, 1, lists, levels);

    /// <summary>Bytes that it takes, after hints were asked for.</summary>
    public readonly long MemoryBytes => _ranks.IsEmpty ? 0 : _ranks.SizeBytes;

    /// <summary>Blocks were loaded, and do not lie in their queues yet: see <see cref="Settle"/>.</summary>
    public readonly bool IsLoading => _isLoading;

    /// <summary>Lists that it needs beyond the policy's own.</summary>
    public static int ListsFor(uint places, int queues) => queues * StepsFor(places);

    /// <summary>Which queue a hint names; <paramref name="unknown"/>: none that there is.</summary>
    public readonly int QueueOf(uint hint, int unknown)
    {
        int queue = (int)((hint >> RankBits) & ByteMask);
        return IsKnown(hint) && queue < _queues ? queue : unknown;
    }

    /// <summary>A hint from its parts.</summary>
    public static uint Of(uint rank, int queue, byte extra) => ((uint)extra << 24) | ((uint)queue << RankBits) | rank;

    /// <summary>How new a block was, of 65,536; in the middle: it is not known.</summary>
    public static uint RankOf(uint hint)
    {
        if (Mutant.Is(PolicyMutant.HintsIgnored)) return 0;
        return IsKnown(hint) ? hint & ushort.MaxValue : ushort.MaxValue / 2;
    }

    /// <summary>The policy's own sixteen bits of a hint; 0: it is not known.</summary>
    public static ushort UpperOf(uint hint) => IsKnown(hint) ? (ushort)(hint >> RankBits) : (ushort)0;

    /// <summary>What else a hint says.</summary>
    public static byte ExtraOf(uint hint) => IsKnown(hint) ? (byte)(hint >> 24) : (byte)0;

    /// <summary>Takes a loaded block into a queue, as far towards its new end as its hint says.</summary>
    public readonly void Load(ref PlaceLists lists, uint place, int queue, uint hint)
    {
        Invariant.Check(_isLoading);
        lists.Append(StepList(queue, (int)((RankOf(hint) * (uint)_steps) >> RankBits)), place);
    }

    /// <summary>Loading is over: whatever was loaded goes into its queue.</summary>
    public void Settle(ref PlaceLists lists)
    {
        for (int queue = 0; queue < _queues; queue++)
            for (int step = 0; step < _steps; step++) lists.Splice(StepList(queue, step), queue);
        _isLoading = false;
    }

    /// <summary>The hint of a block in <paramref name="queue"/>.</summary>
    public uint HintOf(ref PlaceLists lists, uint place, int queue, byte extra = 0)
    {
        if (_isLoading) Settle(ref lists);
        if (_ranks.IsEmpty || _ranksAt != lists.Changes) Rank(ref lists);
        return Of(_ranks[place], queue, extra);
    }

    /// <summary>The hint of a block, with sixteen bits that are the policy's own.</summary>
    public uint HintOf(ref PlaceLists lists, uint place, ushort upper)
    {
        if (_ranks.IsEmpty || _ranksAt != lists.Changes) Rank(ref lists);
        return ((uint)upper << RankBits) | _ranks[place];
    }

    /// <inheritdoc/>
    public void Dispose() => _ranks.Dispose();

    private static bool IsKnown(uint hint) => hint != PolicyInfo.NoHint;

    private static int StepsFor(uint places) =>
        (int)Math.Min(BitOperations.RoundUpToPowerOf2((ulong)places * 2), StepsMax);

    private readonly int StepList(int queue, int step) => _firstList + (queue * _steps) + step;

    // Places have no number of their own in a list: all are counted, once for each time that all are asked for.
    private void Rank(ref PlaceLists lists)
    {
        if (_ranks.IsEmpty) _ranks = new Cells<ushort>(_places);
        ulong together = 0, rank = 0;
        for (int level = 0; level < _together; level++) together += lists.Count(level);
        for (int list = 0; list < Math.Max(_together, _queues); list++)
        {
            if (_together == 0) rank = 0;
            ulong count = _together == 0 ? lists.Count(list) : together;
            for (uint node = lists.Oldest(list); node != PlaceLists.None; node = lists.Newer(node), rank++)
                _ranks[node] = (ushort)(((rank << RankBits) + count - 1) / count);
        }
        _ranksAt = lists.Changes;
    }
}
