using System;
using System.Globalization;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// The whole engine on simulated devices, seed by seed. WEIR_SEEDS says how many seeds, WEIR_FIRST_SEED where to
/// begin, WEIR_SEED replays one and prints its trace. WEIR_LAYOUT keeps all to one layout.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int Budget = 10_000;

    [Fact]
    public void EverySeedKeepsThePromise()
    {
        ISimEngine engine = new WriteboostEngine();
        if (Number("WEIR_SEED") is ulong seed)
        {
            Replay(engine, seed);
            return;
        }
        int count = (int)(Number("WEIR_SEEDS") ?? Budget);
        SimRunner.Summary summary = SimRunner.Run(engine, Number("WEIR_FIRST_SEED") ?? 1, count, enough: 20);
        Say($"simulation: {summary}");
        Assert.True(summary.Failures.Count == 0, SimRunner.Explain(engine, summary));
        Assert.Equal(count, summary.Ran);
        Assert.True(summary.Crashes > count, "too few crashes to prove anything");
    }

    [Fact]
    public void ASeedReplaysExactly()
    {
        ISimEngine engine = new WriteboostEngine();
        for (ulong seed = 1; seed <= 25; seed++)
        {
            SimResult once = SimRun.Run(engine, seed);
            SimResult again = SimRun.Run(engine, seed);
            Assert.Equal((once.Hash, once.Steps, once.Crashes), (again.Hash, again.Steps, again.Crashes));
            using var traced = new SimRun(engine, seed, trace: true);
            Assert.Equal(once.Hash, traced.Run().Hash);
        }
    }

    private void Replay(ISimEngine engine, ulong seed)
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
