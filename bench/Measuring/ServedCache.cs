using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;

namespace Weir.Bench.Measuring;

/// <summary>A cache served by the native binary: how long the start takes, and what memory the process has.</summary>
internal sealed class ServedCache : IDisposable
{
    private const int PatienceMs = 120_000;

    private readonly string _binary;
    private readonly string _control;
    private readonly Process _process;
    private string _said = "";

    /// <summary>
    /// Starts <c>weir serve</c> with <paramref name="engine"/> and <paramref name="arguments"/>; returns when it says
    /// that it is ready: clients can connect.
    /// </summary>
    public ServedCache(string binary, Scratch scratch, string engine, params string[] arguments)
    {
        (_binary, _control) = (binary, scratch.PathOf("control"));
        ProcessStartInfo start = new(binary,
            ["serve", engine, .. arguments, "--listen", "unix:" + scratch.PathOf("listen"),
                "--control", _control])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        long startedAt = Stopwatch.GetTimestamp();
        _process = Tool.Start(start);
        _process.ErrorDataReceived += (_, line) => _said += line.Data + " ";
        _process.BeginErrorReadLine();
        using CancellationTokenSource patience = new(PatienceMs);
        using CancellationTokenRegistration end = patience.Token.Register(_process.Kill);
        while (true)
        {
            string line = _process.StandardOutput.ReadLine()
                ?? throw new InvalidOperationException($"weir serve {string.Join(' ', arguments)}: {_said}");
            if (!line.StartsWith("weir: ready ", StringComparison.Ordinal)) continue;
            StartSeconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
            Uri = line.Split(' ')[^1];
            break;
        }
        _process.StandardOutput.Close();
        LeftOvers.Add(this);
    }

    /// <summary>From the start of the process until it was ready.</summary>
    public double StartSeconds { get; }

    /// <summary>Where clients go.</summary>
    public string Uri { get; }

    /// <summary>Bytes of a field of the process's memory, such as <c>VmRSS</c>, as the kernel counts it.</summary>
    public double Memory(string field)
    {
        foreach (string line in File.ReadLines($"/proc/{_process.Id}/status"))
            if (line.StartsWith(field + ":", StringComparison.Ordinal))
                return double.Parse(line[(field.Length + 1)..^" kB".Length], CultureInfo.InvariantCulture) * 1024;
        throw new InvalidOperationException($"no {field} in /proc/{_process.Id}/status");
    }

    /// <summary>The numbers of its <c>weir status</c>.</summary>
    public Dictionary<string, double> Status() =>
        WeirBench.Numbers(Tool.Run(_binary, ["status", "--control", _control, "--json"]));

    /// <summary>Ends it in order.</summary>
    public void Stop()
    {
        Tool.Run(_binary, ["stop", "--control", _control]);
        _process.WaitForExit();
        if (_process.ExitCode != 0)
            throw new InvalidOperationException($"weir serve: exit code {_process.ExitCode}: {_said}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        LeftOvers.Remove(this);
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
