using System;
using System.Collections.Generic;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.DmCache.Policies.Structures;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Parts of policies against plain collections, and vector forms against their scalar twins.</summary>
public sealed unsafe class StructureTests
{
    [Fact]
    public void BitsAreFoundAsOneByOne() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Random random = new(seed);
        uint places = (uint)random.Next(1, 2000);
        using PlaceBits bits = new(places);
        SortedSet<uint> model = [];
        int share = random.Next(1, 200);
        for (uint place = 0; place < places; place++)
        {
            if (random.Next(share) != 0) continue;
            bits.Set(place);
            model.Add(place);
        }
        foreach (uint place in model.GetViewBetween(places / 3, places / 2))
        {
            bits.Clear(place);
            Assert.False(bits.Has(place));
        }
        model.RemoveWhere(place => place >= places / 3 && place <= places / 2);
        Assert.Equal(model.Count, bits.Count());
        for (uint from = 0; from <= places; from++)
        {
            SortedSet<uint> rest = model.GetViewBetween(from, places);
            Assert.Equal(rest.Count > 0 ? rest.Min : places, bits.NextSet(from));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void WordsAreFoundAsOneByOne()
    {
        ulong* words = stackalloc ulong[40];
        Random random = new(1);
        for (int round = 0; round < 2000; round++)
        {
            for (int i = 0; i < 40; i++) words[i] = random.Next(30) == 0 ? (ulong)random.NextInt64() : 0;
            uint from = (uint)random.Next(41), end = (uint)random.Next((int)from, 41);
            Assert.Equal(PlaceBits.NextWordScalar(words, from, end), PlaceBits.NextWord(words, from, end));
        }
    }

    [Fact]
    public void TheHandStopsAsOneByOne()
    {
        const int Words = 24;
        ulong* words = stackalloc ulong[3 * Words];
        ulong* used = words, marks = words + Words, twins = words + (2 * Words);
        Random random = new(1);
        for (int round = 0; round < 5000; round++)
        {
            for (int i = 0; i < Words; i++)
            {
                used[i] = random.Next(3) == 0 ? 0 : (ulong)random.NextInt64();
                marks[i] = twins[i] = random.Next(8) == 0 ? used[i] & (ulong)random.NextInt64() : used[i];
            }
            uint from = (uint)random.Next((Words * 64) + 1), end = (uint)random.Next((int)from, (Words * 64) + 1);
            Assert.Equal(HandScan.NextScalar(used, twins, from, end), HandScan.Next(used, marks, from, end));
            Assert.True(new Span<ulong>(marks, Words).SequenceEqual(new Span<ulong>(twins, Words)));
        }
    }

    /// <summary>Against a list with a hand in it; the ring goes round many times, and sweeps.</summary>
    [Fact]
    public void ARingActsAsAList() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Random random = new(seed);
        uint places = (uint)random.Next(1, random.Next(4) == 0 ? 300 : 60);
        AgeRing ring = new(places);
        List<uint> model = [];
        HashSet<uint> marks = [];
        for (int step = 0; step < 3000; step++)
        {
            uint place = (uint)random.Next((int)places);
            Assert.Equal(model.Contains(place), ring.Has(place));
            if (!ring.Has(place)) Put(ref ring, model, place, isNew: random.Next(20) != 0);
            else if (random.Next(3) == 0)
            {
                ring.Remove(place);
                model.Remove(place);
                marks.Remove(place);
            }
            else
            {
                ring.Mark(place);
                marks.Add(place);
            }
            if (step % 50 == 0) ring.CheckInvariants();
            if (step % 300 == 0) AssertRanks(ref ring, model);
        }
        foreach (uint place in model) Assert.Equal(marks.Contains(place), ring.IsMarked(place));
        ring.Dispose();
    }).QuickCheckThrowOnFailure();

    private static void Put(ref AgeRing ring, List<uint> model, uint place, bool isNew)
    {
        if (isNew) ring.Append(place);
        else ring.Prepend(place);
        model.Insert(isNew ? model.Count : 0, place);
    }

    private static void AssertRanks(ref AgeRing ring, List<uint> model)
    {
        for (int i = 0; i < model.Count; i++)
            Assert.Equal((uint)(((i << 16) + model.Count - 1) / model.Count), ring.RankOf(model[i]));
    }

    [Fact]
    public void TagsAreFoundAsOneByOne()
    {
        ushort* bucket = stackalloc ushort[16];
        Random random = new(1);
        for (int round = 0; round < 5000; round++)
        {
            for (int i = 0; i < 16; i++) bucket[i] = (ushort)random.Next(6);
            ushort tag = (ushort)random.Next(6);
            Assert.Equal(GhostBuckets.MatchScalar(bucket, tag), GhostBuckets.Match(bucket, tag));
        }
    }

    [Fact]
    public void CountersAreHalvedAsOneByOne()
    {
        ulong* words = stackalloc ulong[64];
        Random random = new(1);
        for (int round = 0; round < 2000; round++)
        {
            int count = random.Next(33);
            for (int i = 0; i < 32; i++) words[i] = words[i + 32] = (ulong)random.NextInt64() * 3;
            FrequencySketch.HalveScalar(words, count);
            FrequencySketch.Halve(words + 32, count);
            for (int i = 0; i < 32; i++) Assert.Equal(words[i], words[i + 32]);
        }
    }

    [Fact]
    public void FrequenciesAreAboutRight()
    {
        using FrequencySketch created = new(1000);
        FrequencySketch sketch = created;
        for (uint id = 0; id < 500; id++)
            for (uint i = 0; i < id % 12; i++) sketch.Add(id);
        int right = 0;
        for (uint id = 0; id < 500; id++)
        {
            Assert.True(sketch.Estimate(id) >= id % 12);
            if (sketch.Estimate(id) == id % 12) right++;
        }
        Assert.InRange(right, 400, 500);
        sketch.AtLeast(700, 9);
        Assert.InRange(sketch.Estimate(700), 9u, FrequencySketch.Max);
    }

    [Fact]
    public void GhostsOfATableAreFoundByHome() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Random random = new(seed);
        uint ghosts = (uint)random.Next(1, 20);
        GhostTable table = new(100, ghosts);
        Dictionary<uint, uint> model = [];
        for (int step = 0; step < 200; step++)
        {
            uint id = (uint)random.Next(40);
            if (model.TryGetValue(id, out uint node) && random.Next(2) == 0)
            {
                table.Remove(node);
                model.Remove(id);
            }
            else if (!model.ContainsKey(id) && !table.IsFull) model.Add(id, table.Add(id));
            Assert.Equal(model.GetValueOrDefault(id, GhostTable.None), table.Find(id));
            Assert.Equal((uint)model.Count, table.Count);
            Assert.Equal(model.Count == ghosts, table.IsFull);
            table.CheckInvariants();
        }
        table.Dispose();
    }).QuickCheckThrowOnFailure();

    /// <summary>The newest are remembered, the oldest are not, and what never came is hardly ever.</summary>
    [Fact]
    public void GhostsAreTheNewest()
    {
        const uint Ghosts = 15_000;
        using GhostBuckets ghosts = new(Ghosts);
        for (uint id = 0; id < 10 * Ghosts; id++) ghosts.Add(id);
        int quarter = (int)Ghosts / 4;
        Assert.InRange(CountOf(ghosts, (10 * Ghosts) - (Ghosts / 4), Ghosts / 4), quarter - 20, quarter);
        Assert.InRange(CountOf(ghosts, 0, Ghosts), 0, 100);
        Assert.InRange(CountOf(ghosts, 1_000_000, Ghosts), 0, 100);
        Assert.True(ghosts.Remove((10 * Ghosts) - 1));
        Assert.False(ghosts.Contains((10 * Ghosts) - 1));
        ghosts.CheckInvariants();
    }

    [Fact]
    public void ListsActAsLists() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Random random = new(seed);
        uint nodes = (uint)random.Next(1, 30);
        PlaceLists lists = new(nodes, 3);
        List<uint>[] model = [[], [], []];
        for (int step = 0; step < 80; step++)
        {
            uint node = (uint)random.Next((int)nodes);
            int to = random.Next(3), from = Array.FindIndex(model, list => list.Contains(node));
            if (from < 0)
            {
                bool newest = random.Next(2) == 0;
                if (newest) lists.Append(to, node);
                else lists.Prepend(to, node);
                model[to].Insert(newest ? model[to].Count : 0, node);
            }
            else if (random.Next(3) == 0) Take(ref lists, model, from, node);
            else if (random.Next(8) == 0 && from != to) Splice(ref lists, model, from, to);
            else
            {
                lists.Move(node, from, to);
                model[from].Remove(node);
                model[to].Add(node);
            }
            for (int list = 0; list < 3; list++) AssertSame(lists, list, model[list]);
        }
        lists.Dispose();
    }).QuickCheckThrowOnFailure();

    private static void Take(ref PlaceLists lists, List<uint>[] model, int list, uint node)
    {
        lists.Unlink(list, node);
        model[list].Remove(node);
        Assert.False(lists.IsLinked(node));
    }

    private static void Splice(ref PlaceLists lists, List<uint>[] model, int from, int to)
    {
        lists.Splice(from, to);
        model[to].AddRange(model[from]);
        model[from].Clear();
    }

    private static void AssertSame(in PlaceLists lists, int list, List<uint> model)
    {
        lists.CheckInvariants(list);
        List<uint> found = [];
        for (uint node = lists.Oldest(list); node != PlaceLists.None; node = lists.Newer(node)) found.Add(node);
        Assert.Equal(model, found);
        Assert.Equal((uint)model.Count, lists.Count(list));
        Assert.Equal(model.Count > 0 ? model[^1] : PlaceLists.None, lists.Newest(list));
    }

    private static int CountOf(in GhostBuckets ghosts, uint from, uint count)
    {
        int found = 0;
        for (uint id = from; id < from + count; id++)
            if (ghosts.Contains(id)) found++;
        return found;
    }
}
