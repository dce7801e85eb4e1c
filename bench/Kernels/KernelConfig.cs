using System;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Environments;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using BenchmarkDotNet.Toolchains.NativeAot;
using Perfolizer.Horology;

namespace Weir.Bench.Kernels;

/// <summary>
/// How the kernels are run, about a second each: in this process, compiled at run time; or compiled ahead like the
/// product, which takes the compiler five minutes of a processor's time before the first figure.
/// </summary>
internal static class KernelConfig
{
    // Five short iterations: the compiler has made the method's last form before the last of the warm-up.
    private static Job Short => Job.Default
        .WithIterationTime(TimeInterval.FromMilliseconds(50)).WithWarmupCount(3).WithIterationCount(5).WithId("short");

    private static Job InProcess => Short.WithToolchain(InProcessEmitToolchain.Instance);

    private static Job Ahead => Short.WithToolchain(AheadToolchain).WithRuntime(NativeAotRuntime.Net10_0);

    // As in aot.props; from the packages that the product is built with.
    private static IToolchain AheadToolchain => NativeAotToolchain.CreateBuilder().UseNuGet("", "")
        .IlcInstructionSet("x86-64-v3").IlcOptimizationPreference("Speed").TargetFrameworkMoniker("net10.0")
        .ToToolchain();

    /// <summary>Says everything; tables go to <c>results</c> in <paramref name="folder"/>.</summary>
    /// <param name="folder">For tables.</param>
    /// <param name="isAhead">Compiled ahead.</param>
    public static IConfig Verbose(string folder, bool isAhead) => DefaultConfig.Instance
        .AddJob(isAhead ? Ahead : InProcess).WithBuildTimeout(TimeSpan.FromHours(1))
        .AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory).WithArtifactsPath(folder);

    /// <summary>Says nothing; the same tables.</summary>
    public static IConfig Quiet(string folder) => ManualConfig.CreateEmpty().AddJob(InProcess)
        .AddLogger(NullLogger.Instance).AddColumnProvider(DefaultColumnProviders.Instance)
        .AddExporter(MarkdownExporter.GitHub).AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory)
        .WithArtifactsPath(folder);
}
