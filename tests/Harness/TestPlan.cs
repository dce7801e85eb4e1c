using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace Weir.Tests.Harness;

/// <summary>One line of <c>tests/plan.txt</c>.</summary>
/// <param name="Group">A group of tests.</param>
/// <param name="Engine">Of this engine; a dash: of none, or of all at once.</param>
/// <param name="Seconds">What it may take on a quiet machine with two processors.</param>
/// <param name="Amount">How much of a thing it does.</param>
/// <param name="Unit">That thing.</param>
internal readonly record struct PlanLine(string Group, string Engine, int Seconds, int Amount, string Unit);

/// <summary>How the time of all tests is divided: <c>tests/plan.txt</c>, where tests find their budgets.</summary>
internal static class TestPlan
{
    static TestPlan()
    {
        using Stream stream = typeof(TestPlan).Assembly.GetManifestResourceStream("plan.txt")!;
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line) Add(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>What each of the two processes may take.</summary>
    public static int LimitSeconds { get; private set; }

    /// <summary>The groups that run in a process beside the others.</summary>
    public static HashSet<string> Beside { get; } = [];

    /// <summary>All lines.</summary>
    public static List<PlanLine> Lines { get; } = [];

    /// <summary>The amount of a group for an engine.</summary>
    public static int AmountOf(string group, string engine = "-") =>
        Lines.Find(line => line.Group == group && line.Engine == engine) is { Group: not null } found
            ? found.Amount
            : throw new ArgumentException($"plan.txt has no line '{group} {engine}'", nameof(group));

    /// <summary>Seconds of the groups that run beside the others, or of those.</summary>
    public static int SecondsOf(bool beside)
    {
        int seconds = 0;
        foreach (PlanLine line in Lines)
            if (Beside.Contains(line.Group) == beside) seconds += line.Seconds;
        return seconds;
    }

    private static void Add(string[] words)
    {
        if (words.Length == 0 || words[0][0] == '#') return;
        if (words[0] == "limit_seconds") LimitSeconds = Number(words[1]);
        else if (words[0] == "beside") Beside.UnionWith(words[1..]);
        else Lines.Add(new PlanLine(words[0], words[1], Number(words[2]), Number(words[3]), words[4]));
    }

    private static int Number(string word) => int.Parse(word, CultureInfo.InvariantCulture);
}
