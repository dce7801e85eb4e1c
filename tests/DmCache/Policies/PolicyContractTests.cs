using System;
using System.Collections.Generic;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Every policy keeps the contract.</summary>
public sealed class PolicyContractTests
{
    public static TheoryData<string, string> Checks() => PolicyChecks.All();

    [Theory]
    [MemberData(nameof(Checks))]
    public void Keeps(string policy, string check)
    {
        Action<int> checks = PolicyChecks.Of(policy)[check];
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), checks).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void TheTableKnowsEachByItsName()
    {
        HashSet<string> names = [];
        foreach (PolicyInfo info in PolicyTable.All)
        {
            Assert.True(names.Add(info.Name));
            Assert.InRange(info.Name.Length, 1, 15);
            Assert.InRange(info.Meaning.Length, 10, 100);
            Assert.True(info.HintBytes is 0 or 4);
            Assert.Same(info, PolicyTable.Find(info.Name));
            InfoOf visitor = default;
            Assert.Same(info, PolicyTable.Visit<PolicyInfo, InfoOf>(info.Name, ref visitor));
        }
        Assert.Null(PolicyTable.Find("nobody"));
        InfoOf unknown = default;
        Assert.Throws<ArgumentException>(() => PolicyTable.Visit<PolicyInfo, InfoOf>("nobody", ref unknown));
    }

    [Fact]
    public void TheAliasIsThePolicyThatItStandsFor()
    {
        Assert.Same(PolicyTable.Find(PolicyTable.DefaultName), PolicyTable.Find(PolicyTable.Alias));
        Assert.Equal(PolicyTable.DefaultName, PolicyTable.Resolve(PolicyTable.Alias));
        Assert.Equal("lru", PolicyTable.Resolve("lru"));
    }

    /// <summary>A cache that was emptied in part goes on as it was, under the policy that it had.</summary>
    [Fact]
    public static void TheCleanerKeepsTheHintsOfOthers()
    {
        using StillPolicy<CleanerKind> cleaner = StillPolicy<CleanerKind>.Create(new PolicyShape(10, 100, 128, 1));
        StillPolicy<CleanerKind> loaded = cleaner;
        for (uint place = 0; place < 10; place++) loaded.Load(place, place, place * 6);
        for (uint place = 0; place < 10; place++) Assert.Equal(place * 6, loaded.HintOf(place));
        Assert.True(StillPolicy<CleanerKind>.Info.IsCleaner);
        Assert.Equal((2, 0, 0), StillPolicy<CleanerKind>.Info.Version);
    }

    private readonly struct InfoOf : IPolicyVisitor<PolicyInfo>
    {
        public PolicyInfo Visit<TPolicy>()
            where TPolicy : struct, IPolicy<TPolicy> => TPolicy.Info;
    }
}
