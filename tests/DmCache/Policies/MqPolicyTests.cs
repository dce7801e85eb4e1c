using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>The workloads on which the seed's multiqueue has failed: its defects D2 to D6, D30 and D31.</summary>
public sealed class MqPolicyTests
{
    private static readonly Access s_read = new(AccessFlags.None, 8), s_write = new(AccessFlags.Write, 8);

    /// <summary>D2: at depth one no block that is not discarded was ever promoted.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void HotBlocksArePromotedAtDepthOne(bool writes)
    {
        using PolicyModel<MqPolicy> model = new(1024);
        Random random = new(1);
        int hits = 0;
        for (int i = 0; i < 200_000; i++)
            if (model.Request(random.Next(64), writes ? s_write : s_read)) hits++;
        Assert.Equal(64, model.Count);
        Assert.InRange(hits, 198_000, 199_999);
    }

    /// <summary>D3: time stood still as long as all requests were hits, and nothing was counted.</summary>
    [Fact]
    public void ALoadOfHitsOnlyIsCounted()
    {
        using PolicyModel<MqPolicy> model = new(100);
        for (long home = 0; home < 100; home++) model.Insert(model.FreePlace, home, s_read);
        for (int i = 0; i < 100_000; i++) model.Request(i % 2 == 0 ? 5 : i % 100, s_read);
        for (int place = 0; place < 100; place++)
            Assert.True(model.Homes[place] == 5 || Uses(model, 5) > 4 * Uses(model, model.Homes[place]));
        Assert.True(Uses(model, 5) > 100);
    }

    /// <summary>
    /// D4: what was hot stays for as long as it was hot. Passes over as many new blocks until nine of ten are found:
    /// 21, 117 and 1,089 with the seed.
    /// </summary>
    [Fact]
    public void AdaptationDoesNotDependOnHistory()
    {
        foreach (int history in new[] { 10, 100, 1000 })
            Assert.InRange(PassesToAdapt(history), 2, 40);
    }

    /// <summary>D5: a stream was not seen, where each of its requests was looked at twice.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(16)]
    [InlineData(64)]
    public void AStreamOfSmallRequestsIsNotBroughtIn(int requestKiB)
    {
        const long BlockBytes = 256 << 10, StreamBytes = 2 << 20;
        SequentialDetector detector = new();
        using PolicyModel<MqPolicy> model = new(1024);
        int promotions = 0;
        for (long at = 0; at < 5000 * BlockBytes; at += requestKiB << 10)
        {
            bool isStream = detector.Note((ulong)at, requestKiB << 10) >= StreamBytes;
            Access access = new(isStream ? AccessFlags.Sequential : AccessFlags.None, requestKiB * 2);
            if (!model.Request(at / BlockBytes, access) && model.TryFind(at / BlockBytes, out _)) promotions++;
        }
        Assert.InRange(promotions, 0, (int)(StreamBytes / BlockBytes));
    }

    /// <summary>D6: of an empty queue the oldest was a wild pointer.</summary>
    [Fact]
    public void AnEmptyCacheHasNoVictim()
    {
        using PolicyModel<MqPolicy> model = new(4);
        Assert.Equal(PolicyInfo.NoPlace, model.ChooseVictim());
        model.Insert(0, 7, s_read);
        model.Remove(0, isEvicted: false);
        Assert.Equal(PolicyInfo.NoPlace, model.ChooseVictim());
        model.Check();
    }

    /// <summary>D30: a hint that is missing was taken for no use at all, which has no logarithm.</summary>
    [Fact]
    public void AMissingHintIsOneUse()
    {
        using MqPolicy policy = MqPolicy.Create(new PolicyShape(4, 100, 128, 1));
        MqPolicy loaded = policy;
        loaded.Load(0, 10, 0);
        loaded.Load(1, 11, PolicyInfo.NoHint);
        loaded.Load(2, 12, uint.MaxValue - 1);
        loaded.CheckInvariants();
        Assert.Equal(1u, loaded.HintOf(0) >> 16);
        Assert.Equal(1u, loaded.HintOf(1) >> 16);
        Assert.Equal(ushort.MaxValue, loaded.HintOf(2) >> 16);
    }

    /// <summary>D31: a block whose promotion has failed was asked for again with every request of it.</summary>
    [Fact]
    public void APromotionThatFailedHasToBeEarnedAgain()
    {
        using MqPolicy created = MqPolicy.Create(new PolicyShape(100, 1000, 128, 1));
        MqPolicy policy = created;
        int asked = 0;
        for (int i = 0; i < 1000; i++)
        {
            if (policy.Miss(5, s_read)) asked++;
            policy.Tick();
        }
        Assert.InRange(asked, 2, 500);
        policy.CheckInvariants();
    }

    /// <summary>D31: a block whose removal was taken back was in two queues.</summary>
    [Fact]
    public void ABlockIsInOneQueueOnly()
    {
        using PolicyModel<MqPolicy> model = new(2);
        model.Insert(0, 10, s_read);
        model.Insert(1, 11, s_read);
        uint victim = model.ChooseVictim();
        long home = model.Homes[victim];
        model.Remove(victim, isEvicted: true);
        model.ForceMapping(victim, home);
        model.Check();
        Assert.Equal(victim, model.ChooseVictim());
    }

    /// <summary>A discarded block that a place is free for comes in with its first write.</summary>
    [Fact]
    public void WhatCostsNothingComesInAtOnce()
    {
        using MqPolicy created = MqPolicy.Create(new PolicyShape(100, 1000, 128, 1));
        MqPolicy policy = created;
        AccessFlags discarded = AccessFlags.Write | AccessFlags.Discarded;
        Assert.True(policy.Miss(5, new Access(discarded | AccessFlags.PlaceIsFree, 8)));
        Assert.False(policy.Miss(6, new Access(discarded, 8)));
        Assert.False(policy.Miss(7, s_write));
    }

    /// <summary>Its settings are those that dm-cache had, and are kept within their bounds.</summary>
    [Fact]
    public void SettingsSaySoAndWork()
    {
        using MqPolicy created = MqPolicy.Create(new PolicyShape(100, 1000, 128, 1));
        MqPolicy policy = created;
        for (int i = 0; i < MqPolicy.Info.Settings.Length; i++)
        {
            Assert.Equal(MqPolicy.Info.Settings[i].Default, policy.Get(i));
            policy.Set(i, 20 + i);
            Assert.Equal(20 + i, policy.Get(i));
            Assert.Throws<InvariantException>(() => policy.Set(i, MqPolicy.Info.Settings[i].Maximum + 1));
        }
        policy.Set(1, 0);
        policy.Miss(5, s_read);
        Assert.False(policy.Miss(5, s_read));
        policy.Tick();
        Assert.True(policy.Miss(5, s_read));
    }

    private static int PassesToAdapt(int history)
    {
        const uint Places = 1024;
        using PolicyModel<MqPolicy> model = new(Places);
        for (int pass = 0; pass < history; pass++) HitsOfPass(model, 0, Places);
        int passes = 1;
        while (HitsOfPass(model, 10_000, Places) < Places * 9 / 10 && passes < 5000) passes++;
        return passes;
    }

    private static int HitsOfPass(PolicyModel<MqPolicy> model, long first, uint count)
    {
        int hits = 0;
        for (long home = first; home < first + count; home++)
            if (model.Request(home, s_read)) hits++;
        return hits;
    }

    private static uint Uses(PolicyModel<MqPolicy> model, long home) =>
        model.TryFind(home, out uint place) ? model.Policy.HintOf(place) >> 16 : 0;
}
