using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;

namespace Weir.Frontends.Compose;

/// <summary>The engines there are. One more needs a line here, and a file that says what it is.</summary>
internal static class EngineTable
{
    /// <summary>In the order in which users are told of them.</summary>
    public static IReadOnlyList<IEngineKind> All { get; } =
        [new WriteboostKind(), new DmCacheKind(), new PassthroughKind()];

    /// <summary>By the names that users give, in words.</summary>
    public static string Names => NamesOf(All);

    /// <summary>Those that have a cache.</summary>
    public static string CacheNames => NamesOf(All.Where(static kind => kind.HasUseFor(DeviceRole.Cache)));

    /// <summary>What tells devices of engines although their beginning is lost.</summary>
    public static ContentMark[] Marks => [.. All.Select(static kind => kind.Mark).OfType<ContentMark>()];

    /// <summary>The one called <paramref name="name"/>; throws, naming those there are.</summary>
    public static IEngineKind Find(string name) => All.FirstOrDefault(kind => kind.Name == name)
        ?? throw new UserErrorException($"unknown engine '{name}'; this version has: {Names}", Program.WrongUsage);

    /// <summary>
    /// The tools of the engine called <paramref name="name"/>; throws when it has no cache to <paramref name="verb"/>.
    /// </summary>
    public static IEngineTools ToolsOf(string name, string verb) => Find(name).Tools
        ?? throw new UserErrorException($"{name} has no cache to {verb}", Program.WrongUsage);

    /// <summary>It is one of the engine's roles.</summary>
    public static bool HasUseFor(this IEngineKind kind, DeviceRole role) => kind.Roles.Contains(role);

    private static string NamesOf(IEnumerable<IEngineKind> kinds) =>
        string.Join(", ", kinds.Select(static kind => kind.Name));
}
