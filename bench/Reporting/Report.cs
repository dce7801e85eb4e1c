using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Bench.Reporting;

/// <summary>A table: the first column names the row.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Note">How it came about, commands included.</param>
/// <param name="Columns">Their heads.</param>
/// <param name="Rows">Cells as they are shown.</param>
internal sealed record Table(string Title, string Note, IReadOnlyList<string> Columns, List<string[]> Rows);

/// <summary>One target of ours, met or not.</summary>
/// <param name="Name">Its number.</param>
/// <param name="Measure">What is compared.</param>
/// <param name="Wanted">As text.</param>
/// <param name="Got">As text.</param>
/// <param name="IsMet">The figure is as wanted.</param>
internal sealed record Target(string Name, string Measure, string Wanted, string Got, bool IsMet);

/// <summary>
/// What the suites have found, in the order found: <c>report.md</c> with tables, and a page with charts that needs
/// nothing but itself.
/// </summary>
internal sealed class Report(string folder, string how)
{
    private readonly List<Table> _tables = [];
    private readonly List<Target> _targets = [];
    private readonly List<Chart> _charts = [];
    private readonly Table _missing = new("Missing", "Parts that failed: what they had found until then is below.",
        ["part", "why"], []);
    private readonly DateTime _date = DateTime.UtcNow;

    /// <summary>Adds a table, which is filled later.</summary>
    public Table Add(string title, string note, params string[] columns)
    {
        Table table = new(title, note, columns, []);
        _tables.Add(table);
        return table;
    }

    /// <summary>Adds a chart.</summary>
    public void Add(Chart chart) => _charts.Add(chart);

    /// <summary>Notes that a part failed, and why.</summary>
    /// <param name="part">Its name.</param>
    /// <param name="why">In a line.</param>
    /// <param name="targets">Numbers of the targets it has: those it has not judged are shown, and not met.</param>
    public void Miss(string part, string why, IReadOnlyList<string> targets)
    {
        _missing.Rows.Add([part, why]);
        foreach (string name in targets.Where(name => _targets.All(target => target.Name != name)))
            _targets.Add(new Target(name, $"not measured: {part} failed", "", "-", false));
        Write();
    }

    /// <summary>Adds a target: a ratio that shall be at least, or at most, a limit. Prints it too.</summary>
    public void Judge(string name, string measure, double value, double limit, bool atLeast = true)
    {
        bool isMet = atLeast ? value >= limit : value <= limit;
        Target target = new(
            name, measure, (atLeast ? "at least " : "at most ") + Number(limit), Number(value), isMet);
        _targets.Add(target);
        Console.WriteLine($"{name}: {measure}: {target.Got} ({target.Wanted}) {(isMet ? "met" : "MISSED")}");
        // Whoever stops it has what there is.
        Write();
    }

    /// <summary>Three digits that matter, and no more noise than that.</summary>
    public static string Number(double value)
    {
        if (double.IsNaN(value)) return "-";
        double size = Math.Abs(value);
        string format = size >= 100 || size == 0 ? "#,0" : size >= 10 ? "0.0" : size >= 0.1 ? "0.00" : "0.000";
        return value.ToString(format, CultureInfo.InvariantCulture);
    }

    /// <summary>Writes both.</summary>
    public void Write()
    {
        File.WriteAllText(Path.Combine(folder, "report.md"), Markdown());
        File.WriteAllText(Path.Combine(folder, "report.html"), Page.Of(Title, Machine + how, AllTables(), _charts));
    }

    private string Title => string.Create(CultureInfo.InvariantCulture, $"Weir, measured on {_date:yyyy-MM-dd}");

    private static string Machine
    {
        get
        {
            string model = File.ReadLines("/proc/cpuinfo")
                .FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal)) ?? "";
            long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
            return $"{Environment.ProcessorCount} processors,{model[(model.IndexOf(':') + 1)..]}, {memory} GiB, Linux "
                + $"{Environment.OSVersion.Version}, {RuntimeInformation.ProcessArchitecture}. Every figure is the "
                + "median of rounds that alternate between what is compared; ± is half the way from the smallest to "
                + "the largest, as a share of it. Ratios count: absolute figures are this machine's, and its "
                + "neighbours'. ";
        }
    }

    private IEnumerable<Table> AllTables()
    {
        Table targets = new("Targets", "", ["#", "measure", "target", "got", "met"], []);
        foreach (Target target in _targets)
            targets.Rows.Add([target.Name, target.Measure, target.Wanted, target.Got, target.IsMet ? "yes" : "no"]);
        return new[] { _missing, targets }.Where(static table => table.Rows.Count > 0).Concat(_tables);
    }

    private string Markdown()
    {
        StringBuilder text = new($"# {Title}\n\n{Machine}{how}\n");
        foreach (Table table in AllTables())
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {table.Title}\n");
            if (table.Note.Length > 0) text.Append(table.Note).Append("\n\n");
            text.Append("| ").AppendJoin(" | ", table.Columns).Append(" |\n|");
            foreach (string _ in table.Columns) text.Append("---|");
            foreach (string[] row in table.Rows) text.Append("\n| ")
                    .AppendJoin(" | ", row.Select(static cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))
                    .Append(" |");
            text.Append('\n');
        }
        return text.ToString();
    }
}
