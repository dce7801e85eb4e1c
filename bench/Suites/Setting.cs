using System;
using System.Globalization;
using System.IO;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>What every suite works with.</summary>
internal sealed class Setting : IDisposable
{
    /// <summary>Results go to <paramref name="folder"/>, files that are measured on to <paramref name="scratch"/>.
    /// </summary>
    public Setting(string binary, string folder, string scratch, int rounds, double seconds)
    {
        (Rounds, Seconds) = (rounds, seconds);
        string raw = Directory.CreateDirectory(Path.Combine(folder, "raw")).FullName;
        foreach (string old in Directory.GetFiles(raw, "*", SearchOption.AllDirectories)) File.Delete(old);
        Tool.Journal = Path.Combine(raw, "commands.txt");
        Fio = new Fio(raw);
        Weir = new WeirBench(binary, raw);
        OtherWeir = new WeirBench(binary, Directory.CreateDirectory(Path.Combine(raw, "other")).FullName);
        Scratch = new Scratch(scratch);
    }

    /// <summary>How often everything is measured, in turns.</summary>
    public int Rounds { get; }

    /// <summary>Of each measurement.</summary>
    public double Seconds { get; }

    /// <summary><see cref="Seconds"/> as an option's value.</summary>
    public string Time => Seconds.ToString(CultureInfo.InvariantCulture);

    /// <summary>The client.</summary>
    public Fio Fio { get; }

    /// <summary>The engine without clients.</summary>
    public WeirBench Weir { get; }

    /// <summary>One more, to run at the same time.</summary>
    public WeirBench OtherWeir { get; }

    /// <summary>Files.</summary>
    public Scratch Scratch { get; }

    /// <summary>A row: name, median, half the spread in percent.</summary>
    public void Row(Table table, string name, Samples samples) =>
        table.Rows.Add([name, Report.Number(samples.Median), Deviation(samples)]);

    /// <summary>Half the spread, in percent.</summary>
    public static string Deviation(Samples samples) =>
        samples.Count == 1 ? "one run" : Report.Number(samples.Spread * 50) + " %";

    /// <inheritdoc/>
    public void Dispose() => Scratch.Dispose();
}
