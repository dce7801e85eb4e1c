using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>The checks of the contract, by name, for a policy by name.</summary>
internal readonly struct PolicyChecks : IPolicyVisitor<Dictionary<string, Action<int>>>
{
    public static TheoryData<string, string> All()
    {
        TheoryData<string, string> all = [];
        foreach (PolicyInfo info in PolicyTable.All)
            foreach (string check in Of(info.Name).Keys) all.Add(info.Name, check);
        return all;
    }

    public static Dictionary<string, Action<int>> Of(string policy)
    {
        PolicyChecks checks = default;
        return PolicyTable.Visit<Dictionary<string, Action<int>>, PolicyChecks>(policy, ref checks);
    }

    public Dictionary<string, Action<int>> Visit<TPolicy>()
        where TPolicy : struct, IPolicy<TPolicy> => new()
        {
            [nameof(PolicyContract<TPolicy>.AnyOrder)] = PolicyContract<TPolicy>.AnyOrder,
            [nameof(PolicyContract<TPolicy>.SameCallsSameOutcome)] = PolicyContract<TPolicy>.SameCallsSameOutcome,
            [nameof(PolicyContract<TPolicy>.ReloadDecidesAlike)] = PolicyContract<TPolicy>.ReloadDecidesAlike,
            [nameof(PolicyContract<TPolicy>.LoadsWithoutHints)] = PolicyContract<TPolicy>.LoadsWithoutHints,
            [nameof(PolicyContract<TPolicy>.FindsTheOneThatMayGo)] = PolicyContract<TPolicy>.FindsTheOneThatMayGo,
            [nameof(PolicyContract<TPolicy>.FindsNoneWhereNoneMayGo)] = PolicyContract<TPolicy>.FindsNoneWhereNoneMayGo,
            [nameof(PolicyContract<TPolicy>.AllocatesNothing)] = PolicyContract<TPolicy>.AllocatesNothing,
            [nameof(PolicyContract<TPolicy>.StreamsStayOutside)] = PolicyContract<TPolicy>.StreamsStayOutside,
        };
}
