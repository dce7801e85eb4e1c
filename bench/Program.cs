using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using Weir.Bench.Kernels;
using Weir.Bench.Measuring;
using Weir.Bench.Reporting;
using Weir.Bench.Suites;

namespace Weir.Bench;

/// <summary>
/// Everything that is measured: <c>all</c>, or one part by its name; then <c>--rounds N</c> and <c>--seconds N</c>,
/// <c>--scratch FOLDER</c> for the file system to measure on. Results go to <c>out/bench</c>. What follows
/// <c>kernels</c> is BenchmarkDotNet's, such as <c>--filter *Device*</c>; with <c>--aot</c> they are compiled ahead, as
/// the product is. Exit code 1: a part failed; the report says
/// which, and has what the others found.
/// </summary>
internal static class Program
{
    private const string Folder = "out/bench", Raw = Folder + "/raw";

    private static readonly Part[] s_parts =
    [
        new("engine", ["P1", "P2", "P3", "P4", "P7", "P11", "P13"],
            static (setting, report) => new EngineSuite(setting, report).Run()),
        new("nbd", ["P5", "P6", "P7", "P8", "P9", "P10"],
            static (setting, report) => new NbdSuite(setting, report).Run()),
        new("recovery", ["P14"], static (setting, report) => new RecoverySuite(setting, report).Run()),
        new("growth", ["P12"], static (setting, report) => new GrowthSuite(setting, report).Run()),
        new("dmcache", ["D1", "D2", "D3", "D4", "D7", "D10", "maxiops"],
            static (setting, report) => new DmCacheSuite(setting, report).Run()),
        new("policies", ["D6", "D8"], static (_, report) => new PolicySuite(report).Run()),
        new("kernels", [], static (_, report) => new MicroSuite(report, Folder).Run()),
        new("kernel-caches", ["P15", "D9", "D5"], static (setting, report) => new KernelSuite(setting, report).Run(),
            IsInAll: false),
    ];

    // Of what is measured; needs nothing of the others.
    private sealed record Part(
        string Name, IReadOnlyList<string> Targets, Action<Setting, Report> Run, bool IsInAll = true);

    private static int Main(string[] args)
    {
        if (args is ["--help" or "-h", ..]) return Help();
        // Options alone are for all parts.
        if (args.Length == 0 || args[0].StartsWith("--", StringComparison.Ordinal)) args = ["all", .. args];
        string name = args[0];
        Part[] parts = [.. s_parts.Where(part => part.Name == name || (name == "all" && part.IsInAll))];
        if (parts.Length == 0)
            return Complain($"{name}: expected all, {string.Join(", ", s_parts.Select(static part => part.Name))}", 2);
        if (name == "kernels" && args.Length > 1) return RunKernels(args[1..]);
        Options? options = Options.Parse(args.AsSpan(1), out string complaint);
        if (options == null) return Complain(complaint, 2);
        LeftOvers.Watch();
        try
        {
            return Measure(parts, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Complain(e.Message, 1);
        }
    }

    private static int Help()
    {
        Console.WriteLine($"bench [PART] [--rounds N] [--seconds N] [--scratch FOLDER]; PART: all (without it), "
            + $"{string.Join(", ", s_parts.Select(static part => part.Name))}; kernels also takes --aot "
            + "(compiled ahead: minutes) and BenchmarkDotNet's --filter. Results: out/bench");
        return 0;
    }

    // BenchmarkDotNet explains itself when it does not understand.
    private static int RunKernels(string[] arguments)
    {
        string[] others = [.. arguments.Where(static argument => argument != "--aot")];
        IConfig config = KernelConfig.Verbose(Folder, isAhead: others.Length < arguments.Length);
        if (others.Length == 0) others = ["--filter", "*"];
        return BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(others, config).Any() ? 0 : 2;
    }

    private static int Measure(IReadOnlyList<Part> parts, Options options)
    {
        Report report = new(Folder, options.ToString());
        using Setting setting = new(
            Path.GetFullPath("out/weir"), Folder, options.Scratch, options.Rounds, options.Seconds);
        report.Write();
        bool isWhole = true;
        foreach (Part part in parts)
        {
            isWhole &= TryRun(part, setting, report);
            report.Write();
        }
        Console.WriteLine($"bench: {Folder}/report.md, {Folder}/report.html, {Raw}");
        return isWhole ? 0 : 1;
    }

    // Whatever goes wrong in a part, the others run.
    private static bool TryRun(Part part, Setting setting, Report report)
    {
        try
        {
            part.Run(setting, report);
            return true;
        }
        catch (Exception e)
        {
            string why = string.Join(' ', e.GetBaseException().Message.Split((char[]?)null,
                StringSplitOptions.RemoveEmptyEntries));
            Complain($"{part.Name}: {why}", 1);
            report.Miss(part.Name, why, part.Targets);
            File.WriteAllText(Path.Combine(Raw, part.Name + "-error.txt"), e.ToString());
            return false;
        }
    }

    private static int Complain(string message, int exitCode)
    {
        Console.Error.WriteLine("bench: " + message);
        return exitCode;
    }
}
