using System;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// A queue of 64 levels that are filled evenly now and then: what has been asked for rises a level, and what was oldest
/// there comes down for it, so that after a while the most wanted are at the top, by chance and without counting
/// (dm-cache: the queue of smq).
/// </summary>
internal struct EvenQueue : IDisposable
{
    /// <summary>Levels of such a queue.</summary>
    public const int Levels = 64;

    private readonly uint _topLevels, _inTopLevels;

    /// <summary>Levels from the list <paramref name="firstList"/> on.</summary>
    /// <param name="firstList">The lowest level's list.</param>
    /// <param name="topLevels">Levels at the top that are kept small.</param>
    /// <param name="inTopLevels">Nodes in all of those together.</param>
    public EvenQueue(int firstList, uint topLevels, uint inTopLevels)
    {
        Queue = new LevelQueue(firstList, Levels);
        _topLevels = topLevels;
        _inTopLevels = inTopLevels;
    }

    /// <summary>The levels.</summary>
    public LevelQueue Queue;

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => Queue.MemoryBytes;

    /// <summary>
    /// Lifts a node by some levels, and makes it the newest there; the oldest there takes its place below.
    /// </summary>
    public void Rise(ref PlaceLists lists, in Cells<byte> levels, uint node, uint by)
    {
        uint level = levels[node], higher = Math.Min(level + by, Levels - 1);
        Queue.Unlink(ref lists, level, node);
        uint other = higher == level ? PlaceLists.None : Queue.OldestOf(lists, higher);
        if (other != PlaceLists.None) Move(ref lists, levels, other, level);
        levels[node] = (byte)higher;
        Queue.Append(ref lists, higher, node);
    }

    /// <summary>Fills all levels as evenly as they should be, their order kept.</summary>
    public void Redistribute(ref PlaceLists lists, in Cells<byte> levels)
    {
        for (uint level = 0; level < Levels - 1; level++)
        {
            uint target = TargetOf(level);
            while (Queue.CountOf(lists, level) < target)
            {
                uint above = Queue.NextUsed(level + 1);
                if (above == Levels) break;
                Move(ref lists, levels, Queue.OldestOf(lists, above), level);
            }
            while (Queue.CountOf(lists, level) > target)
            {
                uint newest = Queue.NewestOf(lists, level);
                Queue.Unlink(ref lists, level, newest);
                levels[newest] = (byte)(level + 1);
                Queue.Prepend(ref lists, level + 1, newest);
            }
        }
    }

    /// <summary>How many nodes a level should have.</summary>
    public readonly uint TargetOf(uint level)
    {
        uint inTop = Math.Min(_inTopLevels, Queue.Count), below = Levels - _topLevels;
        return level < below
            ? Share(Queue.Count - inTop, below, level)
            : Share(_inTopLevels, _topLevels, level - below);
    }

    /// <inheritdoc/>
    public void Dispose() => Queue.Dispose();

    private static uint Share(uint count, uint levels, uint level) =>
        (count / levels) + (level < count % levels ? 1u : 0);

    private void Move(ref PlaceLists lists, in Cells<byte> levels, uint node, uint level)
    {
        Queue.Move(ref lists, levels[node], level, node);
        levels[node] = (byte)level;
    }
}

/// <summary>How sure one can be that a queue's order means something.</summary>
internal enum Confidence
{
    /// <summary>Hardly any request meets its upper levels.</summary>
    Poor,
    /// <summary>Some do.</summary>
    Fair,
    /// <summary>Many do.</summary>
    Well,
}

/// <summary>How many requests have met the upper quarter of a queue's levels.</summary>
internal struct LevelStats
{
    private const uint UpperLevel = EvenQueue.Levels * 3 / 4;

    private long _hits;
    private long _misses;

    /// <summary>How good that is: from a sixteenth on, and from an eighth on.</summary>
    public readonly Confidence Confidence
    {
        get
        {
            long all = _hits + _misses;
            if (all == 0 || _hits * 16 < all) return Confidence.Poor;
            return _hits * 8 < all ? Confidence.Fair : Confidence.Well;
        }
    }

    /// <summary>A request has met a node of this level.</summary>
    public void Accessed(uint level)
    {
        if (level >= UpperLevel) _hits++;
        else _misses++;
    }

    /// <summary>A request has met none.</summary>
    public void Missed() => _misses++;

    /// <summary>Begins anew.</summary>
    public void Reset() => this = default;
}
