using System;
using System.Collections.Generic;
using System.Linq;

namespace Weir.Tests.DmCache.Policies;

/// <summary>The plainest counts: lfu and mfu. Of those used as often, the one that has been so longest goes.</summary>
internal sealed class CountReference(int places, bool mostGoes) : IReference
{
    private readonly Dictionary<long, (int Uses, long Since)> _cached = [];
    private long _now;

    public bool Request(long home)
    {
        if (_cached.TryGetValue(home, out (int Uses, long Since) known))
        {
            _cached[home] = (Math.Min(known.Uses + 1, byte.MaxValue), ++_now);
            return true;
        }
        if (_cached.Count == places)
            _cached.Remove(_cached.MinBy(one => (mostGoes ? -one.Value.Uses : one.Value.Uses, one.Value.Since)).Key);
        _cached.Add(home, (0, ++_now));
        return false;
    }
}

/// <summary>2Q, the full version, as its paper has it.</summary>
internal sealed class TwoQueueReference(int places) : IReference
{
    private readonly int _inTarget = Math.Max(1, places / 4), _outTarget = Math.Max(1, places / 2);
    private readonly List<long> _in = [], _out = [], _main = [];

    public bool Request(long home)
    {
        if (_main.Remove(home))
        {
            _main.Add(home);
            return true;
        }
        if (_in.Contains(home)) return true;
        if (_in.Count + _main.Count == places) Reclaim();
        if (_out.Remove(home)) _main.Add(home);
        else _in.Add(home);
        return false;
    }

    private void Reclaim()
    {
        if (_in.Count <= _inTarget && _main.Count > 0)
        {
            _main.RemoveAt(0);
            return;
        }
        _out.Add(_in[0]);
        _in.RemoveAt(0);
        if (_out.Count > _outTarget) _out.RemoveAt(0);
    }
}

/// <summary>ARC as figure 4 of its paper has it.</summary>
internal sealed class ArcReference(int places) : IReference
{
    private readonly List<long> _t1 = [], _t2 = [], _b1 = [], _b2 = [];
    private int _target;

    public bool Request(long home)
    {
        if (_t1.Remove(home) || _t2.Remove(home))
        {
            _t2.Add(home);
            return true;
        }
        if (_b1.Contains(home))
        {
            _target = Math.Min(places, _target + Math.Max(1, _b2.Count / _b1.Count));
            Replace(inB2: false);
            _b1.Remove(home);
            _t2.Add(home);
        }
        else if (_b2.Contains(home))
        {
            _target = Math.Max(0, _target - Math.Max(1, _b1.Count / _b2.Count));
            Replace(inB2: true);
            _b2.Remove(home);
            _t2.Add(home);
        }
        else BringIn(home);
        return false;
    }

    private void BringIn(long home)
    {
        int all = _t1.Count + _t2.Count + _b1.Count + _b2.Count;
        if (_t1.Count + _b1.Count == places)
        {
            if (_t1.Count < places)
            {
                _b1.RemoveAt(0);
                Replace(inB2: false);
            }
            else _t1.RemoveAt(0);
        }
        else if (all >= places)
        {
            if (all == 2 * places) _b2.RemoveAt(0);
            Replace(inB2: false);
        }
        _t1.Add(home);
    }

    private void Replace(bool inB2)
    {
        if (_t1.Count + _t2.Count < places) return;
        bool fromT1 = _t1.Count > 0 && (_t1.Count > _target || (inB2 && _t1.Count == _target));
        List<long> from = fromT1 || _t2.Count == 0 ? _t1 : _t2, to = from == _t1 ? _b1 : _b2;
        to.Add(from[0]);
        from.RemoveAt(0);
    }
}

/// <summary>LIRS as section 3 of its paper has it, with as many ghosts as places.</summary>
internal sealed class LirsReference(int places) : IReference
{
    private readonly int _hotTarget = places - Math.Max(1, places / 100);
    private readonly List<long> _stack = [], _queue = [], _ghosts = [];
    private readonly HashSet<long> _hot = [], _cached = [];

    public bool Request(long home)
    {
        bool hit = _cached.Contains(home), wasInStack = _stack.Remove(home);
        _stack.Add(home);
        if (!hit) BringIn(home, ref wasInStack);
        if (!_hot.Contains(home) && (wasInStack || (!hit && _hot.Count < _hotTarget)))
        {
            _queue.Remove(home);
            _hot.Add(home);
            if (_hot.Count > _hotTarget) CoolLast();
        }
        else if (!_hot.Contains(home))
        {
            _queue.Remove(home);
            _queue.Add(home);
        }
        Prune();
        return hit;
    }

    private void BringIn(long home, ref bool wasInStack)
    {
        // What it remembers of the block is kept in mind before another one is forgotten for the victim.
        if (_cached.Count == places)
        {
            long victim = _queue.Count > 0 ? _queue[0] : _stack.First(_hot.Contains);
            _queue.Remove(victim);
            _cached.Remove(victim);
            if (_hot.Remove(victim)) _stack.Remove(victim);
            else if (_stack.Contains(victim)) Remember(victim, home, ref wasInStack);
        }
        _ghosts.Remove(home);
        _cached.Add(home);
    }

    private void Remember(long victim, long home, ref bool wasInStack)
    {
        if (_ghosts.Count == places)
        {
            if (_ghosts[0] == home) wasInStack = false;
            else _stack.Remove(_ghosts[0]);
            _ghosts.RemoveAt(0);
        }
        _ghosts.Add(victim);
    }

    private void CoolLast()
    {
        Prune();
        long last = _stack[0];
        _stack.RemoveAt(0);
        _hot.Remove(last);
        _queue.Add(last);
    }

    private void Prune()
    {
        while (_stack.Count > 0 && !_hot.Contains(_stack[0]))
        {
            _ghosts.Remove(_stack[0]);
            _stack.RemoveAt(0);
        }
    }
}

/// <summary>W-TinyLFU with exact counts, halved after ten requests for each place, and a window that stays.</summary>
internal sealed class TinyLfuReference(int places) : IReference
{
    private readonly int _windowTarget = Math.Max(1, places / 100);
    private readonly List<long> _window = [], _probation = [], _protected = [];
    private Dictionary<long, int> _counts = [];
    private int _requests;

    public bool Request(long home)
    {
        Count(home);
        if (_window.Remove(home))
        {
            _window.Add(home);
            return true;
        }
        if (_probation.Remove(home) || _protected.Remove(home))
        {
            _protected.Add(home);
            if (_protected.Count > (places - _windowTarget) * 80 / 100) Demote(_protected);
            return true;
        }
        _window.Add(home);
        if (_window.Count <= _windowTarget) return false;
        Demote(_window);
        if (_probation.Count + _protected.Count <= places - _windowTarget) return false;
        long candidate = _probation[^1], victim = (_probation.Count > 1 ? _probation : _protected)[0];
        long loser = _counts.GetValueOrDefault(candidate) > _counts.GetValueOrDefault(victim) ? victim : candidate;
        if (!_probation.Remove(loser)) _protected.Remove(loser);
        return false;
    }

    private void Demote(List<long> from)
    {
        _probation.Add(from[0]);
        from.RemoveAt(0);
    }

    private void Count(long home)
    {
        _counts[home] = Math.Min(15, _counts.GetValueOrDefault(home) + 1);
        if (++_requests < places * 10) return;
        _counts = _counts.Where(one => one.Value > 1).ToDictionary(one => one.Key, one => one.Value / 2);
        _requests /= 2;
    }
}
