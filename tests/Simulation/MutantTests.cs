using System;
using System.Collections.Generic;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// One switch per rule breaks an engine; the simulation must see every one of them. WEIR_ENGINE and WEIR_MUTANT name
/// some of them.
/// </summary>
public sealed class MutantTests(ITestOutputHelper output)
{
    // A seed that fails by getting stuck takes seconds.
    private const int Enough = 5;
    private const int SeedsAtMost = 20_000;

    public static TheoryData<string, string> Mutants()
    {
        TheoryData<string, string> data = [];
        string? only = Environment.GetEnvironmentVariable("WEIR_MUTANT");
        foreach (ISimEngine engine in SimEngines.Chosen)
            foreach (Enum mutant in engine.Mutants.ToCatch())
                if (string.IsNullOrEmpty(only) || $"{mutant}" == only) data.Add(engine.Name, $"{mutant}");
        return data;
    }

    [Theory]
    [MemberData(nameof(Mutants))]
    public void EveryMutantIsCaught(string name, string mutant)
    {
        ISimEngine engine = SimEngines.Find(name);
        Enum broken = SimMutants.Named(engine.Mutants.ToCatch(), mutant);
        int seeds = TestPlan.AmountOf("mutants", name);
        SimRunner.Summary summary = SimRunner.Run(engine, 1, seeds, Enough, broken);
        int before = 0;
        if (summary.Failures.Count == 0 && engine.Mutants.Rare.TryGetValue(broken, out ulong known))
        {
            before = summary.Ran;
            summary = SimRunner.Run(engine, known, 1, 1, broken);
        }
        if (summary.Failures.Count == 0)
        {
            before += summary.Ran;
            summary = SimRunner.Run(engine, (ulong)seeds + 1, SeedsAtMost, 1, broken);
        }
        string line = $"mutant {mutant} of {name}: caught in {summary.Failures.Count} of {before + summary.Ran} seeds";
        foreach (KeyValuePair<ulong, string> failure in summary.Failures)
        {
            line += $", first by {failure.Key}";
            output.WriteLine($"seed {failure.Key}: {failure.Value}");
            break;
        }
        output.WriteLine(line);
        Console.Out.WriteLine(line);
        Assert.True(summary.Failures.Count > 0, $"{mutant} survived {before + summary.Ran} seeds");
    }
}
