using System;
using System.Globalization;
using System.IO;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Weir.Bench.Reporting;
using Weir.Bench.Suites;

namespace Weir.Bench;

/// <summary>
/// Everything that is measured: <c>all</c>, or one of <c>engine</c>, <c>nbd</c>, <c>recovery</c>; then
/// <c>--rounds N</c> and <c>--seconds N</c>, <c>--scratch FOLDER</c> for the file system to measure on. Results go to
/// <c>out/bench</c>. Other arguments are BenchmarkDotNet's, such as <c>kernels --filter *Crc*</c>: short jobs in this
/// process.
/// </summary>
internal static class Program
{
    private const string Folder = "out/bench";

    private static int Main(string[] args)
    {
        string suite = args.Length == 0 ? "all" : args[0];
        if (suite == "recovery") return RecoveryBench.Run(args.Length > 1 ? args[1] : Path.GetTempPath());
        if (suite is "all" or "engine" or "nbd") return Measure(suite, args.AsSpan(Math.Min(1, args.Length)));
        // In this process: BenchmarkDotNet's other tool-chains want an SDK of exactly the target framework.
        IConfig config = DefaultConfig.Instance
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .WithArtifactsPath(Folder);
        string[] rest = suite == "kernels" ? args[1..] : args;
        _ = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(
            rest.Length == 0 ? ["--filter", "*"] : rest, config);
        return 0;
    }

    private static int Measure(string suite, ReadOnlySpan<string> options)
    {
        int rounds = 3;
        double seconds = 2;
        string scratch = Path.GetTempPath();
        for (int i = 0; i + 1 < options.Length; i += 2)
        {
            if (options[i] == "--rounds") rounds = int.Parse(options[i + 1], CultureInfo.InvariantCulture);
            else if (options[i] == "--seconds") seconds = double.Parse(options[i + 1], CultureInfo.InvariantCulture);
            else if (options[i] == "--scratch") scratch = options[i + 1];
            else throw new ArgumentException($"{options[i]}: expected --rounds, --seconds or --scratch");
        }
        Report report = new();
        using Setting setting = new(Path.GetFullPath("out/weir"), Folder, scratch, rounds, seconds);
        if (suite is "all" or "engine") new EngineSuite(setting, report).Run();
        if (suite is "all" or "nbd") new NbdSuite(setting, report).Run();
        report.Write(Folder);
        Console.WriteLine($"bench: {Folder}/report.md, {Folder}/report.html, {Folder}/raw");
        return 0;
    }
}
