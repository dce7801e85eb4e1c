using System;
using Weir.Tests.Simulation.Engines;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>The simulation judged by itself: a correct engine passes, every broken one is caught.</summary>
public sealed class OracleTests(ITestOutputHelper output)
{
    [Fact]
    public void ACorrectEngineIsNeverAccused()
    {
        var engine = new ReferenceEngine(ReferenceFlaw.None);
        int seeds = TestPlan.AmountOf("oracle");
        SimRunner.Summary summary = SimRunner.Run(engine, 1, seeds, 1);
        output.WriteLine(summary.ToString());
        Assert.True(summary.Failures.Count == 0, SimRunner.Explain(engine, summary));
        Assert.True(summary.Crashes > seeds);
    }

    public static TheoryData<ReferenceFlaw> Flaws()
    {
        var data = new TheoryData<ReferenceFlaw>();
        foreach (ReferenceFlaw flaw in Enum.GetValues<ReferenceFlaw>())
        {
            if (flaw != ReferenceFlaw.None) data.Add(flaw);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Flaws))]
    public void EveryBrokenEngineIsCaught(ReferenceFlaw flaw)
    {
        SimRunner.Summary summary = SimRunner.Run(new ReferenceEngine(flaw), 1, 100, int.MaxValue);
        output.WriteLine($"{flaw}: caught in {summary.Failures.Count} of {summary.Ran} seeds");
        foreach ((ulong seed, string failure) in summary.Failures)
        {
            output.WriteLine($"seed {seed}: {failure}");
            break;
        }
        Assert.NotEmpty(summary.Failures);
    }

    [Fact]
    public void ASeedReplaysExactly()
    {
        var engine = new ReferenceEngine(ReferenceFlaw.None);
        for (ulong seed = 1; seed <= 20; seed++)
        {
            SimResult once = SimRun.Run(engine, seed);
            SimResult again = SimRun.Run(engine, seed);
            Assert.Equal((once.Hash, once.Steps, once.Crashes), (again.Hash, again.Steps, again.Crashes));
        }
    }
}
