using System;
using System.Collections.Generic;
using System.Linq;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Mathematics;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Weir.Bench.Kernels;
using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>
/// The kernels, each beside its scalar twin and what the library has: BenchmarkDotNet's figures as tables of ours.
/// </summary>
/// <param name="report">Where they go.</param>
/// <param name="folder">For BenchmarkDotNet's own tables, in <c>results</c>.</param>
internal sealed class MicroSuite(Report report, string folder)
{
    private const string General = ", and so on below: one thread of this process, compiled at run time for this "
        + "machine, while the product is compiled ahead for x86-64-v3. Kernel is ours, Scalar its twin, Library the "
        + "framework's.";

    private static readonly (Type Type, string Title)[] s_benches =
    [
        (typeof(Crc32CBench), "Kernel: CRC32C"),
        (typeof(CopyBench), "Kernel: 4 KiB copied"),
        (typeof(HeaderScanBench), "Kernel: a record header checked"),
        (typeof(DirtyScanBench), "Kernel: dirty blocks found, for each slot"),
        (typeof(SectorRunsBench), "Kernel: runs of dirty sectors in a block"),
        (typeof(IndexBench), "Kernel: index look-up and insertion"),
        (typeof(TagMatchBench), "Kernel: tags of a bucket compared"),
        (typeof(BlockLocksBench), "Kernel: blocks locked and released"),
        (typeof(SegmentReserveBench), "Kernel: a slot of the segment reserved"),
        (typeof(SegmentPublishBench), "Kernel: a slot of the segment published"),
        (typeof(PolicyScanBench), "Kernel: what policies look through"),
        (typeof(PolicyBench), "Kernel: what a policy costs a request"),
    ];

    /// <summary>All of it.</summary>
    public void Run()
    {
        foreach ((Type type, string title) in s_benches)
        {
            Summary summary = BenchmarkRunner.Run(type, KernelConfig.Quiet(folder));
            BenchmarkReport[] found = [.. summary.Reports.Where(static one => one.ResultStatistics != null)];
            if (found.Length == 0 || found.Length < summary.BenchmarksCases.Length)
                throw new InvalidOperationException($"{type.Name}: see {summary.LogFilePath}");
            Show(title, type.Name, found);
            Console.WriteLine($"bench: {type.Name}");
            MarkdownExporter.Console.ExportToLog(summary, ConsoleLogger.Default);
        }
    }

    private void Show(string title, string name, IReadOnlyList<BenchmarkReport> found)
    {
        Table table = report.Add(title, $"`./build.sh bench kernels --filter *{name}*`"
            + (name == s_benches[0].Type.Name ? General : "."), "", "ns", "±", "/ baseline");
        foreach (BenchmarkReport one in found)
        {
            BenchmarkReport? baseline = found.FirstOrDefault(other => IsBaselineOf(other, one));
            Statistics figures = one.ResultStatistics!;
            table.Rows.Add([
                NameOf(one), Report.Number(figures.Median),
                Report.Number((figures.Max - figures.Min) / figures.Median * 50) + " %",
                baseline == null ? "-" : Report.Number(figures.Median / baseline.ResultStatistics!.Median)]);
        }
    }

    private static bool IsBaselineOf(BenchmarkReport one, BenchmarkReport other) =>
        one.BenchmarkCase.Descriptor.Baseline
        && one.BenchmarkCase.Descriptor.Categories.SequenceEqual(other.BenchmarkCase.Descriptor.Categories)
        && one.BenchmarkCase.Parameters.DisplayInfo == other.BenchmarkCase.Parameters.DisplayInfo;

    private static string NameOf(BenchmarkReport one)
    {
        string parameters = one.BenchmarkCase.Parameters.DisplayInfo;
        string method = one.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo;
        return parameters.Length == 0 ? method : $"{method}, {parameters.Trim('[', ']')}";
    }
}
