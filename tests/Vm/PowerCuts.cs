using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Xunit;

namespace Weir.Tests.Vm;

/// <summary>A machine with one pair of disks that loses power again and again: <c>powercut.sh</c>.</summary>
internal sealed class PowerCuts
{
    private readonly string _engine;
    private readonly string[] _fileSystems;
    private readonly string _kept;
    private readonly string[] _disks;
    private int _lives;

    /// <summary>Blank disks; each life makes the next of <paramref name="fileSystems"/>.</summary>
    public PowerCuts(TestFolder folder, string engine, string[] fileSystems)
    {
        (_engine, _fileSystems, _kept) = (engine, fileSystems, folder.PathOf(engine + "-kept"));
        File.WriteAllText(_kept, "");
        _disks = [folder.File(engine + "-cache", 48 << 20), folder.File(engine + "-disk", 320 << 20)];
    }

    /// <summary>Files that were told to be synced.</summary>
    public int Files { get; private set; }

    /// <summary>One life: what the last one has synced is there.</summary>
    public void Cut()
    {
        int life = _lives++;
        VmMachine machine = new()
        {
            Kernel = life % 2 == 0 ? "k6" : "k7", Disks = _disks,
            Scenario = $"powercut.sh {_kept} {_engine} {_fileSystems[life % _fileSystems.Length]}",
            CutSeconds = 0.2 + (4 * Random.Shared.NextDouble()),
        };
        Outcome outcome = machine.Run();
        Assert.True(outcome.ExitCode == 124,
            $"{_engine}, life {life}: {outcome.ExitCode}\n{outcome.Output}{outcome.Error}");
        // The last line may be half a line.
        string[] lines = outcome.Output[..(outcome.Output.LastIndexOf('\n') + 1)].Split('\n');
        Assert.Contains($"equal {File.ReadAllLines(_kept).Length}", lines);
        List<string> now = [.. lines.Where(line => line.StartsWith("kept ", StringComparison.Ordinal))];
        // Once it has said so, the files of earlier lives are gone.
        if (lines.Contains("CUT")) File.WriteAllLines(_kept, now);
        Files += now.Count;
    }
}
