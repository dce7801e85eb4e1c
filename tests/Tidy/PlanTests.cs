using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>The division of the time of all tests: what is printed is what tests read, and it fits.</summary>
public sealed class PlanTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AllGroupsOfAProcessKeepTheLimit(bool beside)
    {
        int seconds = TestPlan.SecondsOf(beside);
        Assert.True(TestPlan.LimitSeconds <= 35 * 60);
        Assert.True(seconds <= TestPlan.LimitSeconds, $"{seconds} s are more than {TestPlan.LimitSeconds}");
    }

    [Fact]
    public void EveryEngineThatIsSimulatedHasItsShareOfEachGroup()
    {
        foreach (IInjectedEngine engine in SimEngines.Chosen)
            foreach (string group in (string[])["simulation", "mutants", "error-injection"])
                Assert.True(TestPlan.AmountOf(group, engine.Name) > 0);
    }

    /// <summary>What <c>build.sh</c> starts beside the others is one namespace; the plan names its groups.</summary>
    [Fact]
    public void WhatRunsBesideIsThere()
    {
        Assert.NotEmpty(TestPlan.Beside);
        Assert.True(TestPlan.Beside.IsSubsetOf(TestPlan.Lines.Select(line => line.Group)));
    }

    [Fact]
    public void NoLineIsThereTwice() =>
        Assert.Equal(TestPlan.Lines.Count, TestPlan.Lines.Select(line => (line.Group, line.Engine)).Distinct().Count());

    /// <summary>Every line of the plan, with the same numbers, and the sums.</summary>
    [Fact]
    public void WhatIsPrintedIsWhatTestsRead()
    {
        ProcessStartInfo start = new(Path.Combine(SourceTree.Root, "build.sh"), ["test", "--plan"])
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string[] printed = process.StandardOutput.ReadToEnd().Split('\n');
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        List<string> words = [.. printed.Select(line => string.Join(' ', line.Split(' ',
            StringSplitOptions.RemoveEmptyEntries)))];
        foreach (PlanLine line in TestPlan.Lines)
            Assert.Contains($"{line.Group} {line.Engine} {line.Seconds} s {line.Amount} {line.Unit}", words);
        Assert.Contains($"beside {TestPlan.SecondsOf(beside: true)} s of {TestPlan.LimitSeconds} s", words);
        Assert.Contains($"others {TestPlan.SecondsOf(beside: false)} s of {TestPlan.LimitSeconds} s", words);
    }
}
