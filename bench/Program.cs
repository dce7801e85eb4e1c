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
        if (suite is not ("all" or "engine" or "nbd" or "recovery" or "kernel-caches" or "kernels"))
            return Complain($"bench {suite}: expected engine, nbd, recovery, kernel-caches or kernels");
        if (suite != "kernels") return Measure(suite, args.AsSpan(Math.Min(1, args.Length)));
        // In this process: BenchmarkDotNet's other tool-chains want an SDK of exactly the target framework.
        IConfig config = DefaultConfig.Instance
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .WithArtifactsPath(Folder);
        _ = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(
            args.Length == 1 ? ["--filter", "*"] : args[1..], config);
        return 0;
    }

    private static int Complain(string message)
    {
        Console.Error.WriteLine("bench: " + message);
        return 2;
    }

    private static int Measure(string suite, ReadOnlySpan<string> options)
    {
        int rounds = 3;
        double seconds = 2;
        string scratch = Path.GetTempPath();
        for (int i = 0; i < options.Length; i += 2)
        {
            string value = i + 1 < options.Length ? options[i + 1] : "";
            bool isGood = options[i] switch
            {
                "--rounds" => int.TryParse(value, CultureInfo.InvariantCulture, out rounds) && rounds > 0,
                "--seconds" => double.TryParse(value, CultureInfo.InvariantCulture, out seconds) && seconds > 0,
                "--scratch" => Directory.Exists(scratch = value),
                _ => false,
            };
            if (!isGood)
                return Complain($"{options[i]} {value}: expected --rounds N, --seconds N or --scratch FOLDER");
        }
        Report report = new();
        using Setting setting = new(Path.GetFullPath("out/weir"), Folder, scratch, rounds, seconds);
        if (suite is "all" or "engine") new EngineSuite(setting, report).Run();
        if (suite is "all" or "nbd") new NbdSuite(setting, report).Run();
        if (suite is "all" or "recovery") new RecoverySuite(setting, report).Run();
        if (suite == "kernel-caches") new KernelSuite(setting, report).Run();
        report.Write(Folder);
        Console.WriteLine($"bench: {Folder}/report.md, {Folder}/report.html, {Folder}/raw");
        return 0;
    }
}
