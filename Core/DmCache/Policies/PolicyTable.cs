using System;

namespace Weir.Core.DmCache.Policies;

/// <summary>Does something with a policy known by name only: it is made for each of them at build time.</summary>
/// <typeparam name="T">What comes of it.</typeparam>
internal interface IPolicyVisitor<T>
{
    /// <summary>The policy is <typeparamref name="TPolicy"/>.</summary>
    T Visit<TPolicy>()
        where TPolicy : struct, IPolicy<TPolicy>;
}

/// <summary>All policies, by name.</summary>
internal static class PolicyTable
{
    /// <summary>What stands for another one's name.</summary>
    public const string Alias = "default";

    /// <summary>What <see cref="Alias"/> stands for.</summary>
    public const string DefaultName = "s3fifod";

    private static readonly PolicyInfo[] s_infos =
    [
        S3FifoDynamicKind.Info, S3FifoKind.Info, SievePolicy.Info, WTinyLfuPolicy.Info, ArcPolicy.Info,
        LirsPolicy.Info, SmqPolicy.Info, MqPolicy.Info, LruOrder.Info, FifoOrder.Info, MruOrder.Info,
        LfuKind.Info, MfuKind.Info, TwoQueuePolicy.Info, MultiQueuePolicy.Info, RandomPolicy.Info,
        NoopKind.Info, CleanerKind.Info,
    ];

    /// <summary>All of them.</summary>
    public static ReadOnlySpan<PolicyInfo> All => s_infos;

    /// <summary>What a name stands for: itself, unless it is the alias. Both are one to the hints (D26).</summary>
    public static string Resolve(string name) => name == Alias ? DefaultName : name;

    /// <summary>The policy of a name or alias; null: there is none.</summary>
    public static PolicyInfo? Find(string name)
    {
        string resolved = Resolve(name);
        foreach (PolicyInfo info in s_infos)
            if (info.Name == resolved) return info;
        return null;
    }

    /// <summary>What the user is told of a name that <see cref="Find"/> does not know.</summary>
    public static string TextOfUnknown(string name)
    {
        string all = Alias;
        foreach (PolicyInfo info in s_infos) all += ", " + info.Name;
        return $"policy '{name}': expected one of {all}";
    }

    /// <summary>Shows a visitor the policy of a name or alias that <see cref="Find"/> knows.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static T Visit<T, TVisitor>(string name, ref TVisitor visitor)
        where TVisitor : IPolicyVisitor<T> => Resolve(name) switch
        {
            "s3fifod" => visitor.Visit<S3FifoPolicy<S3FifoDynamicKind>>(),
            "s3fifo" => visitor.Visit<S3FifoPolicy<S3FifoKind>>(),
            "sieve" => visitor.Visit<SievePolicy>(),
            "wtinylfu" => visitor.Visit<WTinyLfuPolicy>(),
            "arc" => visitor.Visit<ArcPolicy>(),
            "lirs" => visitor.Visit<LirsPolicy>(),
            "smq" => visitor.Visit<SmqPolicy>(),
            "mq" => visitor.Visit<MqPolicy>(),
            "lru" => visitor.Visit<ListPolicy<LruOrder>>(),
            "fifo" => visitor.Visit<ListPolicy<FifoOrder>>(),
            "mru" => visitor.Visit<ListPolicy<MruOrder>>(),
            "lfu" => visitor.Visit<CountPolicy<LfuKind>>(),
            "mfu" => visitor.Visit<CountPolicy<MfuKind>>(),
            "twoqueue" => visitor.Visit<TwoQueuePolicy>(),
            "multiqueue" => visitor.Visit<MultiQueuePolicy>(),
            "random" => visitor.Visit<RandomPolicy>(),
            "cleaner" => visitor.Visit<StillPolicy<CleanerKind>>(),
            "noop" => visitor.Visit<StillPolicy<NoopKind>>(),
            _ => throw new ArgumentException($"no policy has the name '{name}'", nameof(name)),
        };
}
