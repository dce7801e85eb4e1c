using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Weir.Bench;

/// <summary>
/// Kernels and device paths, one process, short jobs: numbers to compare two versions on one machine with. Figures of
/// record come from the native binary under fio. Arguments are BenchmarkDotNet's, such as <c>--filter *Crc*</c>, or
/// <c>recovery [FOLDER]</c> for <see cref="RecoveryBench"/>.
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        if (args is ["recovery", ..])
            return RecoveryBench.Run(args.Length > 1 ? args[1] : System.IO.Path.GetTempPath());
        // In this process: BenchmarkDotNet's other tool-chains want an SDK of exactly the target framework.
        IConfig config = DefaultConfig.Instance
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .WithArtifactsPath("out/bench");
        _ = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(
            args.Length == 0 ? ["--filter", "*"] : args, config);
        return 0;
    }
}
