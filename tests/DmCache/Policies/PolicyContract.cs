using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>What every policy must do, one method for each check, from a seed.</summary>
internal static class PolicyContract<TPolicy>
    where TPolicy : struct, IPolicy<TPolicy>
{
    private const int Steps = 400;

    private static PolicyInfo Info => TPolicy.Info;

    // Nothing ever need go for those that bring nothing in.
    private static bool NothingGoes => Info.IsCleaner || Info.Name == "noop";

    /// <summary>Whatever is done in whatever order, nothing is lost or doubled, and memory stays as it is.</summary>
    public static void AnyOrder(int seed)
    {
        Random random = new(seed);
        uint places = (uint)random.Next(1, 40);
        PolicyModel<TPolicy> model = new(places, (ulong)seed);
        for (int step = 0; step < Steps; step++)
        {
            AnyStep(random, model);
            if (random.Next(4) == 0) model.Check();
            if (random.Next(60) == 0) model = Reload(random, model);
        }
        model.Check();
        if (!NothingGoes) model.Drain();
        model.Check();
        model.Dispose();
    }

    /// <summary>The same calls have the same outcome.</summary>
    public static void SameCallsSameOutcome(int seed)
    {
        List<uint>[] orders = new List<uint>[2];
        for (int run = 0; run < 2; run++)
        {
            using PolicyModel<TPolicy> model = Used(seed, places: 60);
            orders[run] = NothingGoes ? [.. model.Hints()] : model.Drain();
        }
        Assert.Equal(orders[0], orders[1]);
    }

    /// <summary>A policy that was given its own hints decides as before, as far as hints can say.</summary>
    public static void ReloadDecidesAlike(int seed)
    {
        using PolicyModel<TPolicy> model = Used(seed, places: 200);
        uint[] hints = model.Hints();
        Assert.True(Info.HintBytes == 4 || Array.TrueForAll(hints, static hint => hint == 0));
        using PolicyModel<TPolicy> loaded = model.Reloaded(hints);
        loaded.Check();
        Assert.Equal(hints, loaded.Hints());
        if (NothingGoes) return;
        List<uint> before = model.Drain(), after = loaded.Drain();
        Assert.True(Likeness(before, after) >= ReloadPolicy.LikenessOf(Info.Name),
            $"the order of victims is alike by {Likeness(before, after):f2} only");
    }

    /// <summary>Without hints, after a crash, nothing is lost either.</summary>
    public static void LoadsWithoutHints(int seed)
    {
        using PolicyModel<TPolicy> model = Used(seed, places: 100);
        using PolicyModel<TPolicy> loaded = model.Reloaded(null);
        loaded.Check();
        if (!NothingGoes) loaded.Drain();
        else Assert.Equal(model.Count, loaded.Policy.Residency);
    }

    /// <summary>Where all but one are busy that one is found, in searches that each look at a few.</summary>
    public static void FindsTheOneThatMayGo(int seed)
    {
        if (NothingGoes) return;
        using PolicyModel<TPolicy> model = Used(seed, places: 500);
        Array.Fill(model.Refused, true);
        uint only = (uint)new Random(seed).Next(500);
        model.Refused[only] = false;
        int calls = 0;
        while (model.ChooseVictim() == PolicyInfo.NoPlace)
            Assert.True(++calls < 400, "the one that may go is not found");
        model.Check();
    }

    /// <summary>Where none may go none is found, and that is the end of it.</summary>
    public static void FindsNoneWhereNoneMayGo(int seed)
    {
        using PolicyModel<TPolicy> model = Used(seed, places: 300);
        Array.Fill(model.Refused, true);
        for (int i = 0; i < 100; i++) Assert.Equal(PolicyInfo.NoPlace, model.ChooseVictim());
        model.Check();
    }

    /// <summary>A long stream is not brought in, unless that costs nothing.</summary>
    public static void StreamsStayOutside(int seed)
    {
        using PolicyModel<TPolicy> model = new(50);
        for (long home = 0; home < 500; home++) model.Request(home, new Access(AccessFlags.Sequential, 128));
        Assert.Equal(0, model.Count);
        _ = seed;
    }

    /// <summary>After the start nothing is allocated, whatever is called.</summary>
    public static void AllocatesNothing(int seed)
    {
        TPolicy policy = TPolicy.Create(new PolicyShape(64, 1024, 128, (ulong)seed));
        try
        {
            for (uint place = 0; place < 64; place++) policy.Insert(place, place, default);
            Churn(ref policy, 1000);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Churn(ref policy, 2000);
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
        finally
        {
            policy.Dispose();
        }
    }

    private static void Churn(ref TPolicy policy, long firstHome)
    {
        OpenGate gate = default;
        for (uint i = 0; i < 500; i++)
        {
            policy.Hit(i * 7 % 64, default);
            policy.SetDirty(i % 64, i % 3 == 0);
            policy.Miss(firstHome + i, default);
            if (i % 9 == 0) policy.Tick();
            uint victim = policy.ChooseVictim(ref gate);
            if (victim == PolicyInfo.NoPlace) continue;
            policy.Remove(victim, isEvicted: true);
            if (i % 5 == 0) policy.ForceMapping(victim, firstHome + i - 1);
            else policy.Insert(victim, firstHome + i, default);
        }
    }

    private readonly struct OpenGate : IVictimGate
    {
        public bool MayGo(uint place) => true;
    }

    /// <summary>A cache whose places were used for a while, full unless the policy brings nothing in.</summary>
    private static PolicyModel<TPolicy> Used(int seed, uint places)
    {
        Random random = new(seed);
        PolicyModel<TPolicy> model = new(places, (ulong)seed);
        for (long home = 0; !model.IsFull; home++) model.Insert(model.FreePlace, home, default);
        for (int i = 0; i < places * 10; i++)
        {
            model.Request(AnyHome(random, places), default);
            if (i % 7 == 0) model.Policy.Tick();
        }
        return model;
    }

    private static void AnyStep(Random random, PolicyModel<TPolicy> model)
    {
        Access access = new((AccessFlags)random.Next(32), random.Next(1, 129));
        uint place = (uint)random.Next(model.Homes.Length);
        bool holds = model.Homes[place] >= 0;
        switch (random.Next(16))
        {
            case 0 when holds: model.Remove(place, isEvicted: random.Next(2) == 0); break;
            case 1 when holds: model.SetDirty(place, random.Next(2) == 0); break;
            case 2: model.Policy.Tick(); break;
            case 3 when random.Next(6) == 0: Array.Fill(model.Refused, random.Next(2) == 0); break;
            case 3: model.Refused[place] = random.Next(3) == 0; break;
            case 4: model.ChooseVictim(); break;
            case 5: RemoveAndTakeBack(model); break;
            case 6 when !holds: InsertUnasked(random, model, place, access); break;
            default: model.Request(AnyHome(random, (uint)model.Homes.Length), access); break;
        }
    }

    private static void RemoveAndTakeBack(PolicyModel<TPolicy> model)
    {
        uint victim = model.ChooseVictim();
        if (victim == PolicyInfo.NoPlace) return;
        long home = model.Homes[victim];
        model.Remove(victim, isEvicted: true);
        model.ForceMapping(victim, home);
    }

    private static void InsertUnasked(Random random, PolicyModel<TPolicy> model, uint place, in Access access)
    {
        long home = AnyHome(random, (uint)model.Homes.Length);
        if (!model.TryFind(home, out _)) model.Insert(place, home, access);
    }

    private static PolicyModel<TPolicy> Reload(Random random, PolicyModel<TPolicy> model)
    {
        PolicyModel<TPolicy> loaded = model.Reloaded(random.Next(3) == 0 ? null : model.Hints());
        model.Dispose();
        return loaded;
    }

    // Some blocks are asked for more often than others.
    private static long AnyHome(Random random, uint places) =>
        random.Next(1 + random.Next(1 + ((int)places * 4)));

    /// <summary>Of pairs of places, how many are in the same order in both.</summary>
    private static double Likeness(List<uint> first, List<uint> second)
    {
        Assert.Equal(first.Count, second.Count);
        Dictionary<uint, int> rank = [];
        for (int i = 0; i < second.Count; i++) rank.Add(second[i], i);
        long same = 0, pairs = 0;
        for (int i = 0; i < first.Count; i++)
            for (int j = i + 1; j < first.Count; j++, pairs++)
                if (rank[first[i]] < rank[first[j]]) same++;
        return pairs == 0 ? 1 : (double)same / pairs;
    }
}

/// <summary>How much of its order a policy keeps over a restart: the part of all pairs of blocks.</summary>
internal static class ReloadPolicy
{
    public static double LikenessOf(string name) => name switch
    {
        // The level alone: inside of one, blocks lie by place.
        "smq" => 0.6,
        // Which list gives way when both may depends on what was missed last.
        "arc" => 0.95,
        // Frequencies are estimates, and the window begins small again.
        "wtinylfu" => 0.9,
        "random" => 0,
        _ => 1,
    };
}
