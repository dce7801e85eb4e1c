using System;
using Weir.Core.DmCache.Policies;
using Weir.Core.DmCache.Policies.Structures;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>The stochastic multiqueue as the kernel has it.</summary>
public sealed class SmqPolicyTests
{
    private static readonly Access s_read = new(AccessFlags.None, 8);

    /// <summary>Name, version and hints are what the kernel finds on disk and takes for its own.</summary>
    [Fact]
    public void HintsAreTheKernels()
    {
        Assert.Equal(("smq", 4, (2, 0, 0)), (SmqPolicy.Info.Name, SmqPolicy.Info.HintBytes, SmqPolicy.Info.Version));
        using SmqPolicy created = SmqPolicy.Create(new PolicyShape(10, 1000, 128, 1));
        SmqPolicy policy = created;
        for (uint place = 0; place < 10; place++) policy.Load(place, place, place * 10);
        for (uint place = 0; place < 10; place++) Assert.Equal(Math.Min(place * 10, 63), policy.HintOf(place));
    }

    [Fact]
    public void WhatComesInIsAtTheTopAndAHitLiftsByOne()
    {
        using SmqPolicy created = SmqPolicy.Create(new PolicyShape(10, 1000, 128, 1));
        SmqPolicy policy = created;
        policy.Load(0, 5, 10);
        policy.Load(1, 6, 11);
        policy.Insert(2, 7, s_read);
        Assert.Equal(63u, policy.HintOf(2));
        policy.Hit(0, s_read);
        Assert.Equal((11u, 10u), (policy.HintOf(0), policy.HintOf(1)));
        // Once in a period.
        policy.Hit(0, s_read);
        Assert.Equal(11u, policy.HintOf(0));
        policy.CheckInvariants();
    }

    [Fact]
    public void LevelsBecomeEven()
    {
        using PolicyModel<SmqPolicy> model = new(640);
        for (long home = 0; home < 640; home++) model.Insert(model.FreePlace, home, s_read);
        for (int tick = 0; tick < 60; tick++) model.Policy.Tick();
        int[] counts = new int[64];
        foreach (uint level in model.Hints()) counts[level]++;
        Assert.All(counts, static count => Assert.Equal(10, count));
        // In the order in which they came.
        model.TryFind(0, out uint first);
        Assert.Equal(first, model.ChooseVictim());
    }

    [Fact]
    public void TheTopOfTheHotspotQueueIsSmall()
    {
        PlaceLists lists = new(1024, 64);
        Cells<byte> levels = new(1024);
        EvenQueue queue = new(0, topLevels: 8, inTopLevels: 16);
        for (uint node = 0; node < 1024; node++) queue.Queue.Append(ref lists, 0, node);
        queue.Redistribute(ref lists, levels);
        for (uint level = 0; level < 64; level++)
            Assert.Equal(level >= 56 ? 2u : 18, queue.Queue.CountOf(lists, level));
        queue.Queue.CheckInvariants(lists, (node, level) => Assert.Equal(level, levels[node]));
        lists.Dispose();
        levels.Dispose();
        queue.Dispose();
    }

    /// <summary>What is asked for again and again comes in, and once it does the load is served.</summary>
    [Fact]
    public void HotBlocksComeIn()
    {
        using PolicyModel<SmqPolicy> model = new(500);
        Random random = new(1);
        int hits = 0;
        for (int i = 0; i < 60_000; i++)
        {
            bool isHot = random.Next(10) < 9;
            bool hit = model.Request(isHot ? random.Next(200) : random.Next(8000), s_read);
            if (hit && i >= 50_000) hits++;
            if (i % 500 == 0) model.Policy.Tick();
        }
        model.Check();
        Assert.InRange(hits, 8000, 10_000);
    }

    /// <summary>Clean blocks go first; which of them are dirty the policy knows.</summary>
    [Fact]
    public void CleanBlocksGoFirst()
    {
        using PolicyModel<SmqPolicy> model = new(100);
        for (long home = 0; home < 100; home++) model.Insert(model.FreePlace, home, s_read);
        for (uint place = 0; place < 100; place += 2) model.SetDirty(place, true);
        for (int i = 0; i < 50; i++)
        {
            uint victim = model.ChooseVictim();
            Assert.False(model.Dirty[victim]);
            model.Remove(victim, isEvicted: true);
        }
        Assert.True(model.Dirty[model.ChooseVictim()]);
        model.Check();
    }
}
