using System;
using System.Collections.Generic;

namespace Weir.Tests.DmCache.Policies;

/// <summary>A cache in memory that does what a paper says, in the plainest way.</summary>
internal interface IReference
{
    /// <summary>A request. True: a hit.</summary>
    bool Request(long home);
}

/// <summary>The plainest lists: fifo, lru, mru.</summary>
internal sealed class ListReference(int places, bool hitMakesNew, bool newestGoes) : IReference
{
    private readonly LinkedList<long> _order = [];
    private readonly HashSet<long> _cached = [];

    public bool Request(long home)
    {
        if (_cached.Contains(home))
        {
            if (!hitMakesNew) return true;
            _order.Remove(home);
            _order.AddLast(home);
            return true;
        }
        if (_cached.Count == places)
        {
            long victim = newestGoes ? _order.Last!.Value : _order.First!.Value;
            _order.Remove(victim);
            _cached.Remove(victim);
        }
        _cached.Add(home);
        _order.AddLast(home);
        return false;
    }
}

/// <summary>SIEVE as its paper's algorithm 1 has it.</summary>
internal sealed class SieveReference(int places) : IReference
{
    private readonly LinkedList<long> _order = [];
    private readonly Dictionary<long, bool> _marks = [];
    private LinkedListNode<long>? _hand;

    public bool Request(long home)
    {
        if (_marks.ContainsKey(home)) return _marks[home] = true;
        if (_marks.Count == places) Evict();
        _order.AddFirst(home);
        _marks.Add(home, false);
        return false;
    }

    private void Evict()
    {
        LinkedListNode<long> node = _hand ?? _order.Last!;
        while (_marks[node.Value])
        {
            _marks[node.Value] = false;
            node = node.Previous ?? _order.Last!;
        }
        _hand = node.Previous;
        _order.Remove(node);
        _marks.Remove(node.Value);
    }
}

/// <summary>S3-FIFO as its paper's algorithm 1 has it, with an exact queue of ghosts.</summary>
internal sealed class S3FifoReference(int places) : IReference
{
    private readonly int _mainTarget = places - Math.Max(1, places / 10);
    private readonly Queue<long> _small = [], _main = [];
    private readonly LinkedList<long> _ghosts = [];
    private readonly HashSet<long> _isGhost = [];
    private readonly Dictionary<long, int> _uses = [];

    public bool Request(long home)
    {
        if (_uses.TryGetValue(home, out int uses))
        {
            _uses[home] = Math.Min(3, uses + 1);
            return true;
        }
        while (_uses.Count == places) Evict();
        _uses.Add(home, 0);
        if (_isGhost.Remove(home))
        {
            _ghosts.Remove(home);
            _main.Enqueue(home);
        }
        else _small.Enqueue(home);
        return false;
    }

    private void Evict()
    {
        if (_main.Count > _mainTarget || _small.Count == 0) EvictFromMain();
        else EvictFromSmall();
    }

    private void EvictFromMain()
    {
        long oldest = _main.Dequeue();
        if (_uses[oldest] == 0) _uses.Remove(oldest);
        else
        {
            _uses[oldest]--;
            _main.Enqueue(oldest);
        }
    }

    private void EvictFromSmall()
    {
        long oldest = _small.Dequeue();
        if (_uses[oldest] > 1)
        {
            _uses[oldest] = 0;
            _main.Enqueue(oldest);
            return;
        }
        _uses.Remove(oldest);
        _isGhost.Add(oldest);
        _ghosts.AddLast(oldest);
        if (_ghosts.Count <= _mainTarget) return;
        _isGhost.Remove(_ghosts.First!.Value);
        _ghosts.RemoveFirst();
    }
}
