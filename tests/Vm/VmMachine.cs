using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.Vm;

/// <summary>
/// One life of a virtual machine that runs one scenario: <c>tests/Vm/run.sh</c> with a file of
/// <c>tests/Vm/scenarios</c>. The machine sees our files, changes none, and leaves only what it wrote to its disks.
/// </summary>
internal sealed record VmMachine
{
    private const int PatienceMs = 2_700_000;

    /// <summary>k6 or k7, as run.sh knows them.</summary>
    public required string Kernel { get; init; }

    /// <summary>Name and arguments of the scenario.</summary>
    public required string Scenario { get; init; }

    /// <summary>As QEMU takes it.</summary>
    public string Memory { get; init; } = "2G";

    /// <summary>Images that become /dev/vda, vdb, ...</summary>
    public IReadOnlyList<string> Disks { get; init; } = [];

    /// <summary>Seconds from the scenario's word to the power cut; null for none.</summary>
    public double? CutSeconds { get; init; }

    private static string Folder => Path.Combine(SourceTree.Root, "tests", "Vm");

    /// <summary>Runs it to its end.</summary>
    public Outcome Run()
    {
        string script = Path.Combine(Folder, "scenarios", Scenario);
        string command = $"export WEIR={WeirProcess.Binary}; bash {script}";
        ProcessStartInfo start = new(Path.Combine(Folder, "run.sh"), [Kernel, command])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        start.Environment["WEIR_VM_MEMORY"] = Memory;
        start.Environment["WEIR_VM_DISKS"] = string.Join(' ', Disks);
        if (CutSeconds != null) start.Environment["WEIR_VM_CUT"] = FormattableString.Invariant($"{CutSeconds:f3}");
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(PatienceMs);
        if (!ended) process.Kill(entireProcessTree: true);
        Assert.True(ended, $"{Scenario} on {Kernel} does not end: {output.Result} {error.Result}");
        return new Outcome(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>It must end well.</summary>
    public void MustPass()
    {
        long startedAt = Stopwatch.GetTimestamp();
        Outcome outcome = Run();
        Assert.True(outcome.ExitCode == 0,
            $"{Scenario} on {Kernel}: exit code {outcome.ExitCode}\n{outcome.Output}{outcome.Error}");
        Console.Out.WriteLine($"vm: {Scenario} on {Kernel}: {Stopwatch.GetElapsedTime(startedAt).TotalSeconds:f0} s");
    }
}
