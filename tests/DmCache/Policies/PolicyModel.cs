using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Lets some places go, counts how many were asked for, and knows which hold a block.</summary>
internal struct ModelGate(long[] homes, bool[] refused) : IVictimGate
{
    /// <summary>Places that the last search may have looked at.</summary>
    public int Asked { get; private set; }

    public bool MayGo(uint place)
    {
        Assert.InRange(place, 0u, (uint)homes.Length - 1);
        Assert.True(homes[place] >= 0, $"place {place} was offered, and holds nothing");
        Asked++;
        return !refused[place];
    }

    public void StartCounting() => Asked = 0;
}

/// <summary>
/// A policy and what must be true of it: who is cached where is kept here, as the engine keeps it, and compared.
/// </summary>
internal sealed class PolicyModel<TPolicy> : IDisposable
    where TPolicy : struct, IPolicy<TPolicy>
{
    /// <summary>What one search may ask the gate for: a bound, whatever the number of places.</summary>
    public const int AskedMax = 256;

    private readonly PolicyShape _shape;
    private readonly Dictionary<long, uint> _places = [];
    private ModelGate _gate;
    private TPolicy _policy;
    private long _memoryBytes;

    public PolicyModel(uint places, ulong seed = 1)
    {
        _shape = new PolicyShape(places, Homes: places * 16L, BlockSectors: 128, seed);
        Homes = new long[places];
        Array.Fill(Homes, -1);
        Refused = new bool[places];
        Dirty = new bool[places];
        _gate = new ModelGate(Homes, Refused);
        _policy = TPolicy.Create(_shape);
        _memoryBytes = _policy.MemoryBytes;
    }

    public ref TPolicy Policy => ref _policy;

    /// <summary>What each place holds; -1: nothing.</summary>
    public long[] Homes { get; }

    /// <summary>Places that may not go.</summary>
    public bool[] Refused { get; }

    public bool[] Dirty { get; }

    public int Count => _places.Count;

    public bool IsFull => Count == Homes.Length;

    public bool TryFind(long home, out uint place) => _places.TryGetValue(home, out place);

    /// <summary>A place that holds nothing.</summary>
    public uint FreePlace => (uint)Array.IndexOf(Homes, -1);

    /// <summary>A request of one block, as the engine does it when nothing takes time. True: a hit.</summary>
    public bool Request(long home, in Access access)
    {
        if (TryFind(home, out uint place))
        {
            _policy.Hit(place, access);
            return true;
        }
        if (_policy.Miss(home, access)) BringIn(home, access);
        return false;
    }

    /// <summary>Brings a block in, if a place is to be had.</summary>
    public void BringIn(long home, in Access access)
    {
        if (IsFull)
        {
            uint victim = ChooseVictim();
            if (victim == PolicyInfo.NoPlace) return;
            Remove(victim, isEvicted: true);
        }
        Insert(FreePlace, home, access);
    }

    public uint ChooseVictim()
    {
        _gate.StartCounting();
        uint victim = _policy.ChooseVictim(ref _gate);
        Assert.True(_gate.Asked <= AskedMax, $"one search looked at {_gate.Asked} places");
        if (victim == PolicyInfo.NoPlace) return victim;
        Assert.True(victim < Homes.Length && Homes[victim] >= 0, $"the victim {victim} holds nothing");
        Assert.False(Refused[victim], $"the victim {victim} may not go");
        return victim;
    }

    public void Insert(uint place, long home, in Access access)
    {
        _policy.Insert(place, home, access);
        Note(place, home);
    }

    public void ForceMapping(uint place, long home)
    {
        _policy.ForceMapping(place, home);
        Note(place, home);
    }

    public void Remove(uint place, bool isEvicted)
    {
        if (Dirty[place]) SetDirty(place, false);
        _policy.Remove(place, isEvicted);
        _places.Remove(Homes[place]);
        Homes[place] = -1;
    }

    public void SetDirty(uint place, bool isDirty)
    {
        _policy.SetDirty(place, isDirty);
        Dirty[place] = isDirty;
    }

    /// <summary>Everything that must hold at any time.</summary>
    public void Check()
    {
        _policy.CheckInvariants();
        Assert.Equal(Count, _policy.Residency);
        Assert.Equal(_memoryBytes, _policy.MemoryBytes);
    }

    /// <summary>All hints, by place.</summary>
    public uint[] Hints()
    {
        uint[] hints = new uint[Homes.Length];
        for (uint place = 0; place < Homes.Length; place++)
            if (Homes[place] >= 0) hints[place] = _policy.HintOf(place);
        // Hints may be made all at once, in memory for that.
        Assert.InRange(_policy.MemoryBytes, _memoryBytes, _memoryBytes + (4L * Homes.Length));
        _memoryBytes = _policy.MemoryBytes;
        return hints;
    }

    /// <summary>The same blocks in a new policy that has only hints of them; or none.</summary>
    public PolicyModel<TPolicy> Reloaded(uint[]? hints)
    {
        PolicyModel<TPolicy> other = new((uint)Homes.Length, _shape.Seed);
        for (uint place = 0; place < Homes.Length; place++)
        {
            if (Homes[place] < 0) continue;
            other._policy.Load(place, Homes[place], hints?[place] ?? PolicyInfo.NoHint);
            other.Note(place, Homes[place]);
            if (Dirty[place]) other.SetDirty(place, true);
        }
        return other;
    }

    /// <summary>Evicts all, and returns in which order: none is missing, none comes twice.</summary>
    public List<uint> Drain()
    {
        List<uint> order = [];
        Array.Clear(Refused);
        for (int calls = Count * 8; Count > 0; calls--)
        {
            Assert.True(calls > -100, $"{Count} blocks do not give way");
            uint victim = ChooseVictim();
            if (victim == PolicyInfo.NoPlace) continue;
            Remove(victim, isEvicted: true);
            order.Add(victim);
        }
        return order;
    }

    public void Dispose() => _policy.Dispose();

    private void Note(uint place, long home)
    {
        Invariant.Check(Homes[place] < 0);
        _places.Add(home, place);
        Homes[place] = home;
    }
}
