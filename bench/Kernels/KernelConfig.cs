using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace Weir.Bench.Kernels;

/// <summary>How the kernels are run: in this process, about a second each.</summary>
internal static class KernelConfig
{
    // BenchmarkDotNet's other tool-chains want an SDK of exactly the target framework. Five short iterations suffice:
    // the compiler makes a method's last form at once.
    private static Job Job => Job.Default.WithToolchain(InProcessEmitToolchain.Instance)
        .WithIterationTime(TimeInterval.FromMilliseconds(50)).WithWarmupCount(3).WithIterationCount(5).WithId("short");

    /// <summary>Says everything; tables go to <c>results</c> in <paramref name="folder"/>.</summary>
    public static IConfig Verbose(string folder) => DefaultConfig.Instance.AddJob(Job)
        .AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory).WithArtifactsPath(folder);

    /// <summary>Says nothing; the same tables.</summary>
    public static IConfig Quiet(string folder) => ManualConfig.CreateEmpty().AddJob(Job)
        .AddLogger(NullLogger.Instance).AddColumnProvider(DefaultColumnProviders.Instance)
        .AddExporter(MarkdownExporter.GitHub).AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory)
        .WithArtifactsPath(folder);
}
