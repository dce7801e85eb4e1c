using System;
using System.Collections.Generic;

namespace Weir.Tests.Simulation;

/// <summary>What breaks an engine, and where each is caught.</summary>
/// <param name="Rules">The engine's enum; 0 of it is none.</param>
/// <param name="Elsewhere">Caught by other tests, which the engine's list names.</param>
/// <param name="Rare">
/// Where the rarest were caught when this was written: looked at before the long search, which goes on without them.
/// </param>
public sealed record SimMutants(Type? Rules, IReadOnlySet<Enum> Elsewhere, IReadOnlyDictionary<Enum, ulong> Rare)
{
    /// <summary>Nothing breaks it.</summary>
    public static SimMutants None { get; } = new(null, new HashSet<Enum>(), new Dictionary<Enum, ulong>());

    /// <summary>Mutants of the rooms that engines share which this engine must suffer from.</summary>
    public IReadOnlyList<Enum> Shared { get; init; } = [];

    /// <summary>The one of this name.</summary>
    public static Enum Named(IEnumerable<Enum> mutants, string name)
    {
        foreach (Enum mutant in mutants)
            if ($"{mutant}" == name) return mutant;
        throw new ArgumentException($"no mutant {name}", nameof(name));
    }

    /// <summary>Those that the simulation must catch.</summary>
    public IEnumerable<Enum> ToCatch()
    {
        if (Rules == null) yield break;
        foreach (Enum mutant in Enum.GetValues(Rules))
            if (Convert.ToInt32(mutant, null) != 0 && !Elsewhere.Contains(mutant)) yield return mutant;
        foreach (Enum mutant in Shared) yield return mutant;
    }
}
