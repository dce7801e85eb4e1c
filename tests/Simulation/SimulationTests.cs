using System;
using System.Globalization;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// Whole engines on simulated devices, seed by seed. WEIR_SEEDS says how many seeds of each engine, WEIR_FIRST_SEED
/// where to begin, WEIR_SEED replays one and prints its trace; WEIR_ENGINE keeps to one engine, WEIR_LAYOUT keeps
/// <c>writeboost</c> to one layout.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    public static TheoryData<string> Engines() => SimEngines.Names();

    [Theory]
    [MemberData(nameof(Engines))]
    public void EverySeedKeepsThePromise(string name)
    {
        ISimEngine engine = SimEngines.Find(name);
        if (Number("WEIR_SEED") is ulong seed)
        {
            Replay(engine, seed);
            return;
        }
        int count = (int)(Number("WEIR_SEEDS") ?? (ulong)TestPlan.AmountOf("simulation", name));
        SimRunner.Summary summary = SimRunner.Run(engine, Number("WEIR_FIRST_SEED") ?? 1, count, enough: 20);
        Say($"simulation of {name}: {summary}");
        Assert.True(summary.Failures.Count == 0, SimRunner.Explain(engine, summary));
        Assert.Equal(count, summary.Ran);
        Assert.True(summary.Crashes > count, "too few crashes to prove anything");
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void ASeedReplaysExactly(string name)
    {
        ISimEngine engine = SimEngines.Find(name);
        for (ulong seed = 1; seed <= 25; seed++)
        {
            SimResult once = SimRun.Run(engine, seed);
            SimResult again = SimRun.Run(engine, seed);
            Assert.Equal((once.Hash, once.Steps, once.Crashes), (again.Hash, again.Steps, again.Crashes));
            using var traced = new SimRun(engine, seed, trace: true);
            Assert.Equal(once.Hash, traced.Run().Hash);
        }
    }

    private static void Replay(ISimEngine engine, ulong seed)
    {
        using var run = new SimRun(engine, seed, trace: true);
        SimResult result = run.Run();
        foreach (string line in run.Trace) Console.Out.WriteLine(line);
        Assert.Null(result.Failure);
    }

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.Out.WriteLine(line);
    }

    private static ulong? Number(string variable)
    {
        string? text = Environment.GetEnvironmentVariable(variable);
        return string.IsNullOrEmpty(text) ? null : ulong.Parse(text, CultureInfo.InvariantCulture);
    }
}
