using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;

namespace Weir.Bench.Measuring;

/// <summary>Other programs, run to their end.</summary>
internal static class Tool
{
    /// <summary>Standard output. Throws with the tool's own words when it fails.</summary>
    public static string Run(string program, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        using Running running = new(process);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', start.ArgumentList)}: "
                + $"exit code {process.ExitCode}: {error.Result}{output}");
    }

    // Killed when the bench is interrupted.
    private sealed class Running : IDisposable
    {
        private readonly Process _process;

        public Running(Process process)
        {
            _process = process;
            LeftOvers.Add(this);
        }

        public void Dispose()
        {
            LeftOvers.Remove(this);
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
    }
}
