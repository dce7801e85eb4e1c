using System;
using System.Collections.Generic;
using Weir.Tests.Simulation.Engines;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>The engines that are simulated: one line each.</summary>
internal static class SimEngines
{
    private static readonly IInjectedEngine[] s_all =
        [new WriteboostEngine(), new PassthroughEngine(), new DmCacheEngine()];

    /// <summary>All of them, or the one that WEIR_ENGINE names.</summary>
    public static IEnumerable<IInjectedEngine> Chosen
    {
        get
        {
            string? only = Environment.GetEnvironmentVariable("WEIR_ENGINE");
            foreach (IInjectedEngine engine in s_all)
                if (string.IsNullOrEmpty(only) || engine.Name == only) yield return engine;
        }
    }

    /// <summary>Their names, for theories.</summary>
    public static TheoryData<string> Names()
    {
        TheoryData<string> names = [];
        foreach (IInjectedEngine engine in Chosen) names.Add(engine.Name);
        return names;
    }

    /// <summary>The one of this name.</summary>
    public static IInjectedEngine Find(string name) => Array.Find(s_all, engine => engine.Name == name)!;
}
