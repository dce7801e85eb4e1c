using System;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// Some neighbouring lists as levels of one queue: what lies lower goes first, and in a level the oldest. A bit for
/// each level says whether there is anything in it.
/// </summary>
internal struct LevelQueue : IDisposable
{
    private readonly int _firstList;
    private readonly uint _levels;
    private PlaceBits _used;
    private uint _searched;

    /// <summary>Levels, the lowest of which is the list <paramref name="firstList"/>.</summary>
    public LevelQueue(int firstList, int levels)
    {
        _firstList = firstList;
        _levels = (uint)levels;
        _used = new PlaceBits(_levels);
    }

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => _used.MemoryBytes;

    /// <summary>Nodes in all levels.</summary>
    public uint Count { get; private set; }

    /// <summary>The lowest used level from <paramref name="level"/> on; the number of levels: none.</summary>
    public readonly uint NextUsed(uint level) => _used.NextSet(level);

    /// <summary>Nodes of a level.</summary>
    public readonly uint CountOf(in PlaceLists lists, uint level) => lists.Count(ListOf(level));

    /// <summary>The oldest of the lowest level; none when it is empty.</summary>
    public readonly uint Oldest(in PlaceLists lists) =>
        Count == 0 ? PlaceLists.None : lists.Oldest(ListOf(NextUsed(0)));

    /// <summary>The oldest of a level; none when it is empty.</summary>
    public readonly uint OldestOf(in PlaceLists lists, uint level) => lists.Oldest(ListOf(level));

    /// <summary>The newest of a level; none when it is empty.</summary>
    public readonly uint NewestOf(in PlaceLists lists, uint level) => lists.Newest(ListOf(level));

    /// <summary>Makes a node the newest of a level.</summary>
    public void Append(ref PlaceLists lists, uint level, uint node)
    {
        lists.Append(ListOf(level), node);
        Note(level);
    }

    /// <summary>Makes a node the oldest of a level.</summary>
    public void Prepend(ref PlaceLists lists, uint level, uint node)
    {
        lists.Prepend(ListOf(level), node);
        Note(level);
    }

    /// <summary>Takes a node out of its level.</summary>
    public void Unlink(ref PlaceLists lists, uint level, uint node)
    {
        lists.Unlink(ListOf(level), node);
        if (lists.Count(ListOf(level)) == 0) _used.Clear(level);
        Count--;
    }

    /// <summary>Makes a node of one level the newest of another.</summary>
    public void Move(ref PlaceLists lists, uint from, uint to, uint node)
    {
        Unlink(ref lists, from, node);
        Append(ref lists, to, node);
    }

    /// <summary>Every level becomes the one below; what was in the lowest stays, older than the rest.</summary>
    public readonly void ShiftDown(ref PlaceLists lists)
    {
        for (uint level = 0; level < _levels; level++)
        {
            if (level > 0) lists.Splice(ListOf(level), ListOf(level - 1));
            if (level > 0 && lists.Count(ListOf(level - 1)) > 0) _used.Set(level - 1);
            _used.Clear(level);
            if (lists.Count(ListOf(level)) > 0) _used.Set(level);
        }
    }

    /// <summary>Takes what was loaded into the lowest level's list, unseen by this queue.</summary>
    public void TakeLoaded(in PlaceLists lists)
    {
        Count += lists.Count(_firstList);
        if (Count > 0) _used.Set(0);
    }

    /// <summary>
    /// The lowest and oldest node that a gate lets go, of those that it looks at: a few of the lowest level, and
    /// others in turn, level after level.
    /// </summary>
    public uint FindVictim<TGate>(ref PlaceLists lists, ref TGate gate)
        where TGate : struct, IVictimGate
    {
        if (Count == 0) return PlaceLists.None;
        uint victim = lists.FindAmongOldest(ListOf(NextUsed(0)), ref gate);
        for (int budget = PlaceLists.OthersLookedAt, levels = 0; victim == PlaceLists.None && budget > 0; levels++)
        {
            if (levels > _levels) break;
            _searched = NextUsed(_searched);
            if (_searched == _levels || Mutant.Is(PolicyMutant.SearchFromTheStart)) _searched = NextUsed(0);
            victim = lists.FindAtCursor(ListOf(_searched), ref gate, ref budget);
            if (victim == PlaceLists.None && lists.IsCursorAtStart(ListOf(_searched))) _searched++;
        }
        return victim;
    }

    /// <summary>Throws when a bit or the count is wrong; says each node and its level.</summary>
    public readonly void CheckInvariants(in PlaceLists lists, Action<uint, uint> node)
    {
        uint count = 0;
        for (uint level = 0; level < _levels; level++)
        {
            lists.CheckInvariants(ListOf(level));
            Invariant.Check(_used.Has(level) == lists.Count(ListOf(level)) > 0);
            count += lists.Count(ListOf(level));
            for (uint i = lists.Oldest(ListOf(level)); i != PlaceLists.None; i = lists.Newer(i)) node(i, level);
        }
        Invariant.Check(count == Count);
    }

    /// <inheritdoc/>
    public void Dispose() => _used.Dispose();

    private readonly int ListOf(uint level) => _firstList + (int)level;

    private void Note(uint level)
    {
        _used.Set(level);
        Count++;
    }
}
