using System;
using System.Collections.Generic;
using System.Linq;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Base;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>Which way of a full set gives way under each strategy, beside plain models.</summary>
public sealed unsafe class VictimChoiceTests
{
    private const int Ways = 16;

    [Theory]
    [InlineData(nameof(Strategy.Lfu))]
    [InlineData(nameof(Strategy.Lru))]
    [InlineData(nameof(Strategy.Fifo))]
    [InlineData(nameof(Strategy.Clock))]
    [InlineData(nameof(Strategy.Sieve))]
    public void VictimsAreThoseOfAPlainModel(string name) => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Strategy strategy = Enum.Parse<Strategy>(name);
        Prng random = new((ulong)seed);
        using Set set = new(strategy);
        Model model = new(strategy);
        for (int i = 0; i < 400; i++)
        {
            if (random.Chance(60))
            {
                int used = random.Below(Ways);
                set.Use(used);
                model.Use(used, set.Now);
                continue;
            }
            uint ways = random.Chance(50) ? SetSearch.All : (uint)random.Between(1, 0xFFFF);
            int expected = model.Replace(ways, set.Now + 1);
            Assert.Equal(expected, set.Replace(ways));
        }
    }).QuickCheckThrowOnFailure();

    /// <summary>One history, in which each strategy decides otherwise.</summary>
    [Theory]
    [InlineData(nameof(Strategy.Lfu), 2)]
    [InlineData(nameof(Strategy.Lru), 3)]
    [InlineData(nameof(Strategy.Fifo), 0)]
    [InlineData(nameof(Strategy.Clock), 1)]
    [InlineData(nameof(Strategy.Sieve), 1)]
    public void EachDecidesOtherwise(string name, int victim)
    {
        Strategy strategy = Enum.Parse<Strategy>(name);
        using Set set = new(strategy);
        // 0 and 3 often and early, 2 once and late, all others twice; 1 not at all until the hand is there.
        for (int i = 0; i < 3; i++) set.Use(3);
        for (int way = 0; way < Ways; way++)
            if (way is not (1 or 2 or 3)) set.Use(way);
        for (int way = 0; way < Ways; way++)
            if (way is not (1 or 2 or 3)) set.Use(way);
        set.Use(2);
        if (strategy is Strategy.Lfu or Strategy.Lru)
            for (int i = 0; i < 3; i++) set.Use(1);
        Assert.Equal(victim, set.Replace(SetSearch.All));
    }

    /// <summary>Clock takes the next way in turn, sieve the next in age: a new one is behind the hand or before it.
    /// </summary>
    [Fact]
    public void SieveLooksAtNewOnesLast()
    {
        using Set clock = new(Strategy.Clock), sieve = new(Strategy.Sieve);
        foreach (Set set in new[] { clock, sieve })
        {
            // Way 5 comes in anew; then the hand goes from way 0 up.
            Assert.Equal(5, set.Replace(1 << 5));
            for (int way = 6; way < Ways; way++) Assert.Equal(way, set.Replace(1u << way));
            for (int way = 0; way < 4; way++) set.Use(way);
        }
        // All else is newer than way 4.
        Assert.Equal(4, clock.Replace(SetSearch.All));
        Assert.Equal(5, clock.Replace(SetSearch.All));
        Assert.Equal(4, sieve.Replace(1 << 4 | 0b1111));
        for (int way = 0; way < 4; way++) sieve.Use(way);
        Assert.Equal(5, sieve.Replace(SetSearch.All));
    }

    [Fact]
    public void ChanceReachesEveryWayAboutAsOften()
    {
        using Set set = new(Strategy.Random);
        int[] seen = new int[Ways];
        for (int i = 0; i < 16_000; i++) seen[set.Replace(0xF0F1)]++;
        for (int way = 0; way < Ways; way++)
            if ((0xF0F1 >> way & 1) == 0) Assert.Equal(0, seen[way]);
            else Assert.InRange(seen[way], 1400, 2200);
    }

    /// <summary>What was used much long ago goes when others are used now.</summary>
    [Fact]
    public void UsesAge()
    {
        using Set set = new(Strategy.Lfu);
        for (int i = 0; i < 200; i++) set.Use(7);
        List<int> victims = [];
        for (int i = 0; i < 40 * VictimChoice.MostUses; i++)
        {
            int way = set.Replace(SetSearch.All);
            victims.Add(way);
            set.Use(way);
        }
        Assert.DoesNotContain(7, victims.Take(16));
        Assert.Contains(7, victims);
    }

    /// <summary>Memory of a set, filled way by way.</summary>
    private sealed class Set : IDisposable
    {
        private readonly AlignedMemory _memory = new(256);
        private readonly Strategy _strategy;
        private readonly SetUse _use;
        private uint _lot;

        public Set(Strategy strategy)
        {
            _strategy = strategy;
            _use = new SetUse
            {
                Times = (uint*)_memory.Pointer, Counts = _memory.Pointer + 64, Hand = (uint*)(_memory.Pointer + 128),
            };
            for (int way = 0; way < Ways; way++) _use.Times[way] = ++Now;
        }

        public uint Now { get; private set; }

        public void Use(int way) => VictimChoice.Use(_strategy, _use.Times + way, _use.Counts + way, ++Now);

        public int Replace(uint ways)
        {
            ulong state = _lot++;
            int way = VictimChoice.Choose(_strategy, _use, ways, ++Now, (uint)Prng.SplitMix(ref state), out _);
            VictimChoice.Leave(_strategy, _use, way, ways);
            (_use.Times[way], _use.Counts[way]) = (Now, 0);
            return way;
        }

        public void Dispose() => _memory.Dispose();
    }

    /// <summary>The same with lists.</summary>
    private sealed class Model
    {
        private readonly Strategy _strategy;
        private readonly List<int> _order = [.. Enumerable.Range(0, Ways)];
        private readonly long[] _times = new long[Ways];
        private readonly int[] _uses = new int[Ways];
        private long _hand;

        public Model(Strategy strategy)
        {
            _strategy = strategy;
            for (int way = 0; way < Ways; way++) _times[way] = way + 1;
        }

        public void Use(int way, uint now)
        {
            _uses[way] = Math.Min(_uses[way] + 1, VictimChoice.MostUses);
            if (_strategy is Strategy.Lru or Strategy.Lfu) _times[way] = now;
        }

        public int Replace(uint ways, uint now)
        {
            int[] some = [.. Enumerable.Range(0, Ways).Where(way => (ways >> way & 1) != 0)];
            int victim = _strategy switch
            {
                Strategy.Lfu => some.OrderBy(way => _uses[way]).ThenBy(way => _times[way]).First(),
                Strategy.Clock => ByHand([.. some.OrderBy(way => (way - (int)_hand + Ways) % Ways)]),
                Strategy.Sieve => ByHand([.. some.OrderBy(way => _times[way] < _hand).ThenBy(way => _times[way])]),
                _ => some.OrderBy(way => _times[way]).First(),
            };
            int uses = _uses[victim];
            if (_strategy == Strategy.Lfu)
                for (int way = 0; way < Ways; way++) _uses[way] = Math.Max(0, _uses[way] - uses);
            _hand = _strategy == Strategy.Clock ? (victim + 1) % Ways : _times[victim];
            (_times[victim], _uses[victim]) = (now, 0);
            return victim;
        }

        // Passes over used ones, which count as unused from then on.
        private int ByHand(int[] inTurn)
        {
            foreach (int way in inTurn.Concat(inTurn))
            {
                if (_uses[way] == 0) return way;
                _uses[way] = 0;
            }
            throw new InvalidOperationException();
        }
    }
}
