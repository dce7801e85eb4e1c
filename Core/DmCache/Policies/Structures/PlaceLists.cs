using System;
using System.Runtime.CompilerServices;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/*
 *   nodes:   [ 0 | 1 | ... | n-1 | sentinel of list 0 | sentinel of list 1 | ... ]
 *
 *   sentinel -Newer-> oldest -Newer-> ... -Newer-> newest -Newer-> sentinel        and Older the other way round
 *
 * A node that is in no list has None as Newer.
 */

/// <summary>
/// Doubly linked lists over the numbers from 0 on, eight bytes a number. A number is in one list at a time, or in none.
/// Each list has an old end and a new one, and a cursor, at which a search for a victim goes on.
/// </summary>
internal struct PlaceLists : IDisposable
{
    /// <summary>No node.</summary>
    public const uint None = uint.MaxValue;

    /// <summary>The oldest ones, that each search looks at, and others, that it looks at in turn.</summary>
    public const int OldestLookedAt = 8, OthersLookedAt = 56;

    private readonly uint _nodeCount;
    private Cells<Node> _nodes;
    private Cells<Head> _heads;

    /// <summary>Empty lists.</summary>
    public PlaceLists(uint nodes, int lists)
    {
        Invariant.Check(nodes < None - (uint)lists);
        _nodeCount = nodes;
        _nodes = new Cells<Node>(nodes + lists);
        _heads = new Cells<Head>(lists);
        _nodes.FillWithOnes();
        for (int list = 0; list < lists; list++)
        {
            uint sentinel = SentinelOf(list);
            _nodes[sentinel] = new Node { Older = sentinel, Newer = sentinel };
            _heads[list].Cursor = None;
        }
    }

    /// <summary>Bytes that they take.</summary>
    public readonly long MemoryBytes => _nodes.SizeBytes + _heads.SizeBytes;

    /// <summary>Grows whenever something changes.</summary>
    public long Changes { get; private set; }

    /// <summary>Nodes of a list.</summary>
    public readonly uint Count(int list) => _heads[list].Count;

    /// <summary>It is in a list.</summary>
    public readonly bool IsLinked(uint node) => _nodes[node].Newer != None;

    /// <summary>The oldest of a list; <see cref="None"/>: it is empty.</summary>
    public readonly uint Oldest(int list) => Newer(SentinelOf(list));

    /// <summary>The newest of a list; <see cref="None"/>: it is empty.</summary>
    public readonly uint Newest(int list) => Older(SentinelOf(list));

    /// <summary>The next towards the new end; <see cref="None"/>: it is the newest.</summary>
    public readonly uint Newer(uint node) => NodeOrNone(_nodes[node].Newer);

    /// <summary>The next towards the old end; <see cref="None"/>: it is the oldest.</summary>
    public readonly uint Older(uint node) => NodeOrNone(_nodes[node].Older);

    /// <summary>Makes a node that is in no list the newest.</summary>
    public void Append(int list, uint node) => Link(list, node, SentinelOf(list));

    /// <summary>Makes a node that is in no list the oldest.</summary>
    public void Prepend(int list, uint node) => Link(list, node, _nodes[SentinelOf(list)].Newer);

    /// <summary>Takes a node out of its list.</summary>
    public void Unlink(int list, uint node)
    {
        ref Node links = ref _nodes[node];
        Invariant.Check(links.Newer != None);
        ref Head head = ref _heads[list];
        if (head.Cursor == node && !Mutant.Is(PolicyMutant.CursorLeftBehind)) head.Cursor = NodeOrNone(links.Newer);
        _nodes[links.Older].Newer = links.Newer;
        _nodes[links.Newer].Older = links.Older;
        links = new Node { Older = None, Newer = None };
        head.Count--;
        Changes++;
    }

    /// <summary>Makes a node the newest of its list.</summary>
    public void Refresh(int list, uint node) => Move(node, list, list);

    /// <summary>Makes a node of one list the newest of another.</summary>
    public void Move(uint node, int from, int to)
    {
        Unlink(from, node);
        Append(to, node);
    }

    /// <summary>Puts one node, in no list, where another was.</summary>
    public void Replace(int list, uint old, uint node)
    {
        uint newer = _nodes[old].Newer;
        Unlink(list, old);
        Link(list, node, newer);
    }

    /// <summary>Makes all of one list newer than those of another, their order kept.</summary>
    public void Splice(int from, int to)
    {
        if (Count(from) == 0) return;
        uint first = Oldest(from), last = Newest(from), empty = SentinelOf(from), sentinel = SentinelOf(to);
        uint newest = _nodes[sentinel].Older;
        _nodes[newest].Newer = first;
        _nodes[first].Older = newest;
        _nodes[last].Newer = sentinel;
        _nodes[sentinel].Older = last;
        _nodes[empty] = new Node { Older = empty, Newer = empty };
        _heads[to].Count += Count(from);
        _heads[from] = new Head { Cursor = None };
        Changes++;
    }

    /// <summary>
    /// The oldest node that a gate lets go, of those that it looks at: the oldest, and then as many as there is time
    /// for, from where the search before has ended. So a list whose old end may not go for long does not stand still.
    /// </summary>
    public readonly uint FindVictim<TGate>(int list, ref TGate gate)
        where TGate : struct, IVictimGate
    {
        int budget = OthersLookedAt;
        uint victim = FindAmongOldest(list, ref gate);
        return victim != None || Count(list) <= OldestLookedAt ? victim : FindAtCursor(list, ref gate, ref budget);
    }

    /// <summary>The first one that may go, of the few oldest.</summary>
    public readonly uint FindAmongOldest<TGate>(int list, ref TGate gate)
        where TGate : struct, IVictimGate
    {
        uint node = Oldest(list);
        for (int i = 0; i < OldestLookedAt && node != None; i++, node = Newer(node))
            if (MayGo(node, ref gate)) return node;
        return None;
    }

    /// <summary>
    /// The first one that may go from the cursor on, of as many as <paramref name="budget"/> has left; at the end of
    /// the list, the cursor goes back to the oldest.
    /// </summary>
    public readonly uint FindAtCursor<TGate>(int list, ref TGate gate, ref int budget)
        where TGate : struct, IVictimGate
    {
        ref Head head = ref _heads[list];
        uint node = head.Cursor == None || Mutant.Is(PolicyMutant.SearchFromTheStart) ? Oldest(list) : head.Cursor;
        for (; budget > 0 && node != None; budget--, node = Newer(node))
        {
            if (!MayGo(node, ref gate)) continue;
            head.Cursor = node;
            return node;
        }
        head.Cursor = node;
        return None;
    }

    /// <summary>The search at the cursor would begin at the oldest.</summary>
    public readonly bool IsCursorAtStart(int list) => _heads[list].Cursor == None;

    /// <summary>Throws when a list and its count differ, or its two directions.</summary>
    public readonly void CheckInvariants(int list)
    {
        uint count = 0, before = SentinelOf(list), cursor = _heads[list].Cursor;
        bool cursorSeen = cursor == None;
        for (uint node = _nodes[before].Newer; node != SentinelOf(list); node = _nodes[node].Newer)
        {
            Invariant.Check(node < _nodeCount);
            Invariant.Check(_nodes[node].Older == before);
            cursorSeen |= node == cursor;
            before = node;
            Invariant.Check(++count <= _nodeCount);
        }
        Invariant.Check(_nodes[SentinelOf(list)].Older == before);
        Invariant.Check(count == _heads[list].Count);
        Invariant.Check(cursorSeen);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _nodes.Dispose();
        _heads.Dispose();
    }

    private static bool MayGo<TGate>(uint node, ref TGate gate)
        where TGate : struct, IVictimGate => gate.MayGo(node) || Mutant.Is(PolicyMutant.GateNotAsked);

    private readonly uint SentinelOf(int list) => _nodeCount + (uint)list;

    private readonly uint NodeOrNone(uint node) => node < _nodeCount ? node : None;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Link(int list, uint node, uint newer)
    {
        ref Node links = ref _nodes[node];
        Invariant.Check(links.Newer == None);
        uint older = _nodes[newer].Older;
        links = new Node { Older = older, Newer = newer };
        _nodes[older].Newer = node;
        _nodes[newer].Older = node;
        _heads[list].Count++;
        Changes++;
    }

    private struct Node
    {
        public uint Older;
        public uint Newer;
    }

    private struct Head
    {
        public uint Count;
        public uint Cursor;
    }
}
